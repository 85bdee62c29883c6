/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of hawser-vmm inspect: vmm_inspect.c reads, vmm_inspect_file.c has the area in a file,
 * vmm_inspect_print.c says what was found.
 */
#ifndef VMM_INSPECT_PRIV_H
#define VMM_INSPECT_PRIV_H

#include <qb/qbloop.h>
#include <stdio.h>

#include "common/hw_error.h"
#include "vmm-core/save/vmm_restore.h"

/* What was found. */
struct inspect_report {
    struct sto_saved_look look;
    bool is_read; /* table, index and sections were read and are right: */
    const uint8_t *sections;
    size_t sections_bytes;
    struct vmm_restore_progress progress;
    bool verified; /* and all of memory */
    uint64_t area_bytes;
};

/* For people. */
void inspect_print(FILE *out, const struct inspect_report *report);
/* One JSON object. 0 or -ENOMEM. */
int inspect_print_json(FILE *out, const struct inspect_report *report);

/* The area in a file. */
struct inspect_file {
    qb_loop_t *loop;
    int fd; /* the caller's */
    uint64_t offset_bytes, bytes;
    struct vmm_save_op *ops[VMM_SAVE_DEPTH_MAX * 2];
    unsigned count;
};

/* A queue that reads `file`, which must live as long; it writes nothing. */
void inspect_file_queue(struct inspect_file *file, struct vmm_save_queue *ret_queue);

#endif
