/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Layout of a LUN: a GUID partition table with hawser-meta, hawser-disk and hawser-state
 * (doc/lun-layout.md). Pure of LUN I/O: planning and reading work on numbers and bytes, writing
 * yields the bytes of both edges. Nothing here decides whether a LUN may be written.
 */
#ifndef STO_LAYOUT_H
#define STO_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/hw_error.h"
#include "storage/sto_gpt.h"

enum {
    STO_LAYOUT_EDGE_BYTES = 32 * 1024,   /* first and last bytes of a LUN that hold the table */
    STO_LAYOUT_UNIT_BYTES = 1024 * 1024, /* every area starts on a multiple of this */
    STO_LAYOUT_META_OFFSET_BYTES = 1024 * 1024,
    STO_LAYOUT_META_BYTES = 1024 * 1024,
    /* within hawser-meta */
    STO_LAYOUT_RECORD_BYTES = 64 * 1024, /* ownership record and its history, from 0 */
    STO_LAYOUT_DESCRIPTION_OFFSET_BYTES = 64 * 1024,
    STO_LAYOUT_DESCRIPTION_COPY_OFFSET_BYTES = 128 * 1024,
    STO_LAYOUT_SCRATCH_OFFSET_BYTES = 512 * 1024, /* the probe writes here and nowhere else */
    STO_LAYOUT_SCRATCH_BYTES = 64 * 1024,
};

struct sto_window {
    uint64_t offset_bytes; /* from the start of the LUN */
    uint64_t size_bytes;
};

/* Which copies of the table were found good. */
enum sto_layout_copies {
    STO_LAYOUT_BOTH,
    STO_LAYOUT_PRIMARY_ONLY, /* the one at the end is missing or damaged */
    STO_LAYOUT_BACKUP_ONLY,  /* the one at the start is missing or damaged */
};

struct sto_layout {
    uint64_t capacity_bytes;
    uint32_t block_bytes;
    uint8_t disk_guid[STO_GUID_BYTES];
    struct sto_window meta, disk, state;
    enum sto_layout_copies copies;
    const char *copy_fault; /* why the other copy is not good (constant text), NULL if both are */
    bool protective_mbr;    /* false: other tools may take the LUN for empty */
};

/*
 * Divide a LUN of `capacity_bytes` with blocks of `block_bytes` (512 to 4096): hawser-state of
 * `state_bytes` (a multiple of 1 MiB, see sto_state_area_bytes()) last, the rest for the guest's
 * disk. `name` is the LUN's in messages. Errors: -EINVAL (block size, state size), -ENOSPC (too
 * small, with the size needed).
 */
int sto_layout_plan(const char *name, uint64_t capacity_bytes, uint32_t block_bytes,
                    uint64_t state_bytes, const uint8_t disk_guid[STO_GUID_BYTES],
                    struct sto_layout *ret_layout, struct hw_error *error);

/* The bytes to write: head from offset 0, tail up to the end of the LUN. */
struct sto_layout_image {
    uint8_t head[STO_LAYOUT_EDGE_BYTES];
    uint8_t tail[STO_LAYOUT_EDGE_BYTES];
    uint64_t tail_offset_bytes;
};

/*
 * Make the table of `layout` with libfdisk, in an unlinked memory file of the LUN's size. 0, or
 * -errno of the memory file or of libfdisk, with the message in `error`.
 */
int sto_layout_write(const char *name, const struct sto_layout *layout,
                     struct sto_layout_image *ret_image, struct hw_error *error);

/*
 * Read the layout from the edges of a LUN: each STO_LAYOUT_EDGE_BYTES (or the whole LUN if it is
 * smaller). A damaged copy is made up for by the other, and said so in the struct. Errors:
 * -ENOENT no table, or none of hawser's; -EBADMSG damaged, or the copies disagree; -EINVAL
 * hawser's partitions are not where they belong, or the LUN has shrunk.
 */
int sto_layout_parse(const char *name, const struct sto_edge *head, const struct sto_edge *tail,
                     uint64_t capacity_bytes, uint32_t block_bytes, struct sto_layout *ret_layout,
                     struct hw_error *error);

/*
 * May a VM of this size use the LUN as it was laid out? 0; -ENOSPC: hawser-state is too small, the
 * message says what is needed; -EINVAL, -ERANGE: no such VM.
 */
int sto_layout_fits(const char *name, const struct sto_layout *layout, uint64_t max_memory_bytes,
                    unsigned max_cpus, struct hw_error *error);

/* Names and type GUIDs of the three partitions in the order of their place on the LUN. */
enum { STO_LAYOUT_PARTITIONS = 3 };
struct sto_layout_kind {
    const char *name;
    uint8_t type_guid[STO_GUID_BYTES];
};
extern const struct sto_layout_kind sto_layout_kinds[STO_LAYOUT_PARTITIONS];

/* The partition's own GUID: the disk's with its last byte changed by the place, 1 to 3. */
void sto_layout_partition_guid(const struct sto_layout *layout, unsigned place,
                               uint8_t ret_guid[STO_GUID_BYTES]);

enum { STO_SIZE_TEXT_BYTES = 40 };
/* A size for messages: the largest binary unit that divides it, else bytes ("150 MiB"). */
const char *sto_size_text(uint64_t bytes, char text[STO_SIZE_TEXT_BYTES]);

#endif
