/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An entry of the replicated log: (term, index, hash of the entry before), a kind, and bytes that
 * only the kind's owner reads. The hash of an entry covers all of it, so that equal hashes mean
 * equal logs up to there. The same encoding is used on the wire and in the store.
 *
 * Little-endian: magic 4, version 2, kind 2, term 8, index 8, previous 8, size 4, CRC-32C 4 (of
 * all that with the CRC-32C of the bytes in this place); then the bytes.
 */
#ifndef CORE_ENTRY_H
#define CORE_ENTRY_H

#include <stddef.h>
#include <stdint.h>

enum { CORE_ENTRY_VERSION = 1, CORE_ENTRY_HEAD = 40, CORE_ENTRY_BYTES_MAX = 1 << 20 };
#define CORE_ENTRY_MAGIC UINT32_C(0x4e454348) /* "HCEN" */

/* Kinds below CORE_ENTRY_USER belong to the log itself. */
enum core_entry_kind {
    CORE_ENTRY_OPEN = 1, /* the first of a term; no bytes */
    CORE_ENTRY_MAP = 2,  /* a vote map (core_votes.h) */
    CORE_ENTRY_USER = 16,
};

struct core_entry {
    uint64_t term;
    uint64_t index; /* from 1, without gaps */
    uint64_t previous;
    uint16_t kind;
    uint32_t size;
    uint8_t *bytes; /* owned where the entry is owned; NULL if size is 0 */
};

/* xxh3 over the encoding's head (without its checksum) and the bytes. */
uint64_t core_entry_hash(const struct core_entry *entry);
/* Bytes that core_entry_encode() writes. */
size_t core_entry_size(const struct core_entry *entry);
/* Encode into `room` of core_entry_size() bytes. */
void core_entry_encode(const struct core_entry *entry, uint8_t *room);
/*
 * Decode all of `size` bytes; `ret_entry->bytes` points into them (borrowed). 0; -EBADMSG:
 * damaged; -EPROTONOSUPPORT: of a newer release. Untouched on errors.
 */
int core_entry_decode(const uint8_t *bytes, size_t size, struct core_entry *ret_entry);
/* An entry with bytes of its own, freed by core_entry_free(). 0 or -ENOMEM. */
int core_entry_copy(const struct core_entry *entry, struct core_entry *ret_copy);
/* Give the bytes back. */
void core_entry_free(struct core_entry *entry);

#endif
