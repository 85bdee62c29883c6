/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk of the server: requests of its back end (vh_back.h) become requests of its LUN's gate, in
 * the window of its area, and their results become the guest's status. A request that ended without
 * an outcome while the LUNs are not ours any more is answered to nobody: it goes out again when
 * they are, or ends with the process.
 */
#include "config.h"

#include "storage/serve/sv_server_priv.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "storage/serve/sv_socket.h"
#include "storage/serve/sv_text.h"
#include "storage/vhost/vh_back.h"

struct sv_disk {
    struct sv_server *server;
    unsigned index;
    const struct sv_disk_config *config;
    struct vh_back *back;
    struct sv_lun *lun;
    struct sto_window window;
    uint32_t block_bytes;
    bool ready;
    struct disk_request *parked_first, *parked_last; /* without an outcome, oldest first */
};

/* Behind each vh_request. */
struct disk_request {
    struct sto_request request;
    struct vh_request *from;
    struct sv_disk *disk;
    struct disk_request *next;
    bool abandoned;
    bool header; /* it writes a saved-state slot */
    bool shuts;  /* and sv_saved_shut() was told */
};

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
    if (!sv_job_unsettled(rc)) /* or the guest would be told an error that is none */
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

static void request_came(void *context, struct vh_request *from)
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

static void request_abandoned(void *context, struct vh_request *from)
{
    struct disk_request *request = from->owner;

    request->abandoned = true;
    if (unpark(context, request))
        finish(request, VH_BLK_IOERR, false);
    else
        sv_lun_abandon(request->disk->lun, &request->request);
}

static int32_t ready(int32_t fd, int32_t revents, void *data)
{
    struct sv_disk *disk = data;

    sv_lun_gather(disk->lun);
    vh_back_service(disk->back, fd, (short)revents);
    sv_lun_hand_over(disk->lun);
    server_settle(disk->server);
    return 0;
}

static void watch(void *context, int fd, short events)
{
    struct sv_disk *disk = context;
    qb_loop_t *loop = disk->server->loop;

    if (events == 0)
        (void)qb_loop_poll_del(loop, fd);
    else if (qb_loop_poll_mod(loop, QB_LOOP_HIGH, fd, events, disk, ready) < 0)
        (void)qb_loop_poll_add(loop, QB_LOOP_HIGH, fd, events, disk, ready);
}

static void tell(void *context, bool connected, const char *text)
{
    struct sv_disk *disk = context;

    server_tell(
        disk->server, connected ? "client" : "client-gone",
        json_pack("{s:o, s:o}", "socket", sv_text(disk->config->socket), "text", sv_text(text)));
}

int server_disk_new(struct sv_server *server, unsigned index, struct sv_disk **ret_disk,
                    struct hw_error *error)
{
    struct sv_disk *disk = calloc(1, sizeof(*disk));
    int listener, rc;

    if (disk == NULL)
        return hw_error_set(error, HW_ERROR_FAILED, ENOMEM, "memory", "ran out", "");
    disk->server = server;
    disk->index = index;
    disk->config = &server->config->disks[index];
    disk->lun = server->luns[server->disk_luns[index]].lun;
    rc = sv_socket_listen(disk->config->socket, SOCK_STREAM, server->config->front_end_uid,
                          &listener, error);
    if (rc == 0) {
        const struct vh_back_callbacks callbacks = { .request = request_came,
                                                     .abandon = request_abandoned,
                                                     .watch = watch,
                                                     .tell = tell,
                                                     .context = disk };

        rc = vh_back_new(listener, sizeof(struct disk_request), &callbacks, &disk->back);
        if (rc < 0)
            (void)vh_events_error(rc, error);
    }
    if (rc < 0) {
        free(disk);
        return rc;
    }
    *ret_disk = disk;
    return 0;
}

void server_disk_free(struct sv_disk *disk)
{
    if (disk == NULL)
        return;
    while (disk->parked_first != NULL) {
        struct disk_request *request = disk->parked_first;

        disk->parked_first = request->next;
        vh_request_done(request->from, VH_BLK_IOERR, false);
    }
    vh_back_free(disk->back);
    free(disk);
}

/* The name that the guest reads: enough to tell LUNs apart, and steady. */
static void name(const struct sto_facts *facts, char id[VH_BLK_ID_BYTES])
{
    const char *from = facts->serial[0] != '\0' ? facts->serial : facts->wwid;
    const size_t bytes = strlen(from);

    memset(id, 0, VH_BLK_ID_BYTES);
    memcpy(id, bytes > VH_BLK_ID_BYTES ? from + bytes - VH_BLK_ID_BYTES : from,
           bytes > VH_BLK_ID_BYTES ? VH_BLK_ID_BYTES : bytes);
}

int server_disk_ready(struct sv_disk *disk, struct hw_error *error)
{
    const struct sto_facts *facts = sv_lun_facts(disk->lun);
    const bool discard = sv_lun_may_discard(disk->lun);
    struct vh_blk_device device = { .block_bytes = facts->block_bytes,
                                    .physical_block_bytes = facts->physical_block_bytes,
                                    .optimal_bytes = facts->optimal_transfer_bytes,
                                    .queues = VH_QUEUES,
                                    .read_only = disk->config->read_only || facts->read_only,
                                    .discard = discard && !disk->config->state,
                                    .write_zeroes = discard && !disk->config->state };
    int rc;

    if (disk->ready)
        return 0;
    rc = sv_lun_window(disk->lun, &disk->config->url, &disk->window, error);
    if (rc < 0)
        return rc;
    device.sectors = disk->window.size_bytes / VH_SECTOR_BYTES;
    name(facts, device.id);
    disk->ready = true;
    if (disk->config->state) {
        rc = sv_saved_init(&disk->server->saved, sv_lun_submit_to, disk->lun,
                           disk->window.offset_bytes, facts->block_bytes, server_saved_looked,
                           disk->server);
        if (rc < 0)
            return hw_error_set(error, HW_ERROR_FAILED, ENOMEM, "memory", "ran out", "");
        disk->server->saved_ready = true;
        server_look(disk->server);
    }
    vh_back_ready(disk->back, &device);
    return 0;
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

bool server_disk_attached(const struct sv_disk *disk, bool *ret_waits)
{
    const struct vh_back_stats stats = vh_back_stats(disk->back);

    *ret_waits = stats.waiting;
    return stats.running;
}

unsigned server_disk_in_flight(const struct sv_disk *disk)
{
    return vh_back_in_flight(disk->back);
}

json_t *server_disk_statistics(const struct sv_disk *disk)
{
    struct vh_back_stats stats = vh_back_stats(disk->back);

    return json_pack("{s:o, s:I, s:I, s:I, s:I, s:i, s:i, s:b, s:b}", "socket",
                     sv_text(disk->config->socket), "requests", (json_int_t)stats.requests,
                     "read-bytes", (json_int_t)stats.bytes_read, "written-bytes",
                     (json_int_t)stats.bytes_written, "refused", (json_int_t)stats.refused,
                     "clients", (int)stats.clients, "in-flight", (int)stats.in_flight, "running",
                     stats.running, "waiting", stats.waiting);
}

void server_disk_settle(struct sv_disk *disk)
{
    if (disk != NULL)
        vh_back_flush(disk->back);
}
