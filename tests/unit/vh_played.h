/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The answers of a vhost-user server that a test plays, message by message, on its end of the
 * connection.
 */
#ifndef VH_PLAYED_H
#define VH_PLAYED_H

#include "storage/vhost/vh_blk.h"
#include "storage/vhost/vh_msg.h"
#include "storage/vhost/vh_proto.h"
#include "tests/unit/unit.h"

/* `msg`, as the answer to `to`. */
static inline void played_answer(int fd, const struct vh_msg *to, struct vh_msg *msg)
{
    msg->request = to->request;
    msg->flags = VH_VERSION | VH_FLAG_REPLY;
    CU_ASSERT_EQUAL(vh_msg_send(fd, msg), 0);
}

/* A number. */
static inline void played_answer_u64(int fd, const struct vh_msg *to, uint64_t value)
{
    struct vh_msg msg = { 0 };

    vh_msg_put_u64(&msg, value);
    played_answer(fd, to, &msg);
}

/* The configuration of a disk of `sectors`; `block_exponent` at its place in it. */
static inline void played_answer_config(int fd, const struct vh_msg *to, uint64_t sectors,
                                        uint8_t block_exponent)
{
    struct vh_msg msg = { 0 };

    vh_msg_put_u32(&msg, 0);
    vh_msg_put_u32(&msg, VH_BLK_CONFIG_BYTES);
    vh_msg_put_u32(&msg, 0);
    vh_msg_put_u64(&msg, sectors);
    msg.size = 12 + VH_BLK_CONFIG_BYTES;
    msg.payload[12 + 21] = block_exponent;
    played_answer(fd, to, &msg);
}

/* Where a queue stopped. */
static inline void played_answer_base(int fd, const struct vh_msg *to, uint32_t queue,
                                      uint32_t base)
{
    struct vh_msg msg = { 0 };

    vh_msg_put_u32(&msg, queue);
    vh_msg_put_u32(&msg, base);
    played_answer(fd, to, &msg);
}

#endif
