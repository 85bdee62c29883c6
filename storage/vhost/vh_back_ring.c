/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests: out of the rings, to the owner, and back. A request holds a reference of the memory
 * table it was taken from, so that a front end that changes its table, or dies, takes nothing away
 * under an operation that is still running.
 */
#include "config.h"

#include "storage/vhost/vh_back_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

/* A deliberate fault, only ever built into a test binary: a guest that moves must lose what it
 * read. */
#ifdef VH_MUTATE_NO_LOG
#define BACK_LOGS false
#else
#define BACK_LOGS true
#endif

static struct back_request *get_request(struct vh_back *back, unsigned pieces)
{
    struct back_request *request = back->free_requests;

    if (request != NULL) {
        back->free_requests = request->next;
    } else {
        request = calloc(1, sizeof(*request));
        if (request != NULL && back->owner_bytes > 0 &&
            (request->request.owner = calloc(1, back->owner_bytes)) == NULL) {
            free(request);
            request = NULL;
        }
    }
    if (request != NULL && request->room < pieces) {
        struct iovec *iov = reallocarray(request->request.iov, pieces, sizeof(*iov));

        if (iov == NULL) {
            request->next = back->free_requests;
            back->free_requests = request;
            return NULL;
        }
        request->request.iov = iov;
        request->room = pieces;
    }
    return request;
}

static void give(struct vh_queue *queue, struct back_request *request)
{
    struct vh_back *back = queue->conn->back;

    request->previous = NULL;
    request->next = back->busy_requests;
    if (request->next != NULL)
        request->next->previous = request;
    back->busy_requests = request;
    queue->conn->outstanding++;
    back->stats.requests++;
    if (request->request.type == VH_BLK_IN)
        back->stats.bytes_read += request->request.sectors * VH_SECTOR_BYTES;
    else if (request->request.type == VH_BLK_OUT)
        back->stats.bytes_written += request->request.sectors * VH_SECTOR_BYTES;
    back->callbacks.request(back->callbacks.context, &request->request);
}

static void answer(struct vh_queue *queue, uint16_t head, uint8_t *status,
                   enum vh_blk_status verdict, uint32_t written)
{
    if (status != NULL)
        *status = (uint8_t)verdict;
    vh_ring_push(&queue->ring, head, written);
    queue->answered = true;
}

/* Pages that the device wrote: the whole `in` part, the status with it. */
static void log_written(const struct vh_conn *conn, const struct vh_mem *mem,
                        const struct iovec *pieces, unsigned count, const uint8_t *status)
{
    if (!BACK_LOGS || conn->log.bits == NULL || (conn->features & VH_F_LOG_ALL) == 0)
        return;
    for (unsigned i = 0; i < count; i++)
        vh_log_mark(&conn->log, vh_mem_guest_addr(mem, pieces[i].iov_base), pieces[i].iov_len);
    if (status != NULL)
        vh_log_mark(&conn->log, vh_mem_guest_addr(mem, status), 1);
}

/* A request that ends here: refused, without bytes to move, or the device's name. */
static void answer_now(struct vh_queue *queue, const struct vh_chain *chain,
                       const struct vh_blk_request *parsed, int verdict)
{
    struct vh_conn *conn = queue->conn;

    if (verdict == VH_BLK_OK && parsed->type == VH_BLK_GET_ID)
        vh_blk_fill(chain, parsed, conn->back->device.id, VH_BLK_ID_BYTES);
    else if (verdict != VH_BLK_OK)
        conn->back->stats.refused++;
    log_written(conn, conn->mem, chain->pieces + parsed->data_at,
                parsed->type == VH_BLK_GET_ID ? parsed->data_count : 0, parsed->status);
    answer(queue, chain->head, parsed->status, (enum vh_blk_status)verdict,
           verdict == VH_BLK_OK ? parsed->in_bytes : 1);
}

/* To the owner. False: no memory; the chain is answered as an error. */
static bool hand_over(struct vh_queue *queue, const struct vh_chain *chain,
                      const struct vh_blk_request *parsed)
{
    struct vh_back *back = queue->conn->back;
    const bool data = parsed->type == VH_BLK_IN || parsed->type == VH_BLK_OUT;
    const unsigned pieces = data ? parsed->data_count : 0;
    struct back_request *request = get_request(back, pieces);

    if (request == NULL)
        return false;
    request->request.type = parsed->type;
    request->request.sector = parsed->sector;
    request->request.sectors = parsed->sectors;
    request->request.iov_count = pieces;
    if (pieces > 0)
        memcpy(request->request.iov, chain->pieces + parsed->data_at,
               pieces * sizeof(struct iovec));
    request->queue = queue;
    request->mem = vh_mem_ref(queue->conn->mem);
    request->head = chain->head;
    request->abandoned = false;
    request->status = parsed->status;
    request->in_bytes = parsed->in_bytes;
    give(queue, request);
    return true;
}

static void serve(struct vh_queue *queue, struct vh_chain *chain)
{
    struct vh_blk_request parsed = { 0 };
    int verdict = vh_blk_parse(&queue->conn->back->device, chain, &parsed);

    if (verdict < 0) {
        queue->conn->back->stats.refused++;
        answer(queue, chain->head, NULL, VH_BLK_IOERR, 0);
    } else if (verdict != VH_BLK_OK || parsed.type == VH_BLK_GET_ID) {
        answer_now(queue, chain, &parsed, verdict);
    } else if (!hand_over(queue, chain, &parsed)) {
        answer_now(queue, chain, &parsed, VH_BLK_IOERR);
    }
}

static bool may_take(const struct vh_queue *queue)
{
    return queue->started && queue->running && queue->enabled && !queue->conn->back->held &&
           !queue->conn->stale && queue->conn == queue->conn->back->active;
}

/* One chain of the ring. False: there is none, or the ring is broken. */
static bool take_one(struct vh_queue *queue)
{
    struct vh_back *back = queue->conn->back;
    struct vh_chain chain;
    int rc = vh_ring_pop(&queue->ring, &chain);

    if (rc == -EPROTO) {
        if (queue->kick_fd >= 0)
            queue->started = false;
        back->callbacks.tell(back->callbacks.context, true, "its queue is broken, and stopped");
        return false;
    }
    if (rc == -EBADMSG) {
        back->stats.refused++;
        answer(queue, chain.head, NULL, VH_BLK_IOERR, 0);
    } else if (rc != 0) {
        serve(queue, &chain);
    }
    return rc != 0;
}

/*
 * A guest that fills its ring while it is served (requests that are answered at once) must keep
 * nothing else out: a turn takes what one ring holds.
 */
void back_ring_run(struct vh_queue *queue)
{
    unsigned left = queue->ring.size;
    bool more = true;

    while (more && may_take(queue)) {
        vh_ring_want_kicks(&queue->ring, false);
        while (left > 0 && may_take(queue) && take_one(queue))
            left--;
        if (!queue->started) /* it is broken */
            return;
        vh_ring_want_kicks(&queue->ring, true);
        /* one that came before we asked to be told, or that is over this turn */
        more = may_take(queue) && vh_ring_has_more(&queue->ring);
        if (more && left == 0) {
            (void)eventfd_write(queue->conn->back->more_fd, 1);
            return;
        }
    }
}

void back_ring_start(struct vh_queue *queue)
{
    struct vh_conn *conn = queue->conn;

    queue->ring.event_idx = (conn->features & VH_F_EVENT_IDX) != 0;
    queue->ring.indirect = (conn->features & VH_F_INDIRECT_DESC) != 0;
    queue->ring.inflight = vh_inflight_queue(&conn->inflight, (unsigned)(queue - conn->queues));
    queue->ring.log = (conn->features & VH_F_LOG_ALL) != 0 ? &conn->log : NULL;
    queue->ring.log_used = (queue->flags & VH_VRING_F_LOG) != 0;
    queue->ring.log_addr = queue->log_addr;
    if (queue->ring.inflight != NULL && queue->ring.size > conn->inflight.queue_size)
        queue->ring.inflight = NULL; /* smaller than the queue: it cannot be kept there */
    vh_ring_start(&queue->ring, queue->base);
    queue->running = true;
    back_ring_run(queue);
}

void back_run_all(struct vh_back *back)
{
    for (unsigned i = 0; back->active != NULL && i < VH_QUEUES; i++)
        back_ring_run(&back->active->queues[i]);
}

void vh_request_done(struct vh_request *request, enum vh_blk_status status, bool answered)
{
    struct back_request *own = (struct back_request *)request;
    struct vh_queue *queue = own->queue;
    struct vh_conn *conn = queue->conn;
    struct vh_back *back = conn->back;

    if (own->previous != NULL)
        own->previous->next = own->next;
    else
        back->busy_requests = own->next;
    if (own->next != NULL)
        own->next->previous = own->previous;
    conn->outstanding--;
    if (answered && conn->fd >= 0 && queue->running) {
        const bool read = request->type == VH_BLK_IN;

        log_written(conn, own->mem, request->iov, read ? request->iov_count : 0, own->status);
        answer(queue, own->head, own->status, status, read ? own->in_bytes : 1);
    }
    vh_mem_unref(own->mem);
    own->mem = NULL;
    own->next = back->free_requests;
    back->free_requests = own;
}

/* One that was not told yet. */
static struct back_request *find_wanted(struct vh_conn *conn)
{
    struct back_request *request = conn->back->busy_requests;

    while (request != NULL && (request->queue->conn != conn || request->abandoned))
        request = request->next;
    return request;
}

void back_abandon(struct vh_conn *conn)
{
    struct back_request *request;

    while ((request = find_wanted(conn)) != NULL) { /* the list changes inside: from its start */
        request->abandoned = true;
        conn->back->callbacks.abandon(conn->back->callbacks.context, &request->request);
    }
}

static bool has_waiting(const struct vh_conn *conn)
{
    for (unsigned i = 0; i < VH_QUEUES; i++)
        if (conn->queues[i].running && vh_ring_has_more(&conn->queues[i].ring))
            return true;
    return false;
}

struct vh_back_stats vh_back_stats(const struct vh_back *back)
{
    struct vh_back_stats stats = back->stats;

    stats.in_flight = vh_back_in_flight(back);
    for (unsigned i = 0; i < VH_CLIENTS; i++) {
        stats.clients += back->conns[i].fd >= 0;
        stats.stale += back->conns[i].fd >= 0 && back->conns[i].stale;
    }
    stats.running = back->active != NULL && back_wants_to_run(back->active);
    stats.waiting = stats.running && has_waiting(back->active);
    stats.unmarked = stats.running && back->active->inflight.origin == NULL;
    return stats;
}
