/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk of the server: requests of its back end (vh_back.h) become requests of its LUN's gate, in
 * the window of its area, and their results become the guest's status. A request that ended without
 * an outcome while the LUNs are not ours any more is answered to nobody: it goes out again when
 * they are, or ends with the process.
 */
#include "config.h"

#include "storage/serve/sv_disk_priv.h"

#include <errno.h>
#include <string.h>

static void submit(struct disk_request *request);

static void park(struct disk_request *request)
{
    struct sv_disk *disk = request->disk;

    request->next = NULL;
    if (disk->parked_last != NULL)
        disk->parked_last->next = request;
    else
        disk->parked_first = request;
    disk->parked_last = request;
}

static enum vh_blk_status status_of(enum sto_rc rc)
{
    return rc == STO_OK ? VH_BLK_OK : rc == STO_UNSUPPORTED ? VH_BLK_UNSUPP : VH_BLK_IOERR;
}

/* A write of a header is over, whatever came of it. */
static void header_ended(struct disk_request *request)
{
    struct sv_saved *saved = &request->disk->server->saved;

    if (request->shuts)
        sv_saved_shut_end(saved);
    else if (request->header)
        sv_saved_look(saved);
    request->header = request->shuts = false;
}

static void finish(struct disk_request *request, enum vh_blk_status status, bool told)
{
    header_ended(request);
    vh_request_done(request->from, status, told);
}

static void request_done(struct sto_request *sto)
{
    struct disk_request *request = sto->context;
    enum sto_rc rc = sto->op.result.rc;

    if (rc == STO_UNSUPPORTED && sto->op.kind == STO_OP_FLUSH)
        rc = STO_OK; /* no cache, nothing to flush */
    if (rc == STO_UNSUPPORTED && sto->op.kind == STO_OP_DISCARD)
        rc = STO_OK;           /* a hint that nobody takes (virtio 1.2 5.2.6.2) */
    if (!sto_rc_unsettled(rc)) /* or the guest would be told an error that is none */
        finish(request, status_of(rc), true);
    else if (request->abandoned)
        finish(request, VH_BLK_IOERR, false);
    else
        park(request);
}

static enum sto_op_kind kind_of(const struct vh_request *from)
{
    switch (from->type) {
    case VH_BLK_OUT:
        return STO_OP_WRITE;
    case VH_BLK_FLUSH:
        return STO_OP_FLUSH;
    case VH_BLK_DISCARD:
        return STO_OP_DISCARD;
    case VH_BLK_WRITE_ZEROES:
        return STO_OP_WRITE_ZEROES;
    case VH_BLK_IN:
    case VH_BLK_GET_ID:
        break;
    }
    return STO_OP_READ;
}

/* A header of the saved state shuts the disks before it can be on the LUN. */
static void watch_header(struct disk_request *request)
{
    struct sv_server *server = request->disk->server;
    const struct vh_request *from = request->from;
    enum sv_saved_write found;

    if (!request->disk->config->state || request->header)
        return; /* or it was watched before it was parked */
    if (from->type == VH_BLK_OUT)
        found = sv_saved_judge_write(from->sector * VH_SECTOR_BYTES,
                                     from->sectors * VH_SECTOR_BYTES, from->iov, from->iov_count);
    else if (from->type == VH_BLK_DISCARD || from->type == VH_BLK_WRITE_ZEROES)
        found = sv_saved_judge_write(from->sector * VH_SECTOR_BYTES,
                                     from->sectors * VH_SECTOR_BYTES, NULL, 0);
    else
        return;
    request->header = found != SV_SAVED_NOT_A_HEADER;
    request->shuts = found == SV_SAVED_SHUTS;
    if (request->shuts) {
        sv_saved_shut(&server->saved);
        server_judge(server);
    }
}

static void fill_op(struct disk_request *request)
{
    const struct vh_request *from = request->from;
    struct sto_op *op = &request->request.op;

    memset(&request->request, 0, sizeof(request->request));
    op->kind = kind_of(from);
    if (op->kind != STO_OP_FLUSH) {
        op->offset_bytes = request->disk->window.offset_bytes + from->sector * VH_SECTOR_BYTES;
        op->iov = from->iov;
        op->iov_count = from->iov_count;
    }
    if (op->kind == STO_OP_DISCARD || op->kind == STO_OP_WRITE_ZEROES)
        op->length_bytes = from->sectors * VH_SECTOR_BYTES;
    request->request.done = request_done;
    request->request.context = request;
}

static void submit(struct disk_request *request)
{
    int rc;

    if (request->abandoned) {
        finish(request, VH_BLK_IOERR, false);
        return;
    }
    watch_header(request);
    fill_op(request);
    rc = sv_lun_submit(request->disk->lun, &request->request);
    if (rc == -ESHUTDOWN)
        park(request); /* the LUN is lost: it waits, and ends with the process */
    else if (rc < 0)
        finish(request, VH_BLK_IOERR, true);
}

void disk_request_came(void *context, struct vh_request *from)
{
    struct disk_request *request = from->owner;

    request->from = from;
    request->disk = context;
    request->abandoned = request->header = request->shuts = false;
    if ((from->type == VH_BLK_DISCARD || from->type == VH_BLK_WRITE_ZEROES) && from->sectors == 0)
        vh_request_done(from, VH_BLK_OK, true);
    else
        submit(request);
}

static bool unpark(struct sv_disk *disk, struct disk_request *request)
{
    struct disk_request *before = NULL, *at = disk->parked_first;

    while (at != NULL && at != request) {
        before = at;
        at = at->next;
    }
    if (at == NULL)
        return false;
    if (before != NULL)
        before->next = at->next;
    else
        disk->parked_first = at->next;
    if (disk->parked_last == at)
        disk->parked_last = before;
    return true;
}

void disk_request_abandoned(void *context, struct vh_request *from)
{
    struct disk_request *request = from->owner;

    request->abandoned = true;
    if (unpark(context, request))
        finish(request, VH_BLK_IOERR, false);
    else
        sv_lun_abandon(request->disk->lun, &request->request);
}

void server_disk_hold(struct sv_disk *disk, bool hold)
{
    if (disk != NULL)
        vh_back_hold(disk->back, hold);
}

void server_disk_retry(struct sv_disk *disk)
{
    struct disk_request *request = disk == NULL ? NULL : disk->parked_first;

    if (request == NULL)
        return;
    disk->parked_first = disk->parked_last = NULL;
    while (request != NULL) {
        struct disk_request *next = request->next;

        submit(request);
        request = next;
    }
}

void server_disk_settle(struct sv_disk *disk)
{
    if (disk != NULL)
        vh_back_flush(disk->back);
}
