/* SPDX-License-Identifier: GPL-2.0-or-later */
/* storage/vhost/vh_blk: requests of the block device, right and wrong; its configuration. */
#include <config.h>

#include "storage/vhost/vh_blk.h"

#include <string.h>

#include "tests/unit/unit.h"

static struct vh_blk_device device = { .sectors = 1000,
                                       .block_bytes = 512,
                                       .physical_block_bytes = 4096,
                                       .queues = 4,
                                       .discard = true,
                                       .write_zeroes = true,
                                       .id = "unit" };
static uint8_t header[16], data[8192], segment[32], status;
static struct vh_chain chain;
static struct vh_blk_request request;

static void put(uint32_t type, uint64_t sector)
{
    memset(header, 0, sizeof(header));
    memcpy(header, &type, 4);
    memcpy(header + 8, &sector, 8);
    memset(&chain, 0, sizeof(chain));
    chain.pieces[chain.out_count++] = (struct iovec) { header, sizeof(header) };
}

static void out(void *at, size_t bytes)
{
    chain.pieces[chain.out_count++] = (struct iovec) { at, bytes };
}

static void in(void *at, size_t bytes)
{
    chain.pieces[chain.out_count + chain.in_count++] = (struct iovec) { at, bytes };
}

static int parse(void)
{
    return vh_blk_parse(&device, &chain, &request);
}

static void moves(void)
{
    put(VH_BLK_IN, 8);
    in(data, 1024);
    in(data + 4096, 512);
    in(&status, 1);
    CU_ASSERT_EQUAL(parse(), VH_BLK_OK);
    CU_ASSERT_EQUAL(request.sector, 8);
    CU_ASSERT_EQUAL(request.sectors, 3);
    CU_ASSERT_EQUAL(request.data_at, 1);
    CU_ASSERT_EQUAL(request.data_count, 2);
    CU_ASSERT_EQUAL(request.in_bytes, 1537);
    CU_ASSERT_PTR_EQUAL(request.status, &status);
    put(VH_BLK_OUT, 992);
    chain.pieces[0].iov_len = 10; /* the header in two pieces, data right behind it */
    memcpy(data, header + 10, 6);
    out(data, 6 + 4096);
    in(&status, 1);
    CU_ASSERT_EQUAL(parse(), VH_BLK_OK);
    CU_ASSERT_EQUAL(request.sector, 992);
    CU_ASSERT_EQUAL(request.sectors, 8);
    CU_ASSERT_PTR_EQUAL(chain.pieces[request.data_at].iov_base, data + 6);
    put(VH_BLK_IN, 0); /* data and status in one piece */
    in(data, 513);
    CU_ASSERT_EQUAL(parse(), VH_BLK_OK);
    CU_ASSERT_EQUAL(request.sectors, 1);
    CU_ASSERT_PTR_EQUAL(request.status, data + 512);
    put(VH_BLK_FLUSH, 0);
    in(&status, 1);
    CU_ASSERT_EQUAL(parse(), VH_BLK_OK);
    CU_ASSERT_EQUAL(request.data_count, 0);
    put(VH_BLK_GET_ID, 0);
    in(data, 20);
    in(&status, 1);
    CU_ASSERT_EQUAL(parse(), VH_BLK_OK);
    vh_blk_fill(&chain, &request, device.id, VH_BLK_ID_BYTES);
    CU_ASSERT_STRING_EQUAL((char *)data, "unit");
}

static void one_bad(uint32_t type, uint64_t sector, size_t bytes, int verdict)
{
    put(type, sector);
    if (type == VH_BLK_OUT)
        out(data, bytes);
    else
        in(data, bytes);
    in(&status, 1);
    CU_ASSERT_EQUAL(parse(), verdict);
}

static void refuses(void)
{
    one_bad(VH_BLK_IN, 999, 1024, VH_BLK_IOERR); /* over the end */
    one_bad(VH_BLK_OUT, UINT64_MAX, 512, VH_BLK_IOERR);
    one_bad(VH_BLK_IN, 0, 100, VH_BLK_IOERR);
    one_bad(VH_BLK_OUT, 0, 0, VH_BLK_IOERR);
    one_bad(99, 0, 512, VH_BLK_UNSUPP);
    device.block_bytes = 4096;
    one_bad(VH_BLK_IN, 1, 4096, VH_BLK_IOERR);
    one_bad(VH_BLK_IN, 8, 512, VH_BLK_IOERR);
    one_bad(VH_BLK_IN, 8, 4096, VH_BLK_OK);
    device.block_bytes = 512;
    device.read_only = true;
    one_bad(VH_BLK_OUT, 0, 512, VH_BLK_IOERR);
    device.read_only = false;
    put(VH_BLK_IN, 0); /* no status */
    CU_ASSERT_EQUAL(parse(), -1);
    put(VH_BLK_IN, 0);
    in(data, 0);
    CU_ASSERT_EQUAL(parse(), -1);
    memset(&chain, 0, sizeof(chain)); /* no header */
    in(&status, 1);
    CU_ASSERT_EQUAL(parse(), VH_BLK_IOERR);
    CU_ASSERT_PTR_EQUAL(request.status, &status);
}

static int clear(uint32_t type, uint64_t sector, uint32_t count, uint32_t flags, size_t bytes)
{
    memcpy(segment, &sector, 8);
    memcpy(segment + 8, &count, 4);
    memcpy(segment + 12, &flags, 4);
    put(type, 0);
    out(segment, bytes);
    in(&status, 1);
    return parse();
}

static void clears(void)
{
    CU_ASSERT_EQUAL(clear(VH_BLK_DISCARD, 16, 8, 0, 16), VH_BLK_OK);
    CU_ASSERT_EQUAL(request.sector, 16);
    CU_ASSERT_EQUAL(request.sectors, 8);
    CU_ASSERT_EQUAL(clear(VH_BLK_WRITE_ZEROES, 16, 8, 1, 16), VH_BLK_OK);
    CU_ASSERT_EQUAL(clear(VH_BLK_DISCARD, 16, 8, 1, 16), VH_BLK_UNSUPP);
    CU_ASSERT_EQUAL(clear(VH_BLK_WRITE_ZEROES, 16, 8, 2, 16), VH_BLK_UNSUPP);
    CU_ASSERT_EQUAL(clear(VH_BLK_DISCARD, 999, 2, 0, 16), VH_BLK_IOERR);
    CU_ASSERT_EQUAL(clear(VH_BLK_DISCARD, 0, 1, 0, 32), VH_BLK_IOERR); /* two segments */
    CU_ASSERT_EQUAL(clear(VH_BLK_DISCARD, 0, 1, 0, 8), VH_BLK_IOERR);
    device.discard = device.write_zeroes = false;
    CU_ASSERT_EQUAL(clear(VH_BLK_DISCARD, 0, 1, 0, 16), VH_BLK_UNSUPP);
    CU_ASSERT_EQUAL(clear(VH_BLK_WRITE_ZEROES, 0, 1, 0, 16), VH_BLK_UNSUPP);
    CU_ASSERT_EQUAL(vh_blk_features(&device) & (VH_BLK_F_DISCARD | VH_BLK_F_WRITE_ZEROES), 0);
    device.discard = device.write_zeroes = true;
    CU_ASSERT_NOT_EQUAL(vh_blk_features(&device) & VH_BLK_F_DISCARD, 0);
}

static void configures(void)
{
    uint8_t config[VH_BLK_CONFIG_BYTES];
    uint64_t sectors;
    uint16_t queues;

    vh_blk_config(&device, config);
    memcpy(&sectors, config, 8);
    memcpy(&queues, config + 34, 2);
    CU_ASSERT_EQUAL(sectors, 1000);
    CU_ASSERT_EQUAL(queues, 4);
    CU_ASSERT_EQUAL(config[24], 3); /* 4096 = 512 << 3 */
    CU_ASSERT_EQUAL(config[40], 1);
    CU_ASSERT_EQUAL(config[56], 0); /* write-zeroes never deallocate */
}

const struct unit_case unit_cases[] = {
    { "reads, writes, flushes and the name are understood", moves },
    { "what is outside the device or cut is refused", refuses },
    { "discard and write-zeroes take one segment within the device", clears },
    { "the configuration space says what the device is", configures },
    { 0 },
};
