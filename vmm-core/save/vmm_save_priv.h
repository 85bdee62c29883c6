/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The save machine from the inside, for vmm_save*.c only: its phases, its pool of requests, the
 * walk over dirty pages, and the pieces of table, index and sections that have to be written.
 */
#ifndef VMM_SAVE_PRIV_H
#define VMM_SAVE_PRIV_H

#include "vmm-core/save/vmm_save.h"
#include "vmm-core/save/vmm_save_delta.h"
#include "vmm-core/save/vmm_save_record.h"
#include "vmm-core/save/vmm_save_slots.h"

/* clang-format off */
/* Name, and which may come after it. */
#define VMM_SAVE_PHASES(X) \
    X(LOOKING, TO(CLEARING) | TO(MARKING) | TO(ENDING))   /* reads both slots */ \
    X(CLEARING, TO(MARKING) | TO(ENDING))                 /* CONSUMED into both: they were not settled */ \
    X(MARKING, TO(ROUND) | TO(PAUSING) | TO(ENDING))      /* WRITING into one */ \
    X(ROUND, TO(FLUSHING) | TO(ENDING))                   /* writes pages, then what changed of the table */ \
    X(FLUSHING, TO(ROUND) | TO(PAUSING) | TO(COMMITTING) | TO(ENDING)) \
    X(PAUSING, TO(ROUND) | TO(ENDING))                    /* waits until the guest is stopped */ \
    X(COMMITTING, TO(SAVED) | TO(UNKNOWN))                /* COMMITTED into the other slot */ \
    X(SAVED, TO(REVIEWING)) \
    X(UNKNOWN, TO(REVIEWING))                             /* frozen until the storage answers */ \
    X(REVIEWING, TO(UNKNOWN) | TO(COMMITTING) | TO(RESUMING) | TO(ENDED)) /* reads both slots */ \
    X(RESUMING, TO(UNKNOWN) | TO(ENDED))                  /* CONSUMED into both */ \
    X(ENDING, TO(ENDED))                                  /* waits for requests, then EMPTY into both */ \
    X(ENDED, 0)
/* clang-format on */

enum vmm_save_phase {
#define VMM_SAVE_PHASE_ENUM(name, moves) VMM_SAVE_PHASE_##name,
    VMM_SAVE_PHASES(VMM_SAVE_PHASE_ENUM)
#undef VMM_SAVE_PHASE_ENUM
};

/* A request of the pool. */
struct vmm_save_request {
    struct vmm_save_op op;
    struct iovec iov[VMM_SAVE_IOV_MAX];
    uint64_t bytes;
    bool busy;
    struct vmm_save *save;
};

/* Something in the private part that has a place on the LUN, written where it changed. */
struct vmm_save_piece {
    const uint8_t *memory;
    uint64_t offset_bytes, pages;
    uint64_t *changed; /* bit for each page */
    uint64_t at;       /* pages before this one have been looked at */
};

enum vmm_save_piece_index { VMM_SAVE_TABLE, VMM_SAVE_INDEX, VMM_SAVE_SECTIONS, VMM_SAVE_PIECES };

struct vmm_save_walk {
    uint64_t next;    /* block to be looked at next */
    uint64_t block;   /* whose pages are being written: */
    uint16_t left;    /* these */
    uint16_t nonzero; /* of the block */
    bool home;        /* and not to the delta area */
    bool apart;       /* gaps must not be bridged: they are not in memory */
    const uint8_t *base;
    uint64_t data_first, data_end; /* the run of data found last */
};

struct vmm_save {
    struct vmm_save_options options;
    struct vmm_save_needs needs;
    struct vmm_save_memory memory;
    struct vmm_save_queue queue;
    struct vmm_save_guest guest;
    struct vmm_save_geometry geometry;
    struct vmm_save_private part;
    struct vmm_save_slots slots;
    enum vmm_save_phase phase;
    /* pages */
    uint64_t *pending; /* bit for each page: has to be written */
    uint64_t *carried; /* bit for each block: carried over, its record stands */
    struct vmm_save_delta delta;
    struct vmm_save_walk walk;
    struct vmm_save_piece pieces[VMM_SAVE_PIECES];
    unsigned table_slot;        /* which table and sections are written */
    struct sto_saved committed; /* the header that was attempted last */
    uint64_t generation;        /* of the header of this save, and of those written after it */
    size_t section_bytes;
    /* requests */
    struct vmm_save_request pool[VMM_SAVE_DEPTH_MAX];
    struct vmm_save_request flush;
    unsigned in_flight;
    uint64_t target_restarts;
    /* rounds */
    unsigned round, throttle_percent, started_over;
    bool tracking; /* dirty pages are logged */
    bool pausing;  /* the guest was told to stop and has not answered */
    bool paused;
    bool final;    /* the round in the pause */
    bool marked;   /* WRITING was attempted */
    bool settling; /* EMPTY is being written */
    bool off;      /* the guest powered itself off */
    bool cancelled, resume_wanted, consuming;
    int rc;
    uint64_t started_ns, round_ns, pause_ns, durable_ns, next_ns;
    uint64_t written_bytes, round_bytes, last_pages;
};

/* Into another phase; asserts that it may. */
void vmm_save_move(struct vmm_save *save, enum vmm_save_phase phase);
/* Give up before COMMITTED was attempted: the guest runs on. */
void vmm_save_fail(struct vmm_save *save, int rc);
/* If it is to end and nothing is under way any more: EMPTY into both slots, and say so. */
void vmm_save_settle_end(struct vmm_save *save);
/* End, and say so. */
void vmm_save_end(struct vmm_save *save, enum vmm_save_outcome outcome, int rc);
/* The guest runs again, as it did before. */
void vmm_save_let_run(struct vmm_save *save);
/* Device state into the sections, which are to be written. 0 or -errno. */
int vmm_save_take_state(struct vmm_save *save);

/* vmm_save_walk.c */
/* All of memory is to be written, but what has no data or is carried over. 0 or -errno. */
int vmm_save_walk_all(struct vmm_save *save);
/* Begin a walk over what is pending. */
void vmm_save_walk_begin(struct vmm_save *save);
/* Fill a request with pages. False: nothing is left. -errno in `ret_rc`. */
bool vmm_save_walk_fill(struct vmm_save *save, struct vmm_save_request *request, int *ret_rc);
/* Pages that are pending. */
uint64_t vmm_save_walk_count(const struct vmm_save *save);

/* vmm_save_piece.c */
/* Mark bytes of a piece as changed. */
void vmm_save_piece_touch(struct vmm_save_piece *piece, uint64_t first_byte, uint64_t bytes);
/* Fill a request with what changed. False: nothing is left. */
bool vmm_save_piece_fill(struct vmm_save *save, enum vmm_save_piece_index index,
                         struct vmm_save_request *request);

/* vmm_save_round.c */
/* A round begins: what is pending is written. */
void vmm_save_round_begin(struct vmm_save *save);
/* Submit what may be submitted. */
void vmm_save_pump(struct vmm_save *save);
/* From the start again: what was written may be lost. */
void vmm_save_start_over(struct vmm_save *save);
/* Stop the guest for the last pages. */
void vmm_save_pause(struct vmm_save *save);

/* vmm_save_commit.c */
/* Everything but the header is durable. */
void vmm_save_commit(struct vmm_save *save);
/* A call on the slots ended, in one of the phases from COMMITTING on. */
void vmm_save_commit_done(struct vmm_save *save, int rc);
/* Read the slots and decide. */
void vmm_save_review(struct vmm_save *save);

#endif
