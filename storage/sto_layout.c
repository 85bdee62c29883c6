/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Planning and judging the layout of a LUN. Pure: numbers and bytes in, windows out. A window is
 * handed on only after it was shown to lie inside the LUN, clear of both copies of the table and
 * of the other windows.
 */
#include "config.h"

#include "storage/sto_layout.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "storage/sto_state_area.h"

const struct sto_layout_kind sto_layout_kinds[STO_LAYOUT_PARTITIONS] = {
    { "hawser-meta",
      { 0x19, 0x1d, 0xf8, 0xdf, 0x65, 0x06, 0x47, 0x13, 0xb9, 0xe3, 0xcc, 0x15, 0xb1, 0xa8, 0xe6,
        0x06 } },
    { "hawser-disk",
      { 0x9b, 0xb6, 0x83, 0x98, 0x4a, 0x88, 0x4f, 0x54, 0x99, 0xc0, 0xef, 0x98, 0xeb, 0xa2, 0x78,
        0x8b } },
    { "hawser-state",
      { 0x87, 0x1a, 0x6d, 0xbf, 0xdf, 0x66, 0x4e, 0x9a, 0xa4, 0x87, 0x4d, 0x3c, 0x5a, 0x74, 0x11,
        0xbf } },
};

const char *sto_size_text(uint64_t bytes, char text[STO_SIZE_TEXT_BYTES])
{
    static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
    unsigned unit = 0;

    while (unit < 4 && bytes >= 1024 && bytes % 1024 == 0) {
        bytes /= 1024;
        unit++;
    }
    (void)snprintf(text, STO_SIZE_TEXT_BYTES, "%" PRIu64 " %s", bytes, units[unit]);
    return text;
}

void sto_layout_partition_guid(const struct sto_layout *layout, unsigned place,
                               uint8_t ret_guid[STO_GUID_BYTES])
{
    memcpy(ret_guid, layout->disk_guid, STO_GUID_BYTES);
    ret_guid[STO_GUID_BYTES - 1] ^= (uint8_t)place;
}

static bool block_size_known(uint32_t block_bytes)
{
    return block_bytes >= 512 && block_bytes <= 4096 && (block_bytes & (block_bytes - 1)) == 0;
}

int sto_layout_plan(const char *name, uint64_t capacity_bytes, uint32_t block_bytes,
                    uint64_t state_bytes, const uint8_t disk_guid[STO_GUID_BYTES],
                    struct sto_layout *ret_layout, struct hw_error *error)
{
    struct sto_layout layout = { .capacity_bytes = capacity_bytes, .block_bytes = block_bytes };
    const uint64_t disk_offset = STO_LAYOUT_META_OFFSET_BYTES + STO_LAYOUT_META_BYTES;
    uint64_t need, end;
    char has_text[STO_SIZE_TEXT_BYTES], need_text[STO_SIZE_TEXT_BYTES];

    if (!block_size_known(block_bytes) || capacity_bytes % block_bytes != 0)
        return hw_error_setf(error, HW_ERROR_REFUSED, EINVAL, name,
                             "use a LUN with blocks of 512 to 4096 bytes",
                             "blocks of %" PRIu32 " bytes are not supported", block_bytes);
    if (state_bytes == 0 || state_bytes % STO_LAYOUT_UNIT_BYTES != 0)
        return hw_error_set(error, HW_ERROR_FAILED, EINVAL, name,
                            "the state area is not a whole number of MiB", "");
    /* one unit for the smallest disk, one for the table at the end */
    if (__builtin_add_overflow(state_bytes, disk_offset + 2 * STO_LAYOUT_UNIT_BYTES, &need) ||
        capacity_bytes < need)
        return hw_error_setf(error, HW_ERROR_REFUSED, ENOSPC, name,
                             "use a larger LUN, or a smaller --max-memory or --max-cpus",
                             "too small: it has %s, and needs %s plus the guest's disk",
                             sto_size_text(capacity_bytes, has_text),
                             sto_size_text(need - STO_LAYOUT_UNIT_BYTES, need_text));
    end = (capacity_bytes - STO_LAYOUT_EDGE_BYTES) / STO_LAYOUT_UNIT_BYTES * STO_LAYOUT_UNIT_BYTES;
    layout.meta = (struct sto_window) { STO_LAYOUT_META_OFFSET_BYTES, STO_LAYOUT_META_BYTES };
    layout.state = (struct sto_window) { end - state_bytes, state_bytes };
    layout.disk = (struct sto_window) { disk_offset, layout.state.offset_bytes - disk_offset };
    layout.protective_mbr = true;
    memcpy(layout.disk_guid, disk_guid, STO_GUID_BYTES);
    *ret_layout = layout;
    return 0;
}

/* --- reading --- */

static int damaged(const char *name, struct hw_error *error, const char *why)
{
    return hw_error_setf(
        error, HW_ERROR_FAILED, EBADMSG, name,
        "look at it with another tool (gdisk), or 'hawser lun init --force' it anew",
        "the partition table is damaged: %s", why);
}

/* The table is whole, but what it tells of is not all there: `init` would lose the guest's data. */
static int shrunk(const char *name, struct hw_error *error, uint64_t from_blocks, uint64_t blocks)
{
    return hw_error_setf(error, HW_ERROR_REFUSED, EINVAL, name,
                         "make it as large as it was, on the target",
                         "the LUN has shrunk: %llu blocks, and its partition table is for %llu",
                         (unsigned long long)blocks, (unsigned long long)from_blocks);
}

static int absent(const char *name, struct hw_error *error, const char *what)
{
    return hw_error_set(error, HW_ERROR_REFUSED, ENOENT, name, what,
                        "prepare it with 'hawser lun init'");
}

static int misplaced(const char *name, struct hw_error *error, const char *partition,
                     const char *what)
{
    return hw_error_setf(error, HW_ERROR_REFUSED, EINVAL, name,
                         "the table was changed by another tool; restore it, or init the LUN anew",
                         "partition %s %s", partition, what);
}

/* Choose the copy to go by, or say why there is none. */
static int choose_copy(const char *name, const struct sto_gpt *primary,
                       const struct sto_gpt *backup, uint64_t last_lba, struct sto_layout *layout,
                       const struct sto_gpt **ret_gpt, struct hw_error *error)
{
    if (primary->state == STO_GPT_VALID && backup->state == STO_GPT_VALID) {
        if (!sto_gpt_same(primary, backup))
            return damaged(name, error, "its two copies differ");
        layout->copies = STO_LAYOUT_BOTH;
        *ret_gpt = primary;
    } else if (primary->state == STO_GPT_VALID) {
        layout->copies = STO_LAYOUT_PRIMARY_ONLY;
        layout->copy_fault = primary->alternate_lba != last_lba
                                 ? "it is not at the end: the LUN's size was changed"
                             : backup->state == STO_GPT_DAMAGED ? backup->why
                                                                : "it is missing";
        *ret_gpt = primary;
    } else if (backup->state == STO_GPT_VALID) {
        layout->copies = STO_LAYOUT_BACKUP_ONLY;
        layout->copy_fault = primary->state == STO_GPT_DAMAGED ? primary->why : "it is missing";
        *ret_gpt = backup;
    } else if (primary->shrunk_from_blocks > 0) {
        return shrunk(name, error, primary->shrunk_from_blocks, last_lba + 1);
    } else if (primary->state == STO_GPT_DAMAGED) {
        return damaged(name, error, primary->why);
    } else if (backup->state == STO_GPT_DAMAGED) {
        return damaged(name, error, backup->why);
    } else {
        return absent(name, error, "holds no hawser layout");
    }
    return 0;
}

/* The window of a partition, if it lies on whole units. */
static int window_of(const char *name, const struct sto_gpt_partition *partition,
                     uint32_t block_bytes, struct sto_window *ret_window, struct hw_error *error)
{
    uint64_t offset, size;

    if (__builtin_mul_overflow(partition->first_lba, (uint64_t)block_bytes, &offset) ||
        __builtin_mul_overflow(partition->last_lba - partition->first_lba + 1,
                               (uint64_t)block_bytes, &size) ||
        offset % STO_LAYOUT_UNIT_BYTES != 0 || size % STO_LAYOUT_UNIT_BYTES != 0)
        return misplaced(name, error, partition->name, "does not lie on whole MiB");
    *ret_window = (struct sto_window) { offset, size };
    return 0;
}

static bool is_kind(const struct sto_gpt_partition *partition, const struct sto_layout_kind *kind)
{
    return memcmp(partition->type_guid, kind->type_guid, STO_GUID_BYTES) == 0 &&
           strcmp(partition->name, kind->name) == 0;
}

static bool any_hawser_partition(const struct sto_gpt *gpt)
{
    for (unsigned i = 0; i < gpt->used_count && i < STO_GPT_PARTITIONS; i++) {
        for (unsigned k = 0; k < STO_LAYOUT_PARTITIONS; k++) {
            if (memcmp(gpt->partitions[i].type_guid, sto_layout_kinds[k].type_guid,
                       STO_GUID_BYTES) == 0)
                return true;
        }
    }
    return false;
}

/* Windows of the three partitions, each judged by itself. */
static int read_windows(const char *name, const struct sto_gpt *gpt, struct sto_layout *layout,
                        struct hw_error *error)
{
    struct sto_window *const windows[STO_LAYOUT_PARTITIONS] = { &layout->meta, &layout->disk,
                                                                &layout->state };
    int rc;

    if (!any_hawser_partition(gpt))
        return absent(name, error, "holds a partition table that is not hawser's");
    if (gpt->used_count != STO_LAYOUT_PARTITIONS)
        return hw_error_setf(error, HW_ERROR_REFUSED, EINVAL, name,
                             "the table was changed by another tool; restore it, or init the LUN "
                             "anew",
                             "%u partitions where hawser has %d", gpt->used_count,
                             STO_LAYOUT_PARTITIONS);
    for (unsigned i = 0; i < STO_LAYOUT_PARTITIONS; i++) {
        if (!is_kind(&gpt->partitions[i], &sto_layout_kinds[i]))
            return misplaced(name, error, sto_layout_kinds[i].name,
                             "is not at its place, or has another type or name");
        rc = window_of(name, &gpt->partitions[i], layout->block_bytes, windows[i], error);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* What the windows must be to each other and to the LUN. */
static int judge_windows(const char *name, const struct sto_layout *layout, struct hw_error *error)
{
    uint64_t disk_end, state_end;

    if (layout->meta.offset_bytes != STO_LAYOUT_META_OFFSET_BYTES ||
        layout->meta.size_bytes != STO_LAYOUT_META_BYTES)
        return misplaced(name, error, "hawser-meta", "does not lie at 1 MiB with 1 MiB");
    if (layout->disk.offset_bytes < STO_LAYOUT_META_OFFSET_BYTES + STO_LAYOUT_META_BYTES)
        return misplaced(name, error, "hawser-disk", "overlaps hawser-meta");
    if (__builtin_add_overflow(layout->disk.offset_bytes, layout->disk.size_bytes, &disk_end) ||
        disk_end > layout->state.offset_bytes)
        return misplaced(name, error, "hawser-disk", "overlaps hawser-state");
    if (__builtin_add_overflow(layout->state.offset_bytes, layout->state.size_bytes, &state_end) ||
        state_end > layout->capacity_bytes - STO_LAYOUT_EDGE_BYTES)
        return misplaced(name, error, "hawser-state", "runs over the end of the LUN");
    return 0;
}

int sto_layout_parse(const char *name, const struct sto_edge *head, const struct sto_edge *tail,
                     uint64_t capacity_bytes, uint32_t block_bytes, struct sto_layout *ret_layout,
                     struct hw_error *error)
{
    struct sto_layout layout = { .capacity_bytes = capacity_bytes, .block_bytes = block_bytes };
    const struct sto_gpt *gpt = NULL;
    struct sto_gpt primary, backup;
    int rc;

    if (!block_size_known(block_bytes) || capacity_bytes % block_bytes != 0 ||
        capacity_bytes < 4 * STO_LAYOUT_UNIT_BYTES)
        return absent(name, error, "is too small, or of a block size, to hold a hawser layout");
    sto_gpt_read(head, 1, block_bytes, capacity_bytes, &primary);
    sto_gpt_read(tail, capacity_bytes / block_bytes - 1, block_bytes, capacity_bytes, &backup);
    rc = choose_copy(name, &primary, &backup, capacity_bytes / block_bytes - 1, &layout, &gpt,
                     error);
    if (rc == 0)
        rc = read_windows(name, gpt, &layout, error);
    if (rc == 0)
        rc = judge_windows(name, &layout, error);
    if (rc < 0)
        return rc;
    memcpy(layout.disk_guid, gpt->disk_guid, STO_GUID_BYTES);
    layout.protective_mbr =
        head->offset_bytes == 0 && sto_gpt_protective_mbr(head->data, head->bytes);
    *ret_layout = layout;
    return 0;
}

int sto_layout_fits(const char *name, const struct sto_layout *layout, uint64_t max_memory_bytes,
                    unsigned max_cpus, struct hw_error *error)
{
    char has_text[STO_SIZE_TEXT_BYTES], need_text[STO_SIZE_TEXT_BYTES];
    uint64_t need;
    int rc = sto_state_area_bytes(max_memory_bytes, max_cpus, &need);

    if (rc < 0)
        return hw_error_set(error, HW_ERROR_USAGE, -rc, name,
                            rc == -EINVAL ? "a VM has at least 1 byte of memory and 1 vCPU"
                                          : "more memory or vCPUs than hawser can save",
                            "");
    if (need > layout->state.size_bytes)
        return hw_error_setf(error, HW_ERROR_REFUSED, ENOSPC, name,
                             "the area cannot grow in place: init a LUN with the larger size and "
                             "import the disk",
                             "state area too small: %s are reserved, %s are needed",
                             sto_size_text(layout->state.size_bytes, has_text),
                             sto_size_text(need, need_text));
    return 0;
}
