/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The checked front of LUN access: picks the backend, judges every operation before a backend
 * sees it, counts what is in flight. Decides nothing about ownership, retries nothing.
 */
#include "config.h"

#include "storage/sto_lun_priv.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "storage/sto_fault.h"

enum { CONNECT_MS = 5000, IO_TIMEOUT_MS = 30000, NOP_MS = 1000, IOV_MAX_COUNT = 1024 };
enum { NS_PER_MS = 1000000 };

/* --- making and ending --- */

/* One line per scheme. */
static const struct sto_lun_ops *const backends[] = {
    &sto_iscsi_ops,
    &sto_file_ops,
    &sto_block_ops,
};

static const char *scheme_name(enum sto_scheme scheme)
{
    switch (scheme) {
    case STO_SCHEME_ISCSI:
        return "iscsi";
    case STO_SCHEME_BLOCK:
        return "block";
    case STO_SCHEME_FILE:
        return "file";
    default:
        return "?";
    }
}

static const struct sto_lun_ops *find_backend(enum sto_scheme scheme)
{
    for (size_t i = 0; i < sizeof(backends) / sizeof(backends[0]); i++)
        if (strcmp(backends[i]->scheme, scheme_name(scheme)) == 0)
            return backends[i];
    return NULL;
}

static struct sto_lun_options with_defaults(const struct sto_lun_options *options)
{
    struct sto_lun_options filled = { 0 };

    if (options != NULL)
        filled = *options;
    if (filled.connect_ms == 0)
        filled.connect_ms = CONNECT_MS;
    if (filled.io_timeout_ms == 0)
        filled.io_timeout_ms = IO_TIMEOUT_MS;
    if (filled.nop_ms == 0)
        filled.nop_ms = NOP_MS;
    if (filled.clock == NULL)
        filled.clock = hw_clock_boottime();
    return filled;
}

/* The fields that every backend has. */
static int fill_base(struct sto_lun *lun, const struct sto_url *url,
                     const struct sto_lun_options *options)
{
    char name[STO_URL_BYTES];

    lun->clock = options->clock;
    lun->notify = options->notify;
    lun->read_only = options->read_only;
    lun->io_timeout_ms = options->io_timeout_ms;
    lun->connect_ms = options->connect_ms;
    if (sto_url_print(url, name, sizeof(name)) < 0)
        return -EINVAL;
    lun->name = strdup(name);
    return lun->name != NULL ? 0 : -ENOMEM;
}

int sto_lun_open(const struct sto_url *url, const struct sto_lun_options *options,
                 struct sto_lun **ret_lun, struct hw_error *error)
{
    const struct sto_lun_ops *backend = find_backend(url->scheme);
    struct sto_lun_options filled = with_defaults(options);
    struct sto_lun *lun = NULL;
    int rc;

    if (backend == NULL)
        return hw_error_set(error, HW_ERROR_REFUSED, ENOTSUP, scheme_name(url->scheme),
                            "this kind of LUN is not supported by this build",
                            "use iscsi: or file:");
    rc = backend->open(url, &filled, &lun, error);
    if (rc < 0)
        return rc;
    rc = fill_base(lun, url, &filled);
    if (rc == 0 && url->fault[0] != '\0')
        rc = sto_fault_wrap(lun, url->fault, &lun, error);
    if (rc < 0) {
        sto_lun_close(lun);
        return hw_error_set(error, HW_ERROR_FAILED, -rc, "LUN", "cannot be opened", NULL);
    }
    *ret_lun = lun;
    return 0;
}

void sto_lun_close(struct sto_lun *lun)
{
    char *name;

    if (lun == NULL)
        return;
    name = lun->name;
    lun->ops->close(lun);
    free(name);
}

void sto_lun_drop(struct sto_lun *lun, enum sto_session session)
{
    if (session < STO_SESSIONS)
        lun->ops->drop(lun, session);
}

void sto_lun_set_lease(struct sto_lun *lun, const _Atomic int64_t *until_ns)
{
    lun->lease_until_ns = until_ns;
}

void sto_lun_set_expiry(struct sto_lun *lun, int64_t until_ns)
{
    lun->expiry_ns = until_ns == INT64_MAX ? 0 : until_ns;
}

bool sto_lun_lease_over(const struct sto_lun *lun)
{
    int64_t now_ns;

    if (lun->lease_until_ns == NULL && lun->expiry_ns == 0)
        return false;
    now_ns = hw_clock_now_ns(lun->clock);
    return (lun->lease_until_ns != NULL && now_ns >= atomic_load(lun->lease_until_ns)) ||
           (lun->expiry_ns != 0 && now_ns >= lun->expiry_ns);
}

/* --- judging an operation --- */

static int sum_iov(const struct sto_op *op, uint64_t *ret_bytes)
{
    uint64_t sum = 0;

    if (op->iov_count > IOV_MAX_COUNT || (op->iov_count > 0 && op->iov == NULL))
        return -EINVAL;
    for (unsigned i = 0; i < op->iov_count; i++)
        if (__builtin_add_overflow(sum, op->iov[i].iov_len, &sum) || sum > INT32_MAX)
            return -EINVAL;
    *ret_bytes = sum;
    return 0;
}

/* A range of blocks that lies in the LUN. Needs the facts. */
static int check_range(const struct sto_lun *lun, uint64_t offset_bytes, uint64_t length_bytes)
{
    uint64_t end;

    if (!lun->facts_known || length_bytes == 0 || offset_bytes % lun->facts.block_bytes != 0 ||
        length_bytes % lun->facts.block_bytes != 0)
        return -EINVAL;
    if (__builtin_add_overflow(offset_bytes, length_bytes, &end) || end > lun->facts.capacity_bytes)
        return -EINVAL;
    return 0;
}

static int check_transfer(const struct sto_lun *lun, const struct sto_op *op)
{
    uint64_t limit = lun->facts.max_transfer_bytes;
    int rc = check_range(lun, op->offset_bytes, op->length_bytes);

    if (rc < 0)
        return rc;
    return limit != 0 && op->length_bytes > limit ? -EINVAL : 0;
}

static int check_compare_and_write(const struct sto_lun *lun, const struct sto_op *op)
{
    uint64_t blocks;

    if (!lun->facts_known || op->length_bytes == 0 ||
        op->length_bytes % (2 * (uint64_t)lun->facts.block_bytes) != 0)
        return -EINVAL;
    blocks = op->length_bytes / 2 / lun->facts.block_bytes;
    if (blocks > UINT8_MAX)
        return -EINVAL;
    return check_range(lun, op->offset_bytes, op->length_bytes / 2);
}

static int check_scsi(const struct sto_op *op)
{
    bool data = op->length_bytes > 0;

    if (op->cdb_bytes != 6 && op->cdb_bytes != 10 && op->cdb_bytes != 12 && op->cdb_bytes != 16)
        return -EINVAL;
    return data != (op->direction != STO_DIRECTION_NONE) ? -EINVAL : 0;
}

static bool changes_data(enum sto_op_kind kind)
{
    return kind == STO_OP_WRITE || kind == STO_OP_DISCARD || kind == STO_OP_WRITE_ZEROES ||
           kind == STO_OP_COMPARE_AND_WRITE;
}

static int check_op(const struct sto_lun *lun, struct sto_op *op)
{
    uint64_t sum;
    int rc = sum_iov(op, &sum);

    if (rc < 0 || op->done == NULL || (unsigned)op->session >= STO_SESSIONS)
        return -EINVAL;
    if (changes_data(op->kind) && lun->read_only)
        return -EROFS;
    switch (op->kind) {
    case STO_OP_READ:
    case STO_OP_WRITE:
        op->length_bytes = sum;
        return check_transfer(lun, op);
    case STO_OP_COMPARE_AND_WRITE:
        op->length_bytes = sum;
        return check_compare_and_write(lun, op);
    case STO_OP_DISCARD:
    case STO_OP_WRITE_ZEROES:
        return check_range(lun, op->offset_bytes, op->length_bytes);
    case STO_OP_SCSI:
        op->length_bytes = sum;
        return check_scsi(op);
    case STO_OP_LUN_RESET:
        op->session = STO_SESSION_CONTROL;
        return 0;
    case STO_OP_LOGIN:
    case STO_OP_LOGOUT:
    case STO_OP_FLUSH:
        return 0;
    default:
        return -EINVAL;
    }
}

static uint32_t timeout_of(const struct sto_lun *lun, const struct sto_op *op)
{
    if (op->timeout_ms != 0)
        return op->timeout_ms;
    return op->kind == STO_OP_LOGIN ? lun->connect_ms : lun->io_timeout_ms;
}

int sto_lun_submit(struct sto_lun *lun, struct sto_op *op)
{
    int rc = check_op(lun, op);

    if (rc < 0)
        return rc;
    memset(&op->result, 0, sizeof(op->result));
    op->next = NULL;
    op->previous = NULL;
    op->backend = NULL;
    op->deadline_ns = hw_clock_now_ns(lun->clock) + (int64_t)timeout_of(lun, op) * NS_PER_MS;
    lun->in_flight++;
    rc = lun->ops->submit(lun, op);
    if (rc < 0)
        lun->in_flight--;
    return rc;
}

void sto_lun_complete(struct sto_lun *lun, struct sto_op *op)
{
    op->result.done_ns = hw_clock_now_ns(lun->clock);
    op->backend = NULL;
    lun->in_flight--;
    op->done(op);
}

/* --- the event loop's side --- */

int sto_lun_fd(const struct sto_lun *lun)
{
    return lun->ops->fd(lun);
}

short sto_lun_events(const struct sto_lun *lun)
{
    return lun->ops->events(lun);
}

void sto_lun_service(struct sto_lun *lun, short revents)
{
    lun->ops->service(lun, revents);
}

void sto_lun_gather(struct sto_lun *lun)
{
    lun->gathering = true;
}

void sto_lun_hand_over(struct sto_lun *lun)
{
    lun->gathering = false;
    lun->ops->hand_over(lun);
}

void sto_lun_handed_over(struct sto_lun *lun)
{
    (void)lun;
}

unsigned sto_lun_in_flight(const struct sto_lun *lun)
{
    return lun->in_flight;
}

const struct sto_facts *sto_lun_facts(const struct sto_lun *lun)
{
    return lun->facts_known ? &lun->facts : NULL;
}

const char *sto_lun_name(const struct sto_lun *lun)
{
    return lun->name;
}

const struct hw_clock *sto_lun_clock(const struct sto_lun *lun)
{
    return lun->clock;
}
