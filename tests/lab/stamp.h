/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stamp that lab programs put into every 512-byte block they write: who wrote it (node,
 * generation), which write it was (number) and where it was meant to go (lba, in 512-byte units).
 * Every byte of the block is covered, so a block that mixes two writes is recognised. Header only
 * and free of hawser's code: the adversary and the checker must stay independent of what they
 * judge.
 *
 * Layout, little-endian: 0 magic 8, 8 node 2, 10 kind 2 (free for the writer, e.g. an opcode), 12
 * zero 4, 16 generation 8, 24 number 8, 32 lba 8, 40 CRC32C of bytes 0..39, 44 zero 4, 48..511
 * filler words made from number, lba and position.
 */
#ifndef LAB_STAMP_H
#define LAB_STAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LAB_STAMP_BYTES        512u
#define LAB_STAMP_MAGIC        "HWLABSTP"
#define LAB_STAMP_HEADER_BYTES 40u
#define LAB_STAMP_FILL_BYTES   48u

struct lab_stamp {
    uint16_t node;
    uint16_t kind;
    uint64_t generation;
    uint64_t number;
    uint64_t lba; /* in 512-byte units */
};

enum lab_block_class {
    LAB_BLOCK_STAMP, /* a whole stamp */
    LAB_BLOCK_ZERO,  /* only zero bytes */
    LAB_BLOCK_TORN,  /* begins like a stamp, but is not a whole one */
    LAB_BLOCK_OTHER, /* anything else */
};

/* Writes the low `bytes` bytes of `value` at `at`, little-endian. */
static inline void lab_put_le(uint8_t *at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

/* Reads `bytes` bytes at `at`, little-endian. */
static inline uint64_t lab_get_le(const uint8_t *at, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

/* CRC32C (RFC 3720 appendix B.4) of `length` bytes, bit by bit: a stamp's header is 40 bytes. */
static inline uint32_t lab_crc32c(const uint8_t *bytes, size_t length)
{
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < length; i++) {
        crc ^= bytes[i];
        for (unsigned bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ ((crc & 1u) ? 0x82f63b78u : 0u);
    }
    return ~crc;
}

/* One step of a 64-bit mix: the lab's only source of "random" numbers, so that a seed replays a
 * run. */
static inline uint64_t lab_mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* Next number of the generator whose state is `*state` (any start value is a seed). */
static inline uint64_t lab_random(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15u;
    return lab_mix(*state);
}

/* The filler word at byte offset `at` of a block with this number and lba. */
static inline uint64_t lab_stamp_fill(uint64_t number, uint64_t lba, unsigned at)
{
    return (number * 0xd1b54a32d192ed03u) ^ ((lba + at) * 0x8cb92ba72f3d8dd7u) ^ at;
}

/* Fills one block of LAB_STAMP_BYTES at `block` with `stamp`. */
static inline void lab_stamp_put(uint8_t *block, const struct lab_stamp *stamp)
{
    memcpy(block, LAB_STAMP_MAGIC, 8);
    lab_put_le(block + 8, stamp->node, 2);
    lab_put_le(block + 10, stamp->kind, 2);
    lab_put_le(block + 12, 0, 4);
    lab_put_le(block + 16, stamp->generation, 8);
    lab_put_le(block + 24, stamp->number, 8);
    lab_put_le(block + 32, stamp->lba, 8);
    lab_put_le(block + 40, lab_crc32c(block, LAB_STAMP_HEADER_BYTES), 4);
    lab_put_le(block + 44, 0, 4);
    for (unsigned at = LAB_STAMP_FILL_BYTES; at < LAB_STAMP_BYTES; at += 8)
        lab_put_le(block + at, lab_stamp_fill(stamp->number, stamp->lba, at), 8);
}

/* Fills `blocks` blocks at `buffer`, the first for lba `stamp->lba`, the following ones for the
 * lbas after it. */
static inline void lab_stamp_put_run(uint8_t *buffer, size_t blocks, const struct lab_stamp *stamp)
{
    struct lab_stamp one = *stamp;
    for (size_t i = 0; i < blocks; i++, one.lba++)
        lab_stamp_put(buffer + i * LAB_STAMP_BYTES, &one);
}

/* Whether `length` bytes (a multiple of 8) at `bytes` are all zero. */
static inline bool lab_all_zero(const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}

/* Reads only a stamp's header at `block` (at least 44 readable bytes); false when it is not one. */
static inline bool lab_stamp_peek(const uint8_t *block, struct lab_stamp *ret_stamp)
{
    if (memcmp(block, LAB_STAMP_MAGIC, 8) != 0)
        return false;
    if (lab_get_le(block + 40, 4) != lab_crc32c(block, LAB_STAMP_HEADER_BYTES))
        return false;
    ret_stamp->node = (uint16_t)lab_get_le(block + 8, 2);
    ret_stamp->kind = (uint16_t)lab_get_le(block + 10, 2);
    ret_stamp->generation = lab_get_le(block + 16, 8);
    ret_stamp->number = lab_get_le(block + 24, 8);
    ret_stamp->lba = lab_get_le(block + 32, 8);
    return true;
}

/* Judges one block of LAB_STAMP_BYTES; `*ret_stamp` is written only for LAB_BLOCK_STAMP. */
static inline enum lab_block_class lab_stamp_get(const uint8_t *block, struct lab_stamp *ret_stamp)
{
    struct lab_stamp stamp;

    if (lab_all_zero(block, LAB_STAMP_BYTES))
        return LAB_BLOCK_ZERO;
    if (memcmp(block, LAB_STAMP_MAGIC, 8) != 0)
        return LAB_BLOCK_OTHER;
    if (!lab_stamp_peek(block, &stamp))
        return LAB_BLOCK_TORN;
    for (unsigned at = LAB_STAMP_FILL_BYTES; at < LAB_STAMP_BYTES; at += 8) {
        if (lab_get_le(block + at, 8) != lab_stamp_fill(stamp.number, stamp.lba, at))
            return LAB_BLOCK_TORN;
    }
    *ret_stamp = stamp;
    return LAB_BLOCK_STAMP;
}

#endif
