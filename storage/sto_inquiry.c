/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parsers of what a target says of a LUN. Nothing here sends anything or trusts a length that a
 * target gave before it was compared with what arrived.
 */
#include "config.h"

#include "storage/sto_inquiry.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/hw_cursor.h"

enum { TYPE_DISK = 0x00, QUALIFIER_PRESENT = 0, QUALIFIER_ABSENT = 3 };
enum { BLOCK_BYTES_MIN = 512, BLOCK_BYTES_MAX = 65536 };

/* Text from a target: printable ASCII only, blanks at both ends cut. */
static void copy_text(char *ret_text, size_t size, const uint8_t *bytes, size_t count)
{
    size_t at = 0;

    while (count > 0 && (bytes[count - 1] == ' ' || bytes[count - 1] == '\0'))
        count--;
    while (count > 0 && bytes[0] == ' ') {
        bytes++;
        count--;
    }
    for (size_t i = 0; i < count && at + 1 < size; i++)
        ret_text[at++] = bytes[i] > ' ' && bytes[i] < 0x7f ? (char)bytes[i]
                         : bytes[i] == ' '                 ? ' '
                                                           : '?';
    ret_text[at] = '\0';
}

int sto_inquiry_standard(const void *answer, size_t bytes, struct sto_facts *facts,
                         enum sto_peripheral *ret_peripheral)
{
    const uint8_t *data = answer;
    uint8_t qualifier;

    if (bytes < 36)
        return -EBADMSG;
    qualifier = data[0] >> 5;
    copy_text(facts->vendor, sizeof(facts->vendor), data + 8, 8);
    copy_text(facts->product, sizeof(facts->product), data + 16, 16);
    copy_text(facts->revision, sizeof(facts->revision), data + 32, 4);
    if (qualifier == QUALIFIER_ABSENT || qualifier == 1)
        *ret_peripheral = STO_PERIPHERAL_ABSENT;
    else if (qualifier == QUALIFIER_PRESENT && (data[0] & 0x1f) == TYPE_DISK)
        *ret_peripheral = STO_PERIPHERAL_DISK;
    else
        *ret_peripheral = STO_PERIPHERAL_OTHER;
    return 0;
}

/* The body of a vital product data page, cut to what arrived (SPC-4 7.8.2). */
static int open_page(const void *answer, size_t bytes, uint8_t page, struct hw_reader *ret_body)
{
    struct hw_reader reader = hw_reader_over(answer, bytes);
    uint8_t found;
    size_t told;

    hw_read_skip(&reader, 1);
    found = hw_read_u8(&reader);
    told = hw_read_be16(&reader);
    if (hw_reader_status(&reader) < 0 || found != page)
        return -EBADMSG;
    if (told > hw_reader_left(&reader))
        told = hw_reader_left(&reader);
    *ret_body = hw_reader_over(reader.data + reader.at, told);
    return 0;
}

int sto_inquiry_pages(const void *answer, size_t bytes, struct sto_vpd_pages *ret_pages)
{
    struct sto_vpd_pages pages = { 0 };
    struct hw_reader body;

    if (open_page(answer, bytes, STO_VPD_SUPPORTED, &body) < 0)
        return -EBADMSG;
    while (hw_reader_left(&body) > 0) {
        uint8_t page = hw_read_u8(&body);

        pages.bits[page / 8] |= (uint8_t)(1u << page % 8);
    }
    *ret_pages = pages;
    return 0;
}

bool sto_inquiry_has_page(const struct sto_vpd_pages *pages, uint8_t page)
{
    return (pages->bits[page / 8] & 1u << page % 8) != 0;
}

int sto_inquiry_serial(const void *answer, size_t bytes, struct sto_facts *facts)
{
    struct hw_reader body;

    if (open_page(answer, bytes, STO_VPD_SERIAL, &body) < 0)
        return -EBADMSG;
    copy_text(facts->serial, sizeof(facts->serial), body.data, body.size);
    return 0;
}

/* --- identification --- */

enum { SET_BINARY = 1, ASSOCIATION_LUN = 0 };
enum { DESIGNATOR_T10 = 1, DESIGNATOR_EUI = 2, DESIGNATOR_NAA = 3 };

static void print_hex(char *ret_text, size_t size, const char *prefix, const uint8_t *bytes,
                      size_t count)
{
    size_t at = (size_t)snprintf(ret_text, size, "%s", prefix);

    for (size_t i = 0; i < count && at + 3 <= size; i++)
        at += (size_t)snprintf(ret_text + at, size - at, "%02x", bytes[i]);
}

/* How much this kind of name is worth; 0 = none. */
static int designator_rank(uint8_t type, uint8_t code_set, size_t size)
{
    switch (type) {
    case DESIGNATOR_NAA:
        return code_set == SET_BINARY && (size == 8 || size == 16) ? 3 : 0;
    case DESIGNATOR_EUI:
        return code_set == SET_BINARY && (size == 8 || size == 12 || size == 16) ? 2 : 0;
    case DESIGNATOR_T10:
        return size > 8 ? 1 : 0;
    default:
        return 0;
    }
}

static void print_designator(char *ret_text, size_t size, int rank, const uint8_t *bytes,
                             size_t count)
{
    if (rank == 3) {
        print_hex(ret_text, size, "naa.", bytes, count);
    } else if (rank == 2) {
        print_hex(ret_text, size, "eui.", bytes, count);
    } else {
        memcpy(ret_text, "t10.", 4);
        copy_text(ret_text + 4, size - 4, bytes, count);
    }
}

int sto_inquiry_identification(const void *answer, size_t bytes, struct sto_facts *facts)
{
    struct hw_reader body;
    int best = 0;

    if (open_page(answer, bytes, STO_VPD_IDENTIFICATION, &body) < 0)
        return -EBADMSG;
    while (hw_reader_left(&body) >= 4) {
        uint8_t code_set = hw_read_u8(&body) & 0x0f;
        uint8_t kind = hw_read_u8(&body);
        const uint8_t *name;
        size_t size;
        int rank;

        hw_read_skip(&body, 1);
        size = hw_read_u8(&body);
        name = body.data + body.at;
        hw_read_skip(&body, size);
        if (hw_reader_status(&body) < 0)
            break; /* cut off: what was whole counts */
        rank = designator_rank(kind & 0x0f, code_set, size);
        if ((kind >> 4 & 3) != ASSOCIATION_LUN || rank <= best)
            continue;
        best = rank;
        print_designator(facts->wwid, sizeof(facts->wwid), rank, name, size);
    }
    return 0;
}

/* --- limits, provisioning, capacity, mode --- */

static uint32_t blocks_to_bytes(const struct sto_facts *facts, uint64_t blocks)
{
    uint64_t bytes;

    if (__builtin_mul_overflow(blocks, facts->block_bytes, &bytes) || bytes > UINT32_MAX)
        return UINT32_MAX / BLOCK_BYTES_MAX * BLOCK_BYTES_MAX;
    return (uint32_t)bytes;
}

int sto_inquiry_block_limits(const void *answer, size_t bytes, struct sto_facts *facts)
{
    struct hw_reader body;

    if (open_page(answer, bytes, STO_VPD_BLOCK_LIMITS, &body) < 0)
        return -EBADMSG;
    hw_read_skip(&body, 1);
    facts->max_compare_and_write_blocks = hw_read_u8(&body);
    hw_read_skip(&body, 2);
    facts->max_transfer_bytes = blocks_to_bytes(facts, hw_read_be32(&body));
    facts->optimal_transfer_bytes = blocks_to_bytes(facts, hw_read_be32(&body));
    hw_read_skip(&body, 4);
    facts->max_unmap_bytes = blocks_to_bytes(facts, hw_read_be32(&body)); /* 0 if cut: unknown */
    hw_read_skip(&body, 12);
    facts->max_write_same_blocks = hw_read_be64(&body);
    return 0;
}

int sto_inquiry_provisioning(const void *answer, size_t bytes, struct sto_facts *facts)
{
    struct hw_reader body;
    uint8_t flags;
    uint8_t type;

    if (open_page(answer, bytes, STO_VPD_PROVISIONING, &body) < 0)
        return -EBADMSG;
    hw_read_skip(&body, 1);
    flags = hw_read_u8(&body);
    type = hw_read_u8(&body) & 7;
    facts->unmap = (flags & 0x80) != 0;
    facts->write_same_unmap = (flags & 0x40) != 0;
    if ((flags & 0x1c) != 0)
        facts->unmap_reads_zeroes = (flags & 0x04) != 0;
    if (type == 2)
        facts->thin = true;
    return 0;
}

int sto_inquiry_capacity(const void *answer, size_t bytes, struct sto_facts *facts)
{
    struct hw_reader reader = hw_reader_over(answer, bytes);
    uint64_t last_lba = hw_read_be64(&reader);
    uint32_t block_bytes = hw_read_be32(&reader);
    uint64_t blocks;
    uint64_t capacity;
    uint8_t exponent;
    uint8_t provisioning;

    if (hw_reader_status(&reader) < 0 || block_bytes < BLOCK_BYTES_MIN ||
        block_bytes > BLOCK_BYTES_MAX || (block_bytes & (block_bytes - 1)) != 0)
        return -EBADMSG;
    if (__builtin_add_overflow(last_lba, 1u, &blocks) ||
        __builtin_mul_overflow(blocks, block_bytes, &capacity) || capacity > INT64_MAX)
        return -EBADMSG;
    hw_read_skip(&reader, 1);
    exponent = hw_read_u8(&reader) & 0x0f; /* a short answer reads as 0 */
    provisioning = hw_read_u8(&reader);
    facts->capacity_bytes = capacity;
    facts->block_bytes = block_bytes;
    facts->physical_block_bytes = block_bytes << (exponent > 8 ? 0 : exponent);
    facts->thin = (provisioning & 0x80) != 0;
    facts->unmap_reads_zeroes = (provisioning & 0x40) != 0;
    return 0;
}

int sto_inquiry_mode(const void *answer, size_t bytes, struct sto_facts *facts)
{
    struct hw_reader reader = hw_reader_over(answer, bytes);
    uint8_t device_specific;
    uint8_t block_descriptors;
    uint8_t page;

    hw_read_skip(&reader, 2);
    device_specific = hw_read_u8(&reader);
    block_descriptors = hw_read_u8(&reader);
    if (hw_reader_status(&reader) < 0)
        return -EBADMSG;
    facts->read_only = (device_specific & 0x80) != 0;
    hw_read_skip(&reader, block_descriptors);
    page = hw_read_u8(&reader) & 0x3f;
    hw_read_skip(&reader, 1);
    if (page == STO_MODE_PAGE_CACHING)
        facts->write_cache = (hw_read_u8(&reader) & 0x04) != 0;
    return 0;
}
