/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers of the vhost-user protocol (QEMU, "Vhost-user Protocol"), of split virtqueues (virtio 1.2
 * 2.7) and of the block device (virtio 1.2 5.2). Only what both ends here use.
 */
#ifndef VH_PROTO_H
#define VH_PROTO_H

#include <stdint.h>

enum {
    VH_VERSION = 1,
    VH_FLAG_REPLY = 1u << 2,
    VH_FLAG_NEED_REPLY = 1u << 3,
    VH_REGIONS = 8,
    VH_QUEUES = 16,
    VH_QUEUE_SIZE_MAX = 1024,
    VH_CONFIG_BYTES = 256,
    VH_SECTOR_BYTES = 512,
};

enum vh_request_id {
    VH_GET_FEATURES = 1,
    VH_SET_FEATURES = 2,
    VH_SET_OWNER = 3,
    VH_RESET_OWNER = 4,
    VH_SET_MEM_TABLE = 5,
    VH_SET_LOG_BASE = 6,
    VH_SET_LOG_FD = 7,
    VH_SET_VRING_NUM = 8,
    VH_SET_VRING_ADDR = 9,
    VH_SET_VRING_BASE = 10,
    VH_GET_VRING_BASE = 11,
    VH_SET_VRING_KICK = 12,
    VH_SET_VRING_CALL = 13,
    VH_SET_VRING_ERR = 14,
    VH_GET_PROTOCOL_FEATURES = 15,
    VH_SET_PROTOCOL_FEATURES = 16,
    VH_GET_QUEUE_NUM = 17,
    VH_SET_VRING_ENABLE = 18,
    VH_GET_CONFIG = 24,
    VH_SET_CONFIG = 25,
    VH_GET_INFLIGHT_FD = 31,
    VH_SET_INFLIGHT_FD = 32,
};

/* virtio feature bits; LOG_ALL and PROTOCOL_FEATURES are vhost's own */
#define VH_F_LOG_ALL           (UINT64_C(1) << 26)
#define VH_F_INDIRECT_DESC     (UINT64_C(1) << 28)
#define VH_F_EVENT_IDX         (UINT64_C(1) << 29)
#define VH_F_PROTOCOL_FEATURES (UINT64_C(1) << 30)
#define VH_F_VERSION_1         (UINT64_C(1) << 32)
/* of a block device (5.2.3) */
#define VH_BLK_F_SEG_MAX      (UINT64_C(1) << 2)
#define VH_BLK_F_RO           (UINT64_C(1) << 5)
#define VH_BLK_F_BLK_SIZE     (UINT64_C(1) << 6)
#define VH_BLK_F_FLUSH        (UINT64_C(1) << 9)
#define VH_BLK_F_TOPOLOGY     (UINT64_C(1) << 10)
#define VH_BLK_F_MQ           (UINT64_C(1) << 12)
#define VH_BLK_F_DISCARD      (UINT64_C(1) << 13)
#define VH_BLK_F_WRITE_ZEROES (UINT64_C(1) << 14)

/* protocol feature bits */
#define VH_P_MQ             (UINT64_C(1) << 0)
#define VH_P_LOG_SHMFD      (UINT64_C(1) << 1)
#define VH_P_REPLY_ACK      (UINT64_C(1) << 3)
#define VH_P_CONFIG         (UINT64_C(1) << 9)
#define VH_P_INFLIGHT_SHMFD (UINT64_C(1) << 12)

enum { VH_VRING_INDEX_MASK = 0xff, VH_VRING_NO_FD = 1u << 8 };
enum { VH_VRING_F_LOG = 1u << 0 };

/* split virtqueue (2.7.5, 2.7.6, 2.7.8) */
enum { VH_DESC_F_NEXT = 1, VH_DESC_F_WRITE = 2, VH_DESC_F_INDIRECT = 4 };
enum { VH_AVAIL_F_NO_INTERRUPT = 1, VH_USED_F_NO_NOTIFY = 1 };

struct vh_desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags;
    uint16_t next;
};

struct vh_used_elem {
    uint32_t id;
    uint32_t len;
};

/* block requests (5.2.6) */
enum vh_blk_type {
    VH_BLK_IN = 0,
    VH_BLK_OUT = 1,
    VH_BLK_FLUSH = 4,
    VH_BLK_GET_ID = 8,
    VH_BLK_DISCARD = 11,
    VH_BLK_WRITE_ZEROES = 13,
};

enum vh_blk_status { VH_BLK_OK = 0, VH_BLK_IOERR = 1, VH_BLK_UNSUPP = 2 };
enum { VH_BLK_HEADER_BYTES = 16, VH_BLK_SEGMENT_BYTES = 16, VH_BLK_ID_BYTES = 20 };
enum { VH_BLK_WRITE_ZEROES_UNMAP = 1 };

#endif
