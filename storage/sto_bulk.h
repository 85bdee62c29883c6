/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many reads or writes in flight for tools: copying an image, reading it back, zeroing an area,
 * measuring. The caller says what is next and supplies or judges the data. Goes straight to a LUN
 * that nobody owns, or through the gate of an owner. Blocks until all is done or something fails.
 */
#ifndef STO_BULK_H
#define STO_BULK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/hw_error.h"
#include "storage/sto_lun.h"
#include "storage/sto_owner.h"

enum { STO_BULK_DEPTH_MAX = 256 };

struct sto_bulk {
    struct sto_lun *lun;     /* used directly if `owner` is NULL; else for names and facts */
    struct sto_owner *owner; /* NULL, or who owns the LUN */
    bool write;
    unsigned depth;   /* operations in flight, 1 to STO_BULK_DEPTH_MAX */
    size_t io_bytes;  /* largest operation; a multiple of 4096 */
    const char *verb; /* for messages: "read", "write", "zero" */
    /* Through an owner's gate requests wait as long as the target is away. When none was answered
     * for so long (0: a minute) it ends as timed out, and its ownership with it: nothing that
     * waits is written later. */
    uint32_t stall_ms;
    /* The next place; false: no more. `*bytes` comes as io_bytes and may be made smaller. */
    bool (*next)(void *context, uint64_t *offset_bytes, size_t *bytes);
    /* Supply what is written, or judge what was read: 0, or -errno which ends it all; the message
     * is the caller's, in `error`. May be NULL. */
    int (*data)(void *context, uint64_t offset_bytes, void *data, size_t bytes,
                struct hw_error *error);
    void (*progress)(void *context, uint64_t done_bytes); /* after each; may be NULL */
    void *context;
};

struct sto_bulk_stats {
    uint64_t operations, bytes;
    int64_t first_ns, last_ns; /* of the LUN's clock: first submit, last answer */
};

/* Run it. 0, or -errno with the message in `error`; every operation has ended on return. */
int sto_bulk_run(const struct sto_bulk *bulk, struct sto_bulk_stats *ret_stats,
                 struct hw_error *error);

#endif
