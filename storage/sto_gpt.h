/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reader of one copy of a GUID partition table (UEFI 2.10 5.3). Pure: it is given the bytes of an
 * edge of the LUN and judges them; it opens nothing, trusts nothing and changes nothing. Writing
 * is libfdisk's work (sto_layout_write.c).
 */
#ifndef STO_GPT_H
#define STO_GPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    STO_GUID_BYTES = 16,
    STO_GUID_TEXT_BYTES = 37,
    STO_GPT_NAME_BYTES = 37,    /* 36 characters; what is not printable ASCII reads as '?' */
    STO_GPT_PARTITIONS = 8,     /* kept; a table may use more, see used_count */
    STO_GPT_ENTRIES_MAX = 1024, /* a table that claims more is damaged */
};

enum sto_gpt_state {
    STO_GPT_ABSENT,  /* no signature where a header should be */
    STO_GPT_DAMAGED, /* a signature, but something does not hold: see `why` */
    STO_GPT_VALID,
};

/* GUIDs are kept in the order of their text (RFC 4122), not in the table's mixed order. */
struct sto_gpt_partition {
    uint8_t type_guid[STO_GUID_BYTES];
    uint8_t guid[STO_GUID_BYTES];
    uint64_t first_lba;
    uint64_t last_lba; /* inclusive */
    uint64_t attributes;
    char name[STO_GPT_NAME_BYTES];
};

struct sto_gpt {
    enum sto_gpt_state state;
    const char *why;             /* constant text for STO_GPT_DAMAGED, else NULL */
    uint64_t shrunk_from_blocks; /* DAMAGED, as the LUN ends too early: those it is for; else 0 */
    uint8_t disk_guid[STO_GUID_BYTES];
    uint64_t alternate_lba; /* where this copy says that the other one is */
    uint64_t first_usable_lba, last_usable_lba;
    unsigned used_count; /* entries in use; only the first STO_GPT_PARTITIONS of them are kept */
    struct sto_gpt_partition partitions[STO_GPT_PARTITIONS];
};

/* Bytes of an edge of the LUN, and where on the LUN they are. */
struct sto_edge {
    const uint8_t *data;
    size_t bytes;
    uint64_t offset_bytes;
};

/*
 * Read the copy whose header is at `header_lba`, from an edge that holds header and entries.
 * `block_bytes` is 512 to 4096, `capacity_bytes` a multiple of it. Always fills `ret_gpt`.
 */
void sto_gpt_read(const struct sto_edge *edge, uint64_t header_lba, uint32_t block_bytes,
                  uint64_t capacity_bytes, struct sto_gpt *ret_gpt);

/* True if both copies describe the same disk: GUID, usable range and every kept partition. */
bool sto_gpt_same(const struct sto_gpt *one, const struct sto_gpt *other);

/* True if the first block of the LUN (at least 512 bytes) is a protective MBR (UEFI 2.10 5.2.3). */
bool sto_gpt_protective_mbr(const void *block, size_t bytes);

/* The usual text of a GUID, in lower case, into `text`. Returns `text`. */
const char *sto_guid_text(const uint8_t guid[STO_GUID_BYTES], char text[STO_GUID_TEXT_BYTES]);

/* Read a GUID's text; false if it is not one. */
bool sto_guid_parse(const char *text, uint8_t ret_guid[STO_GUID_BYTES]);

#endif
