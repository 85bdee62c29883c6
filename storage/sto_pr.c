/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Codec of persistent reservations and of hawser's key. Pure: no I/O, no clock, no allocation.
 * Answers come from a target that may lie: every byte is read through a checked cursor.
 */
#include "config.h"

#include "storage/sto_pr.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "common/hw_cursor.h"

const char *sto_pr_type_name(unsigned type)
{
    switch (type) {
    case STO_PR_NONE:
        return "none";
    case STO_PR_WRITE_EXCLUSIVE:
        return "write exclusive";
    case STO_PR_EXCLUSIVE_ACCESS:
        return "exclusive access";
    case STO_PR_WRITE_EXCLUSIVE_REGISTRANTS:
        return "write exclusive, registrants only";
    case STO_PR_EXCLUSIVE_ACCESS_REGISTRANTS:
        return "exclusive access, registrants only";
    case STO_PR_WRITE_EXCLUSIVE_ALL:
        return "write exclusive, all registrants";
    case STO_PR_EXCLUSIVE_ACCESS_ALL:
        return "exclusive access, all registrants";
    default:
        return NULL;
    }
}

uint16_t sto_key_cluster_hash(const uint8_t cluster_uuid[16])
{
    return (uint16_t)(XXH3_64bits(cluster_uuid, 16) & 0xffff);
}

uint64_t sto_key_make(const struct sto_key_parts *parts)
{
    if (parts->generation == 0 || parts->generation > STO_GENERATION_MAX)
        return 0;
    return (uint64_t)STO_KEY_MAGIC << 56 | (uint64_t)parts->cluster_hash << 40 |
           (uint64_t)parts->node << 24 | parts->generation;
}

bool sto_key_parse(uint64_t key, struct sto_key_parts *ret_parts)
{
    if (key >> 56 != STO_KEY_MAGIC || (key & STO_GENERATION_MAX) == 0)
        return false;
    ret_parts->cluster_hash = (uint16_t)(key >> 40);
    ret_parts->node = (uint16_t)(key >> 24);
    ret_parts->generation = (uint32_t)(key & STO_GENERATION_MAX);
    return true;
}

bool sto_key_is_ours(uint64_t key, uint16_t cluster_hash)
{
    struct sto_key_parts parts;

    return sto_key_parse(key, &parts) && parts.cluster_hash == cluster_hash;
}

const char *sto_key_text(uint64_t key, char text[STO_KEY_TEXT_BYTES])
{
    struct sto_key_parts parts;

    if (sto_key_parse(key, &parts))
        (void)snprintf(text, STO_KEY_TEXT_BYTES, "0x%016" PRIx64 " (node %u, generation %u)", key,
                       parts.node, parts.generation);
    else
        (void)snprintf(text, STO_KEY_TEXT_BYTES, "0x%016" PRIx64 " (not a hawser key)", key);
    return text;
}

uint8_t sto_pr_in_cdb(enum sto_pr_in action, uint16_t allocation_bytes, uint8_t cdb[16])
{
    memset(cdb, 0, 16);
    cdb[0] = STO_PR_OPCODE_IN;
    cdb[1] = (uint8_t)(action & 0x1f);
    cdb[7] = (uint8_t)(allocation_bytes >> 8);
    cdb[8] = (uint8_t)allocation_bytes;
    return 10;
}

uint8_t sto_pr_out_encode(const struct sto_pr_out_request *request, uint8_t cdb[16],
                          uint8_t parameters[STO_PR_OUT_PARAMETER_BYTES])
{
    struct hw_writer list = hw_writer_over(parameters, STO_PR_OUT_PARAMETER_BYTES);

    memset(cdb, 0, 16);
    cdb[0] = STO_PR_OPCODE_OUT;
    cdb[1] = (uint8_t)(request->action & 0x1f);
    cdb[2] = (uint8_t)(request->type & 0x0f); /* scope 0: the logical unit */
    cdb[8] = STO_PR_OUT_PARAMETER_BYTES;
    hw_write_be64(&list, request->key);
    hw_write_be64(&list, request->service_key);
    hw_write_be32(&list, 0); /* obsolete */
    hw_write_u8(&list, request->aptpl ? 0x01 : 0x00);
    hw_write_zeroes(&list, 3);
    return 10;
}

int sto_pr_out_decode(const uint8_t *cdb, size_t cdb_bytes, const uint8_t *parameters,
                      size_t parameter_bytes, struct sto_pr_out_request *ret_request)
{
    struct hw_reader list = hw_reader_over(parameters, parameter_bytes);
    struct sto_pr_out_request request = { 0 };

    if (cdb_bytes < 10 || cdb[0] != STO_PR_OPCODE_OUT || cdb[2] >> 4 != 0)
        return -EINVAL;
    request.action = (enum sto_pr_out)(cdb[1] & 0x1f);
    request.type = (enum sto_pr_type)(cdb[2] & 0x0f);
    request.key = hw_read_be64(&list);
    request.service_key = hw_read_be64(&list);
    hw_read_skip(&list, 4);
    request.aptpl = (hw_read_u8(&list) & 0x01) != 0;
    hw_read_skip(&list, 3);
    if (hw_reader_status(&list) < 0 || hw_reader_left(&list) != 0)
        return -EINVAL;
    *ret_request = request;
    return 0;
}

/* By insertion: qsort(3) asks the system how much memory there is when they are many, which a
 * locked-in process must not. */
static void sort_keys(uint64_t *keys, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        const uint64_t key = keys[i];
        uint32_t at = i;

        for (; at > 0 && keys[at - 1] > key; at--)
            keys[at] = keys[at - 1];
        keys[at] = key;
    }
}

int sto_pr_decode_keys(const void *answer, size_t bytes, struct sto_pr_keys *ret_keys)
{
    struct hw_reader reader = hw_reader_over(answer, bytes);
    uint32_t generation = hw_read_be32(&reader);
    uint32_t length = hw_read_be32(&reader);
    unsigned count = 0;

    if (hw_reader_status(&reader) < 0 || length % 8 != 0)
        return -EBADMSG;
    if (length / 8 > STO_PR_KEYS)
        return -E2BIG;
    if (length > hw_reader_left(&reader))
        return -EBADMSG;
    for (uint32_t i = 0; i < length / 8; i++)
        ret_keys->keys[i] = hw_read_be64(&reader);
    sort_keys(ret_keys->keys, length / 8);
    for (uint32_t i = 0; i < length / 8; i++) {
        if (count == 0 || ret_keys->keys[count - 1] != ret_keys->keys[i])
            ret_keys->keys[count++] = ret_keys->keys[i];
    }
    ret_keys->generation = generation;
    ret_keys->count = count;
    return 0;
}

int sto_pr_decode_reservation(const void *answer, size_t bytes,
                              struct sto_pr_reservation *ret_reservation)
{
    struct hw_reader reader = hw_reader_over(answer, bytes);
    struct sto_pr_reservation reservation = { 0 };
    uint32_t length;
    uint8_t scope_type;

    reservation.generation = hw_read_be32(&reader);
    length = hw_read_be32(&reader);
    if (hw_reader_status(&reader) < 0)
        return -EBADMSG;
    if (length == 0) {
        *ret_reservation = reservation;
        return 0;
    }
    if (length != 16) /* one persistent reservation at most (SPC-4 6.15.3) */
        return -EBADMSG;
    reservation.held = true;
    reservation.key = hw_read_be64(&reader);
    hw_read_skip(&reader, 5);
    scope_type = hw_read_u8(&reader);
    hw_read_skip(&reader, 2);
    if (hw_reader_status(&reader) < 0)
        return -EBADMSG;
    reservation.scope = scope_type >> 4;
    reservation.type = scope_type & 0x0f;
    *ret_reservation = reservation;
    return 0;
}

int sto_pr_decode_capabilities(const void *answer, size_t bytes,
                               struct sto_pr_capabilities *ret_capabilities)
{
    struct hw_reader reader = hw_reader_over(answer, bytes);
    uint16_t length = hw_read_be16(&reader);
    uint8_t flags = hw_read_u8(&reader);
    uint8_t more = hw_read_u8(&reader);
    uint8_t low = hw_read_u8(&reader);
    uint8_t high = hw_read_u8(&reader);

    if (hw_reader_status(&reader) < 0 || length < 8)
        return -EBADMSG;
    ret_capabilities->keeps_over_power_loss = (flags & 0x01) != 0;
    ret_capabilities->active_over_power_loss = (more & 0x01) != 0;
    ret_capabilities->type_mask_valid = (more & 0x80) != 0;
    /* byte 4: WR_EX_AR b7, EX_AC_RO b6, WR_EX_RO b5, EX_AC b3, WR_EX b1; byte 5: EX_AC_AR b0 */
    ret_capabilities->types = 0;
    if (low & 0x80)
        ret_capabilities->types |= 1u << STO_PR_WRITE_EXCLUSIVE_ALL;
    if (low & 0x40)
        ret_capabilities->types |= 1u << STO_PR_EXCLUSIVE_ACCESS_REGISTRANTS;
    if (low & 0x20)
        ret_capabilities->types |= 1u << STO_PR_WRITE_EXCLUSIVE_REGISTRANTS;
    if (low & 0x08)
        ret_capabilities->types |= 1u << STO_PR_EXCLUSIVE_ACCESS;
    if (low & 0x02)
        ret_capabilities->types |= 1u << STO_PR_WRITE_EXCLUSIVE;
    if (high & 0x01)
        ret_capabilities->types |= 1u << STO_PR_EXCLUSIVE_ACCESS_ALL;
    return 0;
}

bool sto_pr_keys_have(const struct sto_pr_keys *keys, uint64_t key)
{
    for (unsigned i = 0; i < keys->count; i++) {
        if (keys->keys[i] == key)
            return true;
    }
    return false;
}
