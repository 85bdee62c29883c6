/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small world for the saved state of one VM as it runs in production (save and restore machines,
 * header slots): processes on three nodes that save the guest, restore it, start it cold, stall and
 * die, over a disk that loses power, and oracles that see every header and every time that the
 * guest runs. Only the process that has the LUN gets at it, and it is given on only when the guest
 * of the one before has been stopped or killed, as the cluster does.
 */
#ifndef SAVED_WORLD_H
#define SAVED_WORLD_H

#include "common/hw_prng.h"
#include "tests/sim/save_disk.h"
#include "tests/sim/save_guest.h"
#include "tests/sim/save_target.h"

enum {
    SAVED_NODES = 3,
    SAVED_WHY_BYTES = 256,
    SAVED_SLOT_PAGES = STO_STATE_HEADER_BYTES / SAVE_DISK_PAGE_BYTES, /* from slot A to slot B */
};

struct saved_world;

/* A VMM: it has a guest that runs or is saved, or is about to have one. */
struct saved_process {
    struct saved_world *world;
    unsigned number; /* 0: there is none */
    unsigned holder; /* at the disk: another one with each time that it is given the LUN */
    uint16_t node;
    uint32_t owner_generation;
    struct save_target *target; /* how it came by its guest */
    struct save_guest *guest;   /* NULL: none yet */
    struct save_disk_user user; /* of its save */
    uint8_t *part;
    bool saving;
    bool over;      /* it has nothing more to do: refused, looked only, powered off, lost */
    bool committed; /* COMMITTED was attempted, and its guest has not run since */
    bool ran;       /* since it came here, or was stopped last */
    bool consumes;  /* CONSUMED was attempted: it runs when that has been answered */
    bool disturbed; /* a request of it was answered with an error */
    bool unreadable[STO_SAVED_SLOTS]; /* the slot, when it was read last */
    bool spoilt[STO_SAVED_SLOTS];     /* what was read there was damaged */
    uint64_t claimed;                 /* the save that it restores */
    uint64_t state;                   /* the save that its guest came from, or its own since */
    uint64_t restarts;                /* of the disk, when it began */
    unsigned frozen;                  /* how often it was and went on */
    unsigned headers;                 /* requests for slots, and flushes, under way */
    uint64_t pauses;                  /* that were seen */
};

struct saved_stats {
    uint64_t saves, restores, lazy, resumed, cold, refused, lost, frozen, troubles, carried;
};

struct saved_world {
    bool trace;
    struct hw_prng prng;
    struct save_disk *disk;
    struct saved_process processes[SAVED_NODES]; /* one a node */
    struct saved_process *owner;                 /* who has the LUN; NULL: nobody */
    unsigned numbers, holders, steps;
    uint32_t owner_generation; /* granted last */
    /* what the oracles know */
    uint64_t beats;       /* how often the guest ran, wherever: so far is its disk */
    uint64_t saves;       /* their numbers: saved_s of the headers */
    uint64_t saved;       /* the newest one whose COMMITTED was attempted: */
    uint64_t saved_beats; /* how often the guest had run then, */
    uint8_t *memory;      /* and what it held */
    uint64_t promised;   /* a save that was reported saved, and nobody has ended: it must restore */
    uint64_t given_up;   /* a save whose CONSUMED was attempted, and those before it */
    uint64_t events;     /* that may have changed a slot, or what a cut would leave of it, */
    uint64_t judged;     /* and how many there were when that was judged last */
    unsigned writer;     /* process that wrote a header last */
    bool damaged;        /* bits were flipped or a slot wiped, and not written since: */
    uint64_t damaged_at; /* this save, and those before it, may be hit */
    struct saved_stats *stats;
    char broken[SAVED_WHY_BYTES]; /* the first oracle that failed */
};

/* A world with an empty disk; ended with saved_world_end(). Aborts without memory. */
void saved_world_make(struct saved_world *world, uint64_t seed, bool trace,
                      struct saved_stats *stats);
void saved_world_end(struct saved_world *world);

/* A new process, on a node without one, is given the LUN and begins. */
struct saved_process *saved_start(struct saved_world *world, enum vmm_restore_mode mode);
/* The process dies: no goodbye. */
void saved_kill(struct saved_process *process);
/*
 * The LUN goes to this process; its last owner is killed, unless its guest is stopped for good. A
 * process that had it before has seen its requests fail since: what it asked for under an earlier
 * grant is never carried out. False: that ended it.
 */
bool saved_give(struct saved_world *world, struct saved_process *process);
/* Its guest is to be saved. */
void saved_save(struct saved_process *process, bool live);
/* Look at what its machines told since the last look. */
void saved_look(struct saved_process *process);
/* The storage answers again, or another owner gave the LUN back: go on. */
void saved_go_on(struct saved_process *process, bool resume);
/* One request of the owner ends, a little time passes. False: it waits for nothing. */
bool saved_step(struct saved_world *world);
/* Power of the disk, with any part of what was not flushed kept. */
void saved_power(struct saved_world *world);

/* Is it stopped, and does not run again by itself? */
bool saved_is_stopped(const struct saved_process *process);
/* Does it wait for the storage? */
bool saved_is_frozen(const struct saved_process *process);
/* Is its guest running? */
bool saved_runs(const struct saved_process *process);
/* Is it a save that has ended, the guest stopped? */
bool saved_has_saved(const struct saved_process *process);

/* One line of the trace, if it is on. */
void saved_say(const struct saved_world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* An oracle fails. The first one counts. */
void saved_break(struct saved_world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* saved_oracle.c */
/* The disk's requests, watched. */
struct save_disk_watch saved_watch(struct saved_world *world);
/* The guest may run here from now on: is it what was saved? */
void saved_judge_ready(struct saved_process *process);
/* The guest runs now: was it the last one to run, and is there nothing left to restore? */
void saved_judge_run(struct saved_process *process);
/* The guest was stopped for the last pages. */
void saved_judge_pause(struct saved_process *process);
/* Block `block` of a lazily restored guest was loaded since the last look, or not yet. */
void saved_judge_block(struct saved_process *process, uint64_t block, bool was_unloaded);
/* It waits for its storage: for a good reason? */
void saved_judge_frozen(struct saved_process *process);
/* Nothing was restored or started: for a good reason? */
void saved_judge_refusal(struct saved_process *process);
/* A save has ended. */
void saved_judge_outcome(struct saved_process *process);
/* What the slots say now. */
enum sto_saved_verdict saved_verdict(const struct saved_world *world);

#endif
