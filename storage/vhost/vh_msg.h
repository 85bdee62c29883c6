/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages of vhost-user on a unix stream socket: a header of 12 bytes (request, flags, size, each
 * 32 bit in the host's order), a payload, up to eight descriptors with its first byte. Received
 * piece by piece without blocking; what is received owns its descriptors until they are taken.
 */
#ifndef VH_MSG_H
#define VH_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/vhost/vh_proto.h"

enum { VH_MSG_HEADER_BYTES = 12, VH_MSG_PAYLOAD_BYTES = 512, VH_MSG_FDS = VH_REGIONS };

struct vh_msg {
    uint32_t request, flags, size; /* size: of the payload */
    uint8_t payload[VH_MSG_PAYLOAD_BYTES];
    unsigned fd_count;
    int fds[VH_MSG_FDS]; /* -1 where taken */
};

/* A message as it comes in. */
struct vh_msg_reader {
    size_t have; /* bytes of header and payload */
    uint8_t header[VH_MSG_HEADER_BYTES];
    struct vh_msg msg;
};

/* Nothing received yet. */
void vh_msg_reader_init(struct vh_msg_reader *reader);
/*
 * Receive what is there. 1: a whole message is in reader->msg (call vh_msg_reader_next() behind
 * it); 0: more has to come; -ECONNRESET at the end of the stream, -EPROTO if it is no message
 * (wrong version, too long, too many descriptors), or -errno.
 */
int vh_msg_receive(struct vh_msg_reader *reader, int fd);
/* Close the descriptors that nobody took, and begin the next one. */
void vh_msg_reader_next(struct vh_msg_reader *reader);
/* Take descriptor `i` out of a message: the caller's now; -1 if there is none. */
int vh_msg_take_fd(struct vh_msg *msg, unsigned i);

/*
 * Send a message with its descriptors, which stay the caller's. 0 or -errno; -EAGAIN: the peer does
 * not read (messages are short: a socket that has no room for one is stuck). Nothing was sent then.
 */
int vh_msg_send(int fd, const struct vh_msg *msg);

/* Words of a payload, in the host's order; 0 and nothing written where it is shorter. */
uint64_t vh_msg_get_u64(const struct vh_msg *msg, size_t at);
uint32_t vh_msg_get_u32(const struct vh_msg *msg, size_t at);
uint16_t vh_msg_get_u16(const struct vh_msg *msg, size_t at);
/* Append to the payload; it has room for what the protocol needs. */
void vh_msg_put_u64(struct vh_msg *msg, uint64_t value);
void vh_msg_put_u32(struct vh_msg *msg, uint32_t value);
void vh_msg_put_u16(struct vh_msg *msg, uint16_t value);

#endif
