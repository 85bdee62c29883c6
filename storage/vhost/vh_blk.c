/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Block requests. Sectors are always 512 bytes (5.2.6); the guest's own block size is told by
 * VIRTIO_BLK_F_BLK_SIZE.
 */
#include "config.h"

#include "storage/vhost/vh_blk.h"

#include <endian.h>
#include <string.h>

uint64_t vh_blk_features(const struct vh_blk_device *device)
{
    uint64_t features =
        VH_BLK_F_SEG_MAX | VH_BLK_F_BLK_SIZE | VH_BLK_F_FLUSH | VH_BLK_F_TOPOLOGY | VH_BLK_F_MQ;

    if (device->read_only)
        features |= VH_BLK_F_RO;
    if (device->discard && !device->read_only)
        features |= VH_BLK_F_DISCARD;
    if (device->write_zeroes && !device->read_only)
        features |= VH_BLK_F_WRITE_ZEROES;
    return features;
}

static void put16(uint8_t *at, uint16_t value)
{
    value = htole16(value);
    memcpy(at, &value, sizeof(value));
}

static void put32(uint8_t *at, uint32_t value)
{
    value = htole32(value);
    memcpy(at, &value, sizeof(value));
}

static uint8_t exponent(uint32_t large, uint32_t small)
{
    uint8_t exponent = 0;

    while (small != 0 && small << exponent < large && exponent < 16)
        exponent++;
    return exponent;
}

void vh_blk_config(const struct vh_blk_device *device, uint8_t ret_config[VH_BLK_CONFIG_BYTES])
{
    const uint64_t capacity = htole64(device->sectors);
    const uint32_t block = device->block_bytes;

    memset(ret_config, 0, VH_BLK_CONFIG_BYTES);
    memcpy(ret_config, &capacity, sizeof(capacity));
    put32(ret_config + 12, VH_BLK_SEG_MAX);
    put32(ret_config + 20, block);
    ret_config[24] = exponent(device->physical_block_bytes, block);
    put16(ret_config + 26, 1);
    put32(ret_config + 28, device->optimal_bytes / block);
    ret_config[32] = 1; /* writeback: what is flushed is durable, nothing else */
    put16(ret_config + 34, device->queues);
    if (device->discard) {
        put32(ret_config + 36, VH_BLK_CLEAR_SECTORS_MAX);
        put32(ret_config + 40, 1);
        put32(ret_config + 44, block / VH_SECTOR_BYTES);
    }
    if (device->write_zeroes) {
        put32(ret_config + 48, VH_BLK_CLEAR_SECTORS_MAX);
        put32(ret_config + 52, 1); /* write_zeroes_may_unmap is 0: nothing is deallocated */
    }
}

/* Copy `bytes` from the start of the chain's out part. */
static bool copy_out(const struct vh_chain *chain, void *target, size_t bytes)
{
    uint8_t *to = target;

    for (unsigned i = 0; i < chain->out_count && bytes > 0; i++) {
        const size_t have = chain->pieces[i].iov_len, take = have < bytes ? have : bytes;

        memcpy(to, chain->pieces[i].iov_base, take);
        to += take;
        bytes -= take;
    }
    return bytes == 0;
}

static uint64_t bytes_of(const struct iovec *pieces, unsigned count)
{
    uint64_t bytes = 0;

    for (unsigned i = 0; i < count; i++)
        bytes += pieces[i].iov_len;
    return bytes;
}

/* Take the header off the out part: the data begins behind it. */
static void trim_header(struct vh_chain *chain, struct vh_blk_request *request)
{
    size_t left = VH_BLK_HEADER_BYTES;
    unsigned at = 0;

    while (left >= chain->pieces[at].iov_len && left > 0)
        left -= chain->pieces[at++].iov_len;
    if (left > 0) {
        chain->pieces[at].iov_base = (uint8_t *)chain->pieces[at].iov_base + left;
        chain->pieces[at].iov_len -= left;
    }
    request->data_at = at;
    request->data_count = chain->out_count - at;
}

/* The status is the last byte of the in part; it is taken off. */
static bool trim_status(struct vh_chain *chain, struct vh_blk_request *request)
{
    struct iovec *last = &chain->pieces[chain->out_count + chain->in_count - 1];
    const uint64_t bytes = bytes_of(chain->pieces + chain->out_count, chain->in_count);

    while (chain->in_count > 0 && last->iov_len == 0) {
        chain->in_count--;
        last--;
    }
    if (chain->in_count == 0 || bytes > UINT32_MAX)
        return false;
    request->in_bytes = (uint32_t)bytes;
    request->status = (uint8_t *)last->iov_base + --last->iov_len;
    if (last->iov_len == 0)
        chain->in_count--;
    return true;
}

static bool in_range(const struct vh_blk_device *device, const struct vh_blk_request *request)
{
    uint64_t end;

    return !__builtin_add_overflow(request->sector, request->sectors, &end) &&
           end <= device->sectors;
}

static int judge_data(const struct vh_blk_device *device, const struct vh_chain *chain,
                      struct vh_blk_request *request)
{
    const uint64_t bytes = bytes_of(chain->pieces + request->data_at, request->data_count);

    request->sectors = bytes / VH_SECTOR_BYTES;
    if (bytes == 0 || bytes % VH_SECTOR_BYTES != 0 || !in_range(device, request) ||
        request->sector * VH_SECTOR_BYTES % device->block_bytes != 0 ||
        bytes % device->block_bytes != 0)
        return VH_BLK_IOERR;
    return request->type == VH_BLK_OUT && device->read_only ? VH_BLK_IOERR : VH_BLK_OK;
}

/* struct virtio_blk_discard_write_zeroes: sector 8, count 4, flags 4; one of them */
static int judge_clear(const struct vh_blk_device *device, const struct vh_chain *chain,
                       struct vh_blk_request *request)
{
    const bool discard = request->type == VH_BLK_DISCARD;
    uint8_t segment[VH_BLK_SEGMENT_BYTES];
    uint32_t count, flags;
    uint64_t sector;

    if (discard ? !device->discard : !device->write_zeroes)
        return VH_BLK_UNSUPP;
    if (device->read_only ||
        bytes_of(chain->pieces + request->data_at, request->data_count) != sizeof(segment) ||
        chain->in_count != 0)
        return VH_BLK_IOERR;
    for (unsigned i = 0, have = 0; i < request->data_count; i++) {
        const struct iovec *piece = &chain->pieces[request->data_at + i];

        memcpy(segment + have, piece->iov_base, piece->iov_len);
        have += (unsigned)piece->iov_len;
    }
    memcpy(&sector, segment, sizeof(sector));
    memcpy(&count, segment + 8, sizeof(count));
    memcpy(&flags, segment + 12, sizeof(flags));
    request->sector = le64toh(sector);
    request->sectors = le32toh(count);
    flags = le32toh(flags);
    if ((flags & ~(uint32_t)VH_BLK_WRITE_ZEROES_UNMAP) != 0 || (discard && flags != 0))
        return VH_BLK_UNSUPP; /* 5.2.6.2 */
    if (!in_range(device, request) || request->sectors > VH_BLK_CLEAR_SECTORS_MAX ||
        request->sector * VH_SECTOR_BYTES % device->block_bytes != 0 ||
        request->sectors * VH_SECTOR_BYTES % device->block_bytes != 0)
        return VH_BLK_IOERR;
    return VH_BLK_OK;
}

int vh_blk_parse(const struct vh_blk_device *device, struct vh_chain *chain,
                 struct vh_blk_request *ret_request)
{
    struct vh_blk_request request = { 0 };
    uint8_t header[VH_BLK_HEADER_BYTES];
    uint64_t sector;
    uint32_t type;
    int verdict;

    if (chain->in_count == 0 || !trim_status(chain, &request))
        return -1;
    *ret_request = request;
    if (!copy_out(chain, header, sizeof(header)))
        return VH_BLK_IOERR;
    memcpy(&type, header, sizeof(type));
    memcpy(&sector, header + 8, sizeof(sector));
    request.type = (enum vh_blk_type)le32toh(type);
    request.sector = le64toh(sector);
    trim_header(chain, &request);
    switch (request.type) {
    case VH_BLK_IN:
        request.data_at = chain->out_count;
        request.data_count = chain->in_count;
        verdict = judge_data(device, chain, &request);
        break;
    case VH_BLK_OUT:
        verdict = judge_data(device, chain, &request);
        break;
    case VH_BLK_FLUSH:
        request.sector = 0;
        request.data_count = 0;
        verdict = VH_BLK_OK;
        break;
    case VH_BLK_GET_ID:
        request.data_at = chain->out_count;
        request.data_count = chain->in_count;
        verdict = VH_BLK_OK;
        break;
    case VH_BLK_DISCARD:
    case VH_BLK_WRITE_ZEROES:
        verdict = judge_clear(device, chain, &request);
        break;
    default:
        verdict = VH_BLK_UNSUPP;
        break;
    }
    *ret_request = request;
    return verdict;
}

void vh_blk_fill(const struct vh_chain *chain, const struct vh_blk_request *request,
                 const void *bytes, size_t count)
{
    const uint8_t *from = bytes;

    for (unsigned i = 0; i < request->data_count && count > 0; i++) {
        const struct iovec *piece = &chain->pieces[request->data_at + i];
        const size_t take = piece->iov_len < count ? piece->iov_len : count;

        memcpy(piece->iov_base, from, take);
        from += take;
        count -= take;
    }
}
