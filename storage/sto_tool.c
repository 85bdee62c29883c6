/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocking operations for tools: one at a time, in pieces that the LUN takes, with words.
 */
#include "config.h"

#include "storage/sto_tool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "storage/sto_sense.h"

enum {
    ATTENTIONS_MAX = 32,
    BUSY_MAX = 20,
    BUSY_WAIT_NS = 100 * 1000 * 1000,
    PIECE_BYTES = 1024 * 1024,
    PAGE_BYTES = 4096,
    NS_PER_MS = 1000000,
};

/* --- words --- */

static bool is_scheme(const struct sto_lun *lun, const char *scheme)
{
    return strncmp(sto_lun_name(lun), scheme, strlen(scheme)) == 0;
}

static const char *refused_remedy(const struct sto_lun *lun)
{
    if (is_scheme(lun, "file:"))
        return "check the path, and that it is a file that you may read and write";
    return is_scheme(lun, "block:")
               ? "check the path, and that it is a whole disk that nothing uses"
               : "check the target's name, its access list and the secret file";
}

static int no_space(const struct sto_lun *lun, const char *doing, struct hw_error *error)
{
    const bool file = is_scheme(lun, "file:");

    return hw_error_setf(error, HW_ERROR_FAILED, ENOSPC, sto_lun_name(lun),
                         file ? "free some space there" : "give the target's pool space",
                         "cannot %s: the %s has no space left", doing,
                         file ? "file system" : "thin LUN");
}

static int fail_with_words(const struct sto_lun *lun, const char *doing,
                           const struct sto_result *result, struct hw_error *error)
{
    const char *words = result->detail[0] != '\0'
                            ? result->detail
                            : sto_sense_words(result->sense_key, result->asc_ascq);

    return hw_error_setf(error, HW_ERROR_FAILED, EIO, sto_lun_name(lun), "see the target's log",
                         "cannot %s: %s%s%s", doing, sto_rc_name(result->rc),
                         words != NULL ? ", " : "", words != NULL ? words : "");
}

int sto_tool_fail(const struct sto_lun *lun, const char *doing, const struct sto_result *result,
                  struct hw_error *error)
{
    const char *name = sto_lun_name(lun);

    switch (result->rc) {
    case STO_CONFLICT:
        return hw_error_setf(
            error, HW_ERROR_REFUSED, EBADE, name,
            "see its owner with 'hawser lun show'; 'hawser lun takeover' takes it away",
            "cannot %s: reserved by another node", doing);
    case STO_READ_ONLY:
        return hw_error_setf(error, HW_ERROR_REFUSED, EROFS, name,
                             "make it writable on the target, or use another LUN",
                             "cannot %s: the LUN is read-only", doing);
    case STO_NO_SPACE:
        return no_space(lun, doing, error);
    case STO_UNSUPPORTED:
        return hw_error_setf(error, HW_ERROR_FAILED, EOPNOTSUPP, name, "",
                             "cannot %s: the target does not know this command", doing);
    case STO_UNKNOWN:
        return hw_error_setf(error, HW_ERROR_TIMED_OUT, ETIMEDOUT, name,
                             "see whether the target answers, then look at the LUN again",
                             "%s was not answered: it may or may not have been done%s%s", doing,
                             result->detail[0] != '\0' ? ", " : "", result->detail);
    default:
        return fail_with_words(lun, doing, result, error);
    }
}

int sto_tool_login(struct sto_lun *lun, enum sto_session session, struct hw_error *error)
{
    struct sto_op op = { .kind = STO_OP_LOGIN, .session = session };
    const char *detail = op.result.detail;
    bool late;
    int rc = sto_run_op(lun, &op);

    if (rc < 0)
        return hw_error_set(error, HW_ERROR_FAILED, -rc, sto_lun_name(lun), "cannot be opened", "");
    if (op.result.rc == STO_OK)
        return 0;
    if (op.result.rc == STO_BUSY)
        return hw_error_set(error, HW_ERROR_REFUSED, EBUSY, sto_lun_name(lun), detail,
                            "stop that process, or choose another file");
    if (op.result.rc == STO_LOGIN_REFUSED)
        return hw_error_set(error, HW_ERROR_FAILED, EACCES, sto_lun_name(lun),
                            detail[0] != '\0' ? detail : "login refused", refused_remedy(lun));
    late = strstr(detail, "no answer") != NULL;
    late |= op.deadline_ns != 0 && op.result.done_ns >= op.deadline_ns - NS_PER_MS;
    return hw_error_set(error, late ? HW_ERROR_TIMED_OUT : HW_ERROR_FAILED,
                        late ? ETIMEDOUT : EHOSTUNREACH, sto_lun_name(lun),
                        detail[0] != '\0' ? detail : "cannot be reached",
                        is_scheme(lun, "iscsi:") ? "check the address and that the target is up"
                                                 : "check the path, and that its disk is there");
}

/* --- running --- */

static void wait_a_little(void)
{
    const struct timespec little = { .tv_nsec = BUSY_WAIT_NS };

    (void)nanosleep(&little, NULL);
}

/* Whether it may be sent again after a part of it was executed. */
static bool may_repeat(const struct sto_op *op)
{
    return op->kind == STO_OP_READ || op->kind == STO_OP_WRITE || op->kind == STO_OP_FLUSH ||
           (op->kind == STO_OP_SCSI && op->direction != STO_DIRECTION_OUT);
}

int sto_tool_run(struct sto_lun *lun, struct sto_op *op)
{
    unsigned attentions = 0, busy = 0, aborts = 1;

    for (;;) {
        int rc = sto_run_op(lun, op);

        if (rc < 0)
            return rc;
        if (op->result.rc == STO_UNIT_ATTENTION && attentions++ < ATTENTIONS_MAX)
            continue;
        if (op->result.rc == STO_ABORTED && may_repeat(op) && aborts++ < STO_ABORTS_MAX)
            continue;
        if (op->result.rc != STO_BUSY || busy++ >= BUSY_MAX)
            return 0;
        wait_a_little();
    }
}

/* Run and want STO_OK. */
static int run_well(struct sto_lun *lun, struct sto_op *op, const char *doing,
                    struct hw_error *error)
{
    int rc = sto_tool_run(lun, op);

    if (rc == -EROFS)
        return hw_error_setf(error, HW_ERROR_REFUSED, EROFS, sto_lun_name(lun),
                             "make it writable on the target, or use another LUN",
                             "cannot %s: the LUN is read-only", doing);
    if (rc < 0)
        return hw_error_setf(error, HW_ERROR_FAILED, -rc, sto_lun_name(lun), "", "cannot %s: %s",
                             doing, strerror(-rc));
    if (op->kind == STO_OP_SCSI && op->result.rc == STO_SHORT)
        return 0; /* the answer is shorter than the room for it, as most are */
    return op->result.rc == STO_OK ? 0 : sto_tool_fail(lun, doing, &op->result, error);
}

static size_t piece_bytes(const struct sto_lun *lun, size_t left)
{
    const struct sto_facts *facts = sto_lun_facts(lun);
    size_t most = PIECE_BYTES;

    if (facts != NULL && facts->max_transfer_bytes >= PAGE_BYTES &&
        facts->max_transfer_bytes < most)
        most = facts->max_transfer_bytes / PAGE_BYTES * PAGE_BYTES;
    return left < most ? left : most;
}

static int transfer(struct sto_lun *lun, enum sto_op_kind kind, uint64_t offset, uint8_t *data,
                    size_t bytes, struct hw_error *error)
{
    int rc = 0;

    while (rc == 0 && bytes > 0) {
        struct iovec iov = { .iov_base = data, .iov_len = piece_bytes(lun, bytes) };
        struct sto_op op = { .kind = kind, .offset_bytes = offset, .iov = &iov, .iov_count = 1 };

        rc = run_well(lun, &op, kind == STO_OP_READ ? "read" : "write", error);
        data += iov.iov_len;
        offset += iov.iov_len;
        bytes -= iov.iov_len;
    }
    return rc;
}

int sto_tool_read(struct sto_lun *lun, uint64_t offset_bytes, void *ret_data, size_t bytes,
                  struct hw_error *error)
{
    return transfer(lun, STO_OP_READ, offset_bytes, ret_data, bytes, error);
}

int sto_tool_write(struct sto_lun *lun, uint64_t offset_bytes, const void *data, size_t bytes,
                   struct hw_error *error)
{
    return transfer(lun, STO_OP_WRITE, offset_bytes, (uint8_t *)(uintptr_t)data, bytes, error);
}

int sto_tool_flush(struct sto_lun *lun, struct hw_error *error)
{
    struct sto_op op = { .kind = STO_OP_FLUSH };

    return run_well(lun, &op, "flush", error);
}

/* --- reservations --- */

static int pr_in(struct sto_lun *lun, enum sto_pr_in action, void *answer, uint16_t bytes,
                 size_t *ret_bytes, struct hw_error *error)
{
    struct iovec iov = { .iov_base = answer, .iov_len = bytes };
    struct sto_op op = {
        .kind = STO_OP_SCSI, .direction = STO_DIRECTION_IN, .iov = &iov, .iov_count = 1
    };
    const struct sto_facts *facts = sto_lun_facts(lun);
    int rc;

    if (facts != NULL && (!facts->scsi || !facts->reservations))
        return hw_error_set(error, HW_ERROR_REFUSED, EOPNOTSUPP, sto_lun_name(lun),
                            "has no persistent reservations",
                            "use a LUN of a target that offers them");
    op.cdb_bytes = sto_pr_in_cdb(action, bytes, op.cdb);
    rc = run_well(lun, &op, "read its reservations", error);
    *ret_bytes = op.result.transferred_bytes < bytes ? (size_t)op.result.transferred_bytes : bytes;
    return rc;
}

static int not_understood(const struct sto_lun *lun, int rc, const char *what,
                          struct hw_error *error)
{
    return hw_error_setf(error, HW_ERROR_FAILED, -rc, sto_lun_name(lun), "see the target's log",
                         "its answer to %s cannot be understood", what);
}

int sto_tool_read_keys(struct sto_lun *lun, struct sto_pr_keys *ret_keys, struct hw_error *error)
{
    uint8_t answer[STO_PR_KEYS_ANSWER_BYTES];
    size_t bytes = 0;
    int rc = pr_in(lun, STO_PR_READ_KEYS, answer, sizeof(answer), &bytes, error);

    if (rc < 0)
        return rc;
    rc = sto_pr_decode_keys(answer, bytes, ret_keys);
    return rc < 0 ? not_understood(lun, rc, "READ KEYS", error) : 0;
}

int sto_tool_read_reservation(struct sto_lun *lun, struct sto_pr_reservation *ret_reservation,
                              struct hw_error *error)
{
    uint8_t answer[STO_PR_RESERVATION_ANSWER_BYTES];
    size_t bytes = 0;
    int rc = pr_in(lun, STO_PR_READ_RESERVATION, answer, sizeof(answer), &bytes, error);

    if (rc < 0)
        return rc;
    rc = sto_pr_decode_reservation(answer, bytes, ret_reservation);
    return rc < 0 ? not_understood(lun, rc, "READ RESERVATION", error) : 0;
}

/* --- layout and meta --- */

static void *page_aligned(size_t bytes)
{
    size_t whole = (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    void *memory = aligned_alloc(PAGE_BYTES, whole);

    if (memory != NULL)
        memset(memory, 0, whole);
    return memory;
}

static int out_of_memory(const struct sto_lun *lun, struct hw_error *error)
{
    return hw_error_set(error, HW_ERROR_FAILED, ENOMEM, sto_lun_name(lun), "out of memory", "");
}

int sto_tool_read_edges(struct sto_lun *lun, size_t bytes, struct sto_edge *ret_head,
                        struct sto_edge *ret_tail, struct hw_error *error)
{
    const struct sto_facts *facts = sto_lun_facts(lun);
    uint8_t *data;
    int rc;

    if (facts == NULL)
        return hw_error_set(error, HW_ERROR_REFUSED, EBADE, sto_lun_name(lun),
                            "another node holds it exclusively: it cannot be read", NULL);
    if (facts->capacity_bytes < bytes)
        bytes = (size_t)facts->capacity_bytes;
    data = page_aligned(2 * bytes + PAGE_BYTES);
    if (data == NULL)
        return out_of_memory(lun, error);
    *ret_head = (struct sto_edge) { data, bytes, 0 };
    *ret_tail = (struct sto_edge) { data + (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES,
                                    bytes, facts->capacity_bytes - bytes };
    rc = sto_tool_read(lun, 0, data, bytes, error);
    if (rc == 0)
        rc = sto_tool_read(lun, ret_tail->offset_bytes, (uint8_t *)(uintptr_t)ret_tail->data, bytes,
                           error);
    if (rc < 0)
        free(data);
    return rc;
}

int sto_tool_read_layout(struct sto_lun *lun, struct sto_layout *ret_layout, struct hw_error *error)
{
    const struct sto_facts *facts = sto_lun_facts(lun);
    struct sto_edge head, tail;
    int rc = sto_tool_read_edges(lun, STO_LAYOUT_EDGE_BYTES, &head, &tail, error);

    if (rc < 0)
        return rc;
    rc = sto_layout_parse(sto_lun_name(lun), &head, &tail, facts->capacity_bytes,
                          facts->block_bytes, ret_layout, error);
    free((void *)(uintptr_t)head.data);
    return rc;
}

int sto_tool_read_meta(struct sto_lun *lun, const struct sto_layout *layout,
                       struct sto_tool_meta *ret_meta, struct hw_error *error)
{
    const size_t bytes = STO_LAYOUT_DESCRIPTION_COPY_OFFSET_BYTES + PAGE_BYTES;
    uint8_t *area = page_aligned(bytes);
    int rc;

    if (area == NULL)
        return out_of_memory(lun, error);
    memset(ret_meta, 0, sizeof(*ret_meta));
    rc = sto_tool_read(lun, layout->meta.offset_bytes, area, bytes, error);
    if (rc == 0) {
        ret_meta->meta_rc = sto_meta_choose(area + STO_LAYOUT_DESCRIPTION_OFFSET_BYTES,
                                            area + STO_LAYOUT_DESCRIPTION_COPY_OFFSET_BYTES,
                                            &ret_meta->meta, &ret_meta->meta_damaged);
        ret_meta->record_rc = sto_record_choose(area, STO_RECORD_AREA_BYTES, &ret_meta->record,
                                                &ret_meta->record_damaged);
        ret_meta->history_count =
            sto_record_history(area, STO_RECORD_AREA_BYTES, ret_meta->history);
    }
    free(area);
    return rc;
}

/* One sector at the start of a zeroed page, written and made durable. */
static int write_page(struct sto_lun *lun, uint64_t offset, const uint8_t *sector, size_t bytes,
                      struct hw_error *error)
{
    uint8_t *page = page_aligned(PAGE_BYTES);
    int rc;

    if (page == NULL)
        return out_of_memory(lun, error);
    memcpy(page, sector, bytes);
    rc = sto_tool_write(lun, offset, page, PAGE_BYTES, error);
    free(page);
    return rc < 0 ? rc : sto_tool_flush(lun, error);
}

int sto_tool_write_meta(struct sto_lun *lun, const struct sto_layout *layout,
                        const struct sto_meta *meta, struct hw_error *error)
{
    uint8_t sector[STO_META_BYTES];
    int rc;

    sto_meta_encode(meta, sector);
    rc = write_page(lun, layout->meta.offset_bytes + STO_LAYOUT_DESCRIPTION_OFFSET_BYTES, sector,
                    sizeof(sector), error);
    if (rc == 0)
        rc = write_page(lun, layout->meta.offset_bytes + STO_LAYOUT_DESCRIPTION_COPY_OFFSET_BYTES,
                        sector, sizeof(sector), error);
    return rc;
}

int sto_tool_write_first_record(struct sto_lun *lun, const struct sto_layout *layout,
                                const struct sto_record *record, struct hw_error *error)
{
    uint8_t *area = page_aligned(STO_RECORD_AREA_BYTES);
    int rc;

    if (area == NULL)
        return out_of_memory(lun, error);
    sto_record_encode(record, area);
    sto_record_encode(record, area + STO_RECORD_PAGE_BYTES);
    rc = sto_tool_write(lun, layout->meta.offset_bytes, area, STO_RECORD_AREA_BYTES, error);
    free(area);
    return rc < 0 ? rc : sto_tool_flush(lun, error);
}
