/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What front ends hand over: their memory, the dirty log, the in-flight region.
 */
#include "config.h"

#include "storage/vhost/vh_back_priv.h"

#include <errno.h>

#include "common/hw_cleanup.h"

/* QEMU and libvhost-user take the description's four fields for a C struct: four bytes of padding
 * follow, and they refuse an answer without them. */
enum { INFLIGHT_BYTES = 20, INFLIGHT_PADDED_BYTES = 24 };
enum { REGION_BYTES = 32, TABLE_HEADER_BYTES = 8 };

int back_place(struct vh_queue *queue)
{
    int rc = vh_ring_place(&queue->ring, queue->conn->mem, queue->desc_addr, queue->avail_addr,
                           queue->used_addr);

    queue->placed = rc == 0;
    return rc;
}

static int bad_table(struct vh_conn *conn, const char *why)
{
    conn->why = why;
    return -EPROTO;
}

static const char *words(int rc)
{
    return rc == -ENOSPC ? "its memory is shorter than its table says; give the guest a backend of "
                           "its memory's full size"
           : rc == -EMEDIUMTYPE
               ? "its memory is a file that may keep us waiting; give the guest memory of memfd, "
                 "/dev/shm or hugetlbfs (QEMU: memory-backend-memfd,share=on)"
               : "its memory table does not map; give the guest shared memory (QEMU: "
                 "memory-backend-memfd,share=on)";
}

int back_set_mem_table(struct vh_conn *conn, struct vh_msg *msg)
{
    const uint32_t count = vh_msg_get_u32(msg, 0);
    struct vh_region regions[VH_REGIONS];
    struct vh_mem *mem;
    int rc;

    if (count == 0 || count != msg->fd_count)
        return bad_table(conn, "it does not share its memory; give the guest shared memory "
                               "(QEMU: memory-backend-memfd,share=on)");
    if (count > VH_REGIONS || msg->size < TABLE_HEADER_BYTES + count * REGION_BYTES)
        return -EPROTO;
    for (unsigned i = 0; i < count; i++) {
        const size_t at = TABLE_HEADER_BYTES + i * REGION_BYTES;

        regions[i] = (struct vh_region) { .guest_addr = vh_msg_get_u64(msg, at),
                                          .bytes = vh_msg_get_u64(msg, at + 8),
                                          .user_addr = vh_msg_get_u64(msg, at + 16),
                                          .file_offset = vh_msg_get_u64(msg, at + 24) };
    }
    rc = vh_mem_new(regions, msg->fds, count, &mem);
    if (rc < 0)
        return bad_table(conn, words(rc));
    vh_mem_unref(conn->mem);
    conn->mem = mem;
    for (unsigned i = 0; i < VH_QUEUES; i++) {
        struct vh_queue *queue = &conn->queues[i];

        /* Requests of it may be with the owner, and are answered into the ring: what is under way
         * ends with the connection, and a ring is never set up anew beside it. */
        if (queue->placed && back_place(queue) < 0 && (queue->started || queue->running))
            return bad_table(conn, "its memory table takes a queue away that it uses; stop the "
                                   "queue first");
    }
    return 0;
}

int back_set_log_base(struct vh_conn *conn, struct vh_msg *msg)
{
    hw_auto_close int fd = vh_msg_take_fd(msg, 0);

    if (fd < 0 || msg->size < 16 ||
        vh_log_map(&conn->log, fd, vh_msg_get_u64(msg, 8), vh_msg_get_u64(msg, 0)) < 0)
        return -EPROTO;
    return back_reply_u64(conn, msg, 0); /* answered even without NEED_REPLY */
}

/* --- in-flight region --- */

int back_get_inflight(struct vh_conn *conn, const struct vh_msg *msg)
{
    const uint16_t queues = vh_msg_get_u16(msg, 16), size = vh_msg_get_u16(msg, 18);
    struct vh_msg answer = { 0 };
    hw_auto_close int fd = -1;

    if (msg->size < INFLIGHT_BYTES || queues == 0 || queues > conn->back->device.queues ||
        size == 0 || size > VH_QUEUE_SIZE_MAX)
        return -EPROTO;
    fd = vh_inflight_create(queues, size);
    if (fd < 0)
        return fd;
    vh_msg_put_u64(&answer, vh_inflight_bytes(queues, size));
    vh_msg_put_u64(&answer, 0);
    vh_msg_put_u16(&answer, queues);
    vh_msg_put_u16(&answer, size);
    if (msg->size >= INFLIGHT_PADDED_BYTES)
        vh_msg_put_u32(&answer, 0);
    answer.fd_count = 1;
    answer.fds[0] = fd;
    return back_reply(conn, msg, &answer);
}

int back_set_inflight(struct vh_conn *conn, struct vh_msg *msg)
{
    hw_auto_close int fd = vh_msg_take_fd(msg, 0);

    for (unsigned i = 0; i < VH_QUEUES; i++)
        if (conn->queues[i].running || conn->outstanding > 0)
            return -EPROTO;
    if (fd < 0 || msg->size < INFLIGHT_BYTES ||
        vh_inflight_map(&conn->inflight, fd, vh_msg_get_u64(msg, 8), vh_msg_get_u64(msg, 0),
                        vh_msg_get_u16(msg, 16), vh_msg_get_u16(msg, 18)) < 0)
        return -EPROTO;
    return 0;
}
