/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What befalls the tests' disk for saved states: power, another holder, damage. See the header. */
#include <config.h>

#include <string.h>

#include "tests/sim/save_disk.h"

static unsigned kept_sectors(const struct save_disk *disk, unsigned write, save_disk_keeps *keeps,
                             void *context)
{
    unsigned sectors = 0;

    for (unsigned sector = 0; sector < SAVE_DISK_SECTORS; sector++)
        if (disk->writes[write].sectors & 1u << sector && keeps(context, write, sector))
            sectors |= 1u << sector;
    return sectors;
}

/* What is kept of the unflushed writes of `disk` is safe on `to`. */
static void keep(struct save_disk *to, const struct save_disk *disk, save_disk_keeps *keeps,
                 void *context)
{
    for (unsigned i = 0; i < disk->write_count; i++)
        save_disk_put(to->safe, disk->writes[i].page, disk->writes[i].data,
                      kept_sectors(disk, i, keeps, context));
}

void save_disk_restart(struct save_disk *disk)
{
    static const uint8_t zeroes[SAVE_DISK_PAGE_BYTES];

    for (unsigned i = 0; i < disk->write_count; i++) {
        const uint8_t *safe = disk->safe[disk->writes[i].page];

        save_disk_put(disk->now, disk->writes[i].page, safe != NULL ? safe : zeroes, 0xff);
    }
    /* requests under way are issued again by whoever drives the queue */
    for (unsigned i = 0; i < disk->write_count;)
        if (disk->writes[i].done)
            disk->writes[i] = disk->writes[--disk->write_count];
        else
            i++;
    disk->restarts++;
}

struct save_disk *save_disk_cut(const struct save_disk *disk, save_disk_keeps *keeps, void *context)
{
    struct save_disk *cut = save_disk_new(disk->pages * SAVE_DISK_PAGE_BYTES, 1);

    cut->in_order = true;
    cut->restarts = disk->restarts;
    for (uint64_t i = 0; i < disk->pages; i++)
        if (disk->safe[i] != NULL)
            save_disk_put(cut->safe, i, disk->safe[i], 0xff);
    keep(cut, disk, keeps, context);
    for (uint64_t i = 0; i < cut->pages; i++)
        if (cut->safe[i] != NULL)
            save_disk_put(cut->now, i, cut->safe[i], 0xff);
    return cut;
}

void save_disk_power(struct save_disk *disk, save_disk_keeps *keeps, void *context)
{
    keep(disk, disk, keeps, context);
    save_disk_restart(disk);
}

/* Of a write that is not answered yet these sectors land. */
static void land(struct save_disk *disk, struct save_disk_write *write, unsigned sectors)
{
    write->sectors = (uint8_t)sectors;
    write->done = true;
    write->sequence = disk->sequence;
    save_disk_put(disk->now, write->page, write->data, sectors);
}

void save_disk_land_in_part(struct save_disk *disk, uint64_t sequence)
{
    uint64_t kind = hw_prng_below(&disk->prng, 3);

    for (unsigned i = 0; i < disk->write_count; i++)
        if (disk->writes[i].sequence == sequence && !disk->writes[i].done)
            land(disk, &disk->writes[i],
                 kind == 0   ? 0
                 : kind == 1 ? 0xff
                             : (unsigned)hw_prng_below(&disk->prng, 256));
    disk->sequence++;
}

void save_disk_barrier(struct save_disk *disk, save_disk_keeps *keeps, void *context)
{
    for (unsigned i = 0; i < disk->write_count; i++)
        if (!disk->writes[i].done)
            land(disk, &disk->writes[i], kept_sectors(disk, i, keeps, context));
    disk->sequence++;
}

void save_disk_flip(struct save_disk *disk, uint64_t offset_bytes, unsigned bit)
{
    uint64_t page = offset_bytes / SAVE_DISK_PAGE_BYTES;
    static const uint8_t nothing[SAVE_DISK_PAGE_BYTES];

    save_disk_put(disk->now, page, nothing, 0);
    save_disk_put(disk->safe, page, nothing, 0);
    disk->now[page][offset_bytes % SAVE_DISK_PAGE_BYTES] ^= (uint8_t)(1u << bit);
    disk->safe[page][offset_bytes % SAVE_DISK_PAGE_BYTES] ^= (uint8_t)(1u << bit);
}

void save_disk_wipe(struct save_disk *disk, uint64_t page)
{
    static const uint8_t zeroes[SAVE_DISK_PAGE_BYTES];

    save_disk_put(disk->now, page, zeroes, 0xff);
    save_disk_put(disk->safe, page, zeroes, 0xff);
}

bool save_disk_is_safe(const struct save_disk *disk, uint64_t page)
{
    static const uint8_t zeroes[SAVE_DISK_PAGE_BYTES];

    return memcmp(disk->now[page] != NULL ? disk->now[page] : zeroes,
                  disk->safe[page] != NULL ? disk->safe[page] : zeroes, SAVE_DISK_PAGE_BYTES) == 0;
}
