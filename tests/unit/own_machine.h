/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ownership machine driven by hand, for unit tests: a few lines of LUN answer each command as
 * a target would, until a test says otherwise. The LUN keeps who is registered and who holds; a
 * dropped session leaves its registration as a ghost. The gate is a flag, and a machine that opens
 * it without being the holder fails the test at once.
 */
#ifndef OWN_MACHINE_H
#define OWN_MACHINE_H

#include "storage/sto_own.h"
#include "tests/unit/unit.h"

enum { MACHINE_NODE = 3, MACHINE_OTHER = 7, MACHINE_NOTICES = 256 };

struct machine {
    struct sto_own *own;
    struct sto_own_config config;
    struct sto_own_actions actions; /* of the last step */
    int64_t now_ns, timer_ns;       /* timer_ns 0: none */
    bool out;                       /* `command` waits for its answer */
    struct sto_own_command command;
    unsigned commands; /* sent so far */
    bool open, drains;
    unsigned drops, control_drops, resets; /* sessions dropped, gates reset */
    int64_t confirmed_ns;
    struct sto_own_action last; /* the last notice */
    unsigned notices[STO_OWN_NOTICE_SUSPENDED + 1];
    /* the LUN: keys of others and ghosts, our registration, who holds */
    uint64_t others[32];
    unsigned other_count;
    uint64_t mine; /* 0: not registered */
    bool held, holds;
    uint64_t holder; /* key of the holder, if not us */
    uint8_t type;
    bool no_aptpl;
    struct sto_record record;
    int record_decode;
    const char *wwid;
    struct sto_pr_keys keys;
    struct sto_pr_reservation reservation;
};

/* What comes back instead of a good answer. */
struct machine_answer {
    enum sto_rc rc;
    uint16_t asc_ascq;
    int decode;
    bool executed; /* the LUN did it all the same */
};

/* A machine with a record of its cluster on a free LUN; set `config` and the rest before
 * machine_start(). */
void machine_init(struct machine *m);
void machine_fini(struct machine *m);
/* Make it (once) and start it under this grant. */
int machine_start(struct machine *m, uint32_t generation, bool takeover);
int machine_grant(struct machine *m, const struct sto_own_grant *grant);
/* One event; `now_ns` is filled in. */
int machine_event(struct machine *m, struct sto_own_event event);
/* An event that is nothing but its kind. */
void machine_tell(struct machine *m, enum sto_own_event_kind kind);

/* Answer what is out as the LUN would; or let the timer fire; false if nothing is under way. */
bool machine_next(struct machine *m);
/* Answer it so. */
void machine_answer(struct machine *m, const struct machine_answer *answer);
/* machine_next() until a command of this kind is out. False: nothing is under way any more. */
bool machine_until(struct machine *m, enum sto_own_command_kind kind);
/* The same for a PERSISTENT RESERVE OUT. */
bool machine_until_pr(struct machine *m, enum sto_pr_out action);
/* machine_next() until OWNED or nothing is under way. */
void machine_run(struct machine *m);

/* A key of this cluster. */
uint64_t machine_key(uint16_t node, uint32_t generation);
/* Another node holds the LUN with this key. */
void machine_held_by(struct machine *m, uint64_t key);
/* All that is not ours goes away, and so do we: as after a restart that kept nothing. */
void machine_clear(struct machine *m);
/* True if it is OWNED, open, and the LUN says the same. */
bool machine_is_sound(const struct machine *m);
/* True if nothing is owned, the gate is shut and the last notice was this. */
bool machine_ended(const struct machine *m, enum sto_own_notice notice, enum sto_own_reason reason);

#endif
