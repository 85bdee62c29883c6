/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sectors: what each is in five words, a sixth that depends on them all, and the rest on this one.
 */
#include "tests/guest/disk.h"

enum { MAGIC_AT, SEED_AT, BLOCK_AT, SEQUENCE_AT, INDEX_AT, SUM_AT };
#define MAGIC   UINT64_C(0x31746e4767577348)
#define STEP    UINT64_C(0x94d049bb133111eb)
#define SCATTER UINT64_C(2654435761) /* a prime above any number of blocks */

uint64_t disk_block_of(uint64_t sequence, uint64_t blocks)
{
    return sequence % blocks * SCATTER % blocks;
}

static uint64_t sum(const uint64_t *sector)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < SUM_AT; i++)
        value = mix(value + sector[i]);
    return value;
}

void disk_stamp(uint64_t *sector, uint64_t seed, uint64_t block, uint64_t sequence, unsigned index)
{
    sector[MAGIC_AT] = MAGIC;
    sector[SEED_AT] = seed;
    sector[BLOCK_AT] = block;
    sector[SEQUENCE_AT] = sequence;
    sector[INDEX_AT] = index;
    sector[SUM_AT] = sum(sector);
    for (unsigned i = SUM_AT + 1; i < SECTOR_WORDS; i++)
        sector[i] = sector[i - 1] + STEP;
}

static bool is_empty(const uint64_t *sector)
{
    uint64_t bits = 0;

    for (unsigned i = 0; i < SECTOR_WORDS; i++)
        bits |= sector[i];
    return bits == 0;
}

enum disk_sector disk_judge(const uint64_t *sector, uint64_t seed, uint64_t block, unsigned index,
                            uint64_t *ret_sequence)
{
    if (is_empty(sector))
        return DISK_EMPTY;
    if (sector[MAGIC_AT] != MAGIC || sector[SEED_AT] != seed)
        return DISK_FOREIGN;
    if (sector[SUM_AT] != sum(sector))
        return DISK_DAMAGED;
    for (unsigned i = SUM_AT + 1; i < SECTOR_WORDS; i++)
        if (sector[i] != sector[i - 1] + STEP)
            return DISK_DAMAGED;
    if (sector[BLOCK_AT] != block || sector[INDEX_AT] != index)
        return DISK_MOVED;
    *ret_sequence = sector[SEQUENCE_AT];
    return DISK_GOOD;
}
