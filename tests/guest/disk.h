/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the test guest writes on a disk: blocks of some sectors, of which each says by itself whose
 * it is, where it belongs, and the how manieth write it is; so a block that a crash has cut is not
 * taken for a damaged one. Pure.
 */
#ifndef GUEST_DISK_H
#define GUEST_DISK_H

#include "tests/guest/base.h"

enum { SECTOR_BYTES = 512, SECTOR_WORDS = SECTOR_BYTES / 8 };

enum disk_sector {
    DISK_GOOD,
    DISK_EMPTY,   /* all zero */
    DISK_FOREIGN, /* not ours, or of another seed */
    DISK_MOVED,   /* ours, but it belongs elsewhere */
    DISK_DAMAGED,
};

/* Write number `sequence` (from 1) goes to this block of `blocks`: all have their turn, then again.
 */
uint64_t disk_block_of(uint64_t sequence, uint64_t blocks);
void disk_stamp(uint64_t *sector, uint64_t seed, uint64_t block, uint64_t sequence, unsigned index);
/* What a sector is that was read from there; `ret_sequence` is set if it is good. */
enum disk_sector disk_judge(const uint64_t *sector, uint64_t seed, uint64_t block, unsigned index,
                            uint64_t *ret_sequence);

#endif
