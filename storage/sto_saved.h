/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The header of a saved state, in the two slots at the start of hawser-state (vmm.md, "Saved state
 * on the LUN"), and what both together say: may a VM be restored, may one start cold, may its disk
 * be written at all. A header fits one 512-byte sector, so that a torn write never mixes two.
 * Whoever saves, restores or starts writes the other slot with a generation one higher; the newer
 * valid one counts. Pure: bytes in, structs out.
 */
#ifndef STO_SAVED_H
#define STO_SAVED_H

#include <stdbool.h>
#include <stdint.h>

enum {
    STO_SAVED_BYTES = 512,
    STO_SAVED_SLOTS = 2,
    STO_SAVED_MAJOR = 1, /* another one is not understood */
    STO_SAVED_MINOR = 0, /* a greater one of the same major is */
    STO_SAVED_DIGEST_BYTES = 16,
};

/* clang-format off */
/* Name and number on disk. */
#define STO_SAVED_STATES(X) \
    X(EMPTY, 1)     /* nothing is saved: the guest powered itself off during a save */ \
    X(WRITING, 2)   /* a save is under way, or was cut off */ \
    X(COMMITTED, 3) /* complete: may be restored, and nothing may run or write before it is */ \
    X(CLAIMED, 4)   /* a restore has begun; may be begun again by whoever owns the LUN */ \
    X(CONSUMED, 5)  /* it ran, or was given up: never again */
/* clang-format on */

enum sto_saved_state {
#define STO_SAVED_STATE_ENUM(name, number) STO_SAVED_##name = (number),
    STO_SAVED_STATES(STO_SAVED_STATE_ENUM)
#undef STO_SAVED_STATE_ENUM
};

/* "committed" and so on, or "?" */
const char *sto_saved_state_name(enum sto_saved_state state);

/* A part of hawser-state: where it is and what its bytes hash to (xxh3-64). */
struct sto_saved_part {
    uint64_t offset_bytes, length_bytes, hash;
};

struct sto_saved {
    enum sto_saved_state state;
    uint16_t minor; /* as read; written as STO_SAVED_MINOR */
    uint8_t vm_uuid[16];
    uint64_t generation;       /* of this header; each one written is one higher */
    uint16_t node;             /* who wrote it, */
    uint32_t owner_generation; /* under which generation of ownership */
    uint64_t memory_bytes;     /* of the guest */
    uint32_t cpus;
    struct sto_saved_part sections, table, delta; /* delta: its index */
    uint64_t memory_offset_bytes;
    uint8_t digest[STO_SAVED_DIGEST_BYTES]; /* of what the target must have */
    uint64_t saved_s;                       /* wall clock, for people only */
};

/* Encode into one sector; what follows the fields is zero. */
void sto_saved_encode(const struct sto_saved *saved, uint8_t sector[STO_SAVED_BYTES]);

/*
 * Decode one sector. 0; -ENOENT if it is all zeroes (never written); -EPROTONOSUPPORT if it is a
 * header of another major version; -EBADMSG if it is anything else.
 */
int sto_saved_decode(const uint8_t sector[STO_SAVED_BYTES], struct sto_saved *ret_saved);

/* What both slots together say. */
enum sto_saved_verdict {
    /* Nothing is saved and neither slot could say otherwise: a VM may start cold. */
    STO_SAVED_CLEAN,
    /* A state waits to be restored. Nothing may run or write before it is consumed. */
    STO_SAVED_WAITS,
    /* There is nothing to restore, but a slot is unreadable, or holds a state that a flipped bit in
     * the other one would revive: CONSUMED has to be written into both before anything starts. */
    STO_SAVED_UNSETTLED,
    /* A slot was written by a version of hawser that this one does not understand. */
    STO_SAVED_FOREIGN,
};

/* "clean", "waits", "unsettled", "foreign" */
const char *sto_saved_verdict_name(enum sto_saved_verdict verdict);

struct sto_saved_look {
    enum sto_saved_verdict verdict;
    bool known;             /* a valid header was found: */
    struct sto_saved saved; /* the newest one, */
    unsigned slot;          /* and where it stands */
    bool damaged[STO_SAVED_SLOTS];
    /* UNSETTLED only because of WRITING: nothing here could be revived, so a guest that runs while
     * it is saved may go on. A cold start still writes CONSUMED first. */
    bool saving;
};

/*
 * Judge both slots. An unreadable one counts as CONSUMED: nothing is restored then, whatever the
 * other says (timing.md, Saved state and ownership).
 */
void sto_saved_judge(const uint8_t slot_a[STO_SAVED_BYTES], const uint8_t slot_b[STO_SAVED_BYTES],
                     struct sto_saved_look *ret_look);

/*
 * The header to write in place of what was found, in state `state`: the newest one with the next
 * generation, or an empty one of generation 1; `ret_slot` is the slot to write, never that of the
 * newest. Of CONSUMED both slots are written, one after the other, by calling this again with what
 * was found then.
 */
struct sto_saved sto_saved_next(const struct sto_saved_look *look, enum sto_saved_state state,
                                unsigned *ret_slot);

#endif
