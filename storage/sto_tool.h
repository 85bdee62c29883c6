/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocking LUN operations for command-line tools, each with the message for an admin when it
 * fails. Unit attentions are stepped over and a busy target is asked again, both within limits;
 * nothing else is repeated. Not for daemons: these calls wait.
 */
#ifndef STO_TOOL_H
#define STO_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/hw_error.h"
#include "storage/sto_layout.h"
#include "storage/sto_lun.h"
#include "storage/sto_meta.h"
#include "storage/sto_pr.h"
#include "storage/sto_record.h"

/* Fill `error` from how an operation ended; `doing` is a verb ("read", "write", "reserve"). Returns
 * a negative errno: -EBADE reserved by another, -EROFS, -ENOSPC, -ETIMEDOUT, -EIO ... */
int sto_tool_fail(const struct sto_lun *lun, const char *doing, const struct sto_result *result,
                  struct hw_error *error);

/* Bring a session up. A portal that does not answer in time is of kind HW_ERROR_TIMED_OUT. */
int sto_tool_login(struct sto_lun *lun, enum sto_session session, struct hw_error *error);

/*
 * Run one operation to its end, over unit attentions, BUSY and, where it may be repeated (reads,
 * writes, questions), aborts. 0 and the last result in op->result, whatever it is; -errno if it
 * could not be submitted.
 */
int sto_tool_run(struct sto_lun *lun, struct sto_op *op);

/* Read or write bytes of the LUN; offset and size are multiples of its block size. Writes are
 * durable only after sto_tool_flush(). 0 or as sto_tool_fail(). */
int sto_tool_read(struct sto_lun *lun, uint64_t offset_bytes, void *ret_data, size_t bytes,
                  struct hw_error *error);
int sto_tool_write(struct sto_lun *lun, uint64_t offset_bytes, const void *data, size_t bytes,
                   struct hw_error *error);
int sto_tool_flush(struct sto_lun *lun, struct hw_error *error);

/* READ KEYS and READ RESERVATION. -ENOTSUP where the LUN has no reservations. */
int sto_tool_read_keys(struct sto_lun *lun, struct sto_pr_keys *ret_keys, struct hw_error *error);
int sto_tool_read_reservation(struct sto_lun *lun, struct sto_pr_reservation *ret_reservation,
                              struct hw_error *error);

/*
 * Both ends of an identified LUN, at most `bytes` each, page-aligned in one allocation that the
 * caller frees with free(ret_head->data).
 */
int sto_tool_read_edges(struct sto_lun *lun, size_t bytes, struct sto_edge *ret_head,
                        struct sto_edge *ret_tail, struct hw_error *error);

/* The layout of an identified LUN; errors of reading, or of sto_layout_parse(). */
int sto_tool_read_layout(struct sto_lun *lun, struct sto_layout *ret_layout,
                         struct hw_error *error);

/* What stands in hawser-meta. */
struct sto_tool_meta {
    int meta_rc; /* 0, or as sto_meta_choose() */
    bool meta_damaged;
    struct sto_meta meta;
    int record_rc; /* 0, or as sto_record_choose() */
    bool record_damaged;
    struct sto_record record;
    unsigned history_count;
    struct sto_record history[STO_RECORD_RING];
};

/* Read hawser-meta: 0, with a verdict on each part in `ret_meta`; or -errno of reading. */
int sto_tool_read_meta(struct sto_lun *lun, const struct sto_layout *layout,
                       struct sto_tool_meta *ret_meta, struct hw_error *error);

/* Write both copies of the LUN description, the second after the first is durable. */
int sto_tool_write_meta(struct sto_lun *lun, const struct sto_layout *layout,
                        const struct sto_meta *meta, struct hw_error *error);

/* Write both copies of the ownership record of a LUN that has none yet, and clear its ring. */
int sto_tool_write_first_record(struct sto_lun *lun, const struct sto_layout *layout,
                                const struct sto_record *record, struct hw_error *error);

#endif
