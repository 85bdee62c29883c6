/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages of vhost-user, in and out.
 */
#include "config.h"

#include "storage/vhost/vh_msg.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { VERSION_MASK = 3 };

void vh_msg_reader_init(struct vh_msg_reader *reader)
{
    memset(reader, 0, sizeof(*reader));
}

int vh_msg_take_fd(struct vh_msg *msg, unsigned i)
{
    int fd;

    if (i >= msg->fd_count)
        return -1;
    fd = msg->fds[i];
    msg->fds[i] = -1;
    return fd;
}

void vh_msg_reader_next(struct vh_msg_reader *reader)
{
    for (unsigned i = 0; i < reader->msg.fd_count; i++)
        if (reader->msg.fds[i] >= 0)
            (void)close(reader->msg.fds[i]);
    vh_msg_reader_init(reader);
}

/* Keep the descriptors of one control message; -EPROTO if there are too many. */
static int keep_fds(struct vh_msg *msg, const struct cmsghdr *header)
{
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    int fds[VH_MSG_FDS * 2];
    int rc = 0;

    for (size_t i = 0; i < count && i < sizeof(fds) / sizeof(fds[0]); i++) {
        memcpy(&fds[i], CMSG_DATA(header) + i * sizeof(int), sizeof(int));
        if (msg->fd_count < VH_MSG_FDS) {
            msg->fds[msg->fd_count++] = fds[i];
        } else {
            (void)close(fds[i]);
            rc = -EPROTO;
        }
    }
    return rc;
}

/* One recvmsg(2) into `room`. Bytes, or -errno. */
static ssize_t receive_some(struct vh_msg_reader *reader, int fd, void *room, size_t bytes)
{
    struct iovec iov = { .iov_base = room, .iov_len = bytes };
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(VH_MSG_FDS * 2 * sizeof(int))];
    } control;
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
    };
    ssize_t got;
    int rc = 0;

    do
        got = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL;
         header = CMSG_NXTHDR(&message, header))
        if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
            keep_fds(&reader->msg, header) < 0)
            rc = -EPROTO;
    if ((message.msg_flags & MSG_CTRUNC) != 0)
        rc = -EPROTO;
    if (got == 0)
        return -ECONNRESET;
    return rc < 0 ? rc : got;
}

static int judge_header(struct vh_msg_reader *reader)
{
    struct vh_msg *msg = &reader->msg;

    memcpy(&msg->request, reader->header, 4);
    memcpy(&msg->flags, reader->header + 4, 4);
    memcpy(&msg->size, reader->header + 8, 4);
    return (msg->flags & VERSION_MASK) != VH_VERSION || msg->size > VH_MSG_PAYLOAD_BYTES ? -EPROTO
                                                                                         : 0;
}

int vh_msg_receive(struct vh_msg_reader *reader, int fd)
{
    for (;;) {
        const bool in_header = reader->have < VH_MSG_HEADER_BYTES;
        const size_t payload = in_header ? 0 : reader->have - VH_MSG_HEADER_BYTES;
        ssize_t got;

        if (!in_header && payload == reader->msg.size)
            return 1;
        got = in_header ? receive_some(reader, fd, reader->header + reader->have,
                                       VH_MSG_HEADER_BYTES - reader->have)
                        : receive_some(reader, fd, reader->msg.payload + payload,
                                       reader->msg.size - payload);
        if (got == -EAGAIN)
            return 0;
        if (got < 0)
            return (int)got;
        reader->have += (size_t)got;
        if (in_header && reader->have == VH_MSG_HEADER_BYTES && judge_header(reader) < 0)
            return -EPROTO;
    }
}

int vh_msg_send(int fd, const struct vh_msg *msg)
{
    uint8_t header[VH_MSG_HEADER_BYTES];
    struct iovec iov[2] = { { .iov_base = header, .iov_len = sizeof(header) },
                            { .iov_base = (void *)(uintptr_t)msg->payload, .iov_len = msg->size } };
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(VH_MSG_FDS * sizeof(int))];
    } control = { 0 };
    struct msghdr message = { .msg_iov = iov, .msg_iovlen = msg->size > 0 ? 2 : 1 };
    ssize_t sent;

    memcpy(header, &msg->request, 4);
    memcpy(header + 4, &msg->flags, 4);
    memcpy(header + 8, &msg->size, 4);
    if (msg->fd_count > 0) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(msg->fd_count * sizeof(int));
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(msg->fd_count * sizeof(int));
        memcpy(CMSG_DATA(&control.header), msg->fds, msg->fd_count * sizeof(int));
    }
    do
        sent = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return -errno;
    return (size_t)sent == sizeof(header) + msg->size ? 0 : -EPIPE; /* cut: the stream is lost */
}

static bool has(const struct vh_msg *msg, size_t at, size_t bytes)
{
    return at + bytes <= msg->size && at + bytes <= sizeof(msg->payload);
}

uint64_t vh_msg_get_u64(const struct vh_msg *msg, size_t at)
{
    uint64_t value = 0;

    if (has(msg, at, sizeof(value)))
        memcpy(&value, msg->payload + at, sizeof(value));
    return value;
}

uint32_t vh_msg_get_u32(const struct vh_msg *msg, size_t at)
{
    uint32_t value = 0;

    if (has(msg, at, sizeof(value)))
        memcpy(&value, msg->payload + at, sizeof(value));
    return value;
}

uint16_t vh_msg_get_u16(const struct vh_msg *msg, size_t at)
{
    uint16_t value = 0;

    if (has(msg, at, sizeof(value)))
        memcpy(&value, msg->payload + at, sizeof(value));
    return value;
}

static void put(struct vh_msg *msg, const void *value, size_t bytes)
{
    if (msg->size + bytes > sizeof(msg->payload))
        return;
    memcpy(msg->payload + msg->size, value, bytes);
    msg->size += (uint32_t)bytes;
}

void vh_msg_put_u64(struct vh_msg *msg, uint64_t value)
{
    put(msg, &value, sizeof(value));
}

void vh_msg_put_u32(struct vh_msg *msg, uint32_t value)
{
    put(msg, &value, sizeof(value));
}

void vh_msg_put_u16(struct vh_msg *msg, uint16_t value)
{
    put(msg, &value, sizeof(value));
}
