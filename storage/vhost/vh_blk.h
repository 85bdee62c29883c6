/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A block device's requests (virtio 1.2 5.2.6) out of chains, and its configuration space (5.2.4).
 * The header and segments are copied once out of the guest's memory, then judged. Pure.
 */
#ifndef VH_BLK_H
#define VH_BLK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "storage/vhost/vh_proto.h"
#include "storage/vhost/vh_ring.h"

enum {
    VH_BLK_CONFIG_BYTES = 60,
    VH_BLK_SEG_MAX = 126,
    VH_BLK_CLEAR_SECTORS_MAX = 4 * 1024 * 1024, /* of one discard or write-zeroes: 2 GiB */
};

/* What the device is. */
struct vh_blk_device {
    uint64_t sectors;     /* capacity, in units of 512 bytes whatever the block size */
    uint32_t block_bytes; /* logical block, 512 to 4096 */
    uint32_t physical_block_bytes;
    uint32_t optimal_bytes; /* optimal transfer; 0: not known */
    uint16_t queues;
    bool read_only, discard, write_zeroes;
    char id[VH_BLK_ID_BYTES]; /* padded with zeroes */
};

/* The virtio feature bits of the device itself (5.2.3). */
uint64_t vh_blk_features(const struct vh_blk_device *device);
/* The configuration space. */
void vh_blk_config(const struct vh_blk_device *device, uint8_t ret_config[VH_BLK_CONFIG_BYTES]);

struct vh_blk_request {
    enum vh_blk_type type;
    uint64_t sector, sectors; /* DISCARD, WRITE_ZEROES: from the segment; IN, OUT: of the data */
    unsigned data_at, data_count; /* pieces of the chain: data to read from or write to */
    uint8_t *status;              /* in the guest's memory */
    uint32_t in_bytes;            /* of the whole `in` part, the status with it */
};

/*
 * Judge a chain; its pieces are trimmed to the data. VH_BLK_OK: to be carried out (GET_ID and what
 * moves no bytes are left to the caller, too); VH_BLK_IOERR or VH_BLK_UNSUPP: to be answered so.
 * -1: there is no place for a status, only the chain can be given back.
 */
int vh_blk_parse(const struct vh_blk_device *device, struct vh_chain *chain,
                 struct vh_blk_request *ret_request);

/* Copy into the data of a request (GET_ID). */
void vh_blk_fill(const struct vh_chain *chain, const struct vh_blk_request *request,
                 const void *bytes, size_t count);

#endif
