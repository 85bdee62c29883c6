/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside of the lab's adversary: a program that behaves like an owner that lost its LUN and does
 * not care. It uses raw libiscsi and its own encoding of reservations; nothing of hawser's, so that
 * one mistake cannot sit on both sides.
 */
#ifndef LAB_ADVERSARY_H
#define LAB_ADVERSARY_H

#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>
#include <stdbool.h>
#include <stdint.h>

#include "stamp.h"

#define ADV_MAX_DEPTH  256u
#define ADV_MAX_BLOCKS 256u /* longest single write, in blocks */
#define ADV_OP_COUNT   13u

enum adv_result {
    ADV_GOOD,
    ADV_CONFLICT,
    ADV_UNIT_ATTENTION,
    ADV_MISCOMPARE,
    ADV_UNSUPPORTED, /* ILLEGAL REQUEST */
    ADV_OTHER,       /* any other answer of the target */
    ADV_LOST,        /* cancelled, timed out or connection gone: outcome unknown */
    ADV_RESULTS
};

/* How a write opcode lays out its command block and its data (SBC-3 clause 5). */
enum adv_shape {
    ADV_CDB6,
    ADV_CDB10,
    ADV_CDB12,
    ADV_CDB16,
    ADV_SAME10,
    ADV_SAME16,
    ADV_CAW,
    ADV_UNMAP
};

struct adv_op {
    const char *name;
    uint8_t opcode;
    enum adv_shape shape;
    unsigned weight;
};

struct adv_options {
    const char *url, *initiator, *mode;
    uint32_t isid_en, isid_qualifier;
    uint64_t key, node, generation, first_lba, blocks, seed;
    uint64_t depth, seconds, pr_every_ms, reset_every_ms, max_blocks;
    bool own, r2t;
    bool disabled[ADV_OP_COUNT];    /* never sent */
    bool until_quiet[ADV_OP_COUNT]; /* sent until SIGUSR1 */
};

enum adv_state { ADV_DOWN, ADV_CONNECTING, ADV_OWNING, ADV_READY };

struct adversary;

struct adv_slot {
    struct adversary *adversary;
    unsigned op;
    bool busy;
    uint8_t *data;
};

struct adversary {
    struct adv_options options;
    struct iscsi_url *where;
    struct iscsi_context *session; /* NULL when down */
    enum adv_state state;
    bool broken; /* the session must be torn down by the main loop */
    bool quiet;  /* SIGUSR1 came */
    bool quiet_said, conflict_said;
    bool was_owner;
    bool pr_busy; /* a reservation command of ours is under way */
    unsigned owning_step, attentions;
    uint64_t random, next_number, logins, resets, next_pr_ms, next_reset_ms;
    uint64_t results[ADV_OP_COUNT][ADV_RESULTS];
    uint64_t pr_results[8][ADV_RESULTS];        /* by service action of PERSISTENT RESERVE OUT */
    uint64_t good_writes, conflicts;            /* of write opcodes */
    uint64_t answers, answers_seen, answers_ms; /* of anything; when the number last grew */
    bool flooding_said;
    struct adv_slot slots[ADV_MAX_DEPTH];
};

/* Name of a result, for the counters. */
const char *adv_result_name(enum adv_result result);

/* Translates libiscsi's status of a finished task (may be NULL) into a result. */
enum adv_result adv_judge(int status, const struct scsi_task *task);

/* The table of write opcodes, ADV_OP_COUNT long. */
const struct adv_op *adv_ops(void);

/* Index of the opcode called `name` (`length` characters), or -1. */
int adv_op_find(const char *name, size_t length);

/* Submits one write with opcode `op` at a random place from `slot`; 0, or -1 when libiscsi refused
 * it. */
int adv_write_submit(struct adversary *adversary, struct adv_slot *slot, unsigned op);

/* Fills every free slot with a new write chosen by weight. */
void adv_write_fill(struct adversary *adversary);

/* Starts a session (connect, login, and on the first one REGISTER and RESERVE); 0 or -1. Ends in
 * state ADV_READY or broken. */
int adv_session_start(struct adversary *adversary);

/* Destroys the session; every task under way is counted as lost. */
void adv_session_end(struct adversary *adversary);

/* Waits up to `timeout_ms` for the session's socket and serves it; sets `broken` when it is gone.
 */
void adv_session_serve(struct adversary *adversary, int timeout_ms);

/* Sends a random REGISTER, REGISTER AND IGNORE, RESERVE or PREEMPT, always of the own key only. */
void adv_session_meddle(struct adversary *adversary);

/* Sends PERSISTENT RESERVE OUT (SPC-4 6.16) with service action `action`, type EXCLUSIVE ACCESS; 0
 * or -1. */
int adv_session_pr_out(struct adversary *adversary, unsigned action, uint64_t key,
                       uint64_t action_key, iscsi_command_cb callback);

/* Sends LOGICAL UNIT RESET (SAM-5 7.7); 0 or -1. */
int adv_session_reset(struct adversary *adversary);

/* The modes that are no flood: each returns the program's exit status. */
int adv_mode_probe(struct adversary *adversary);
int adv_mode_show(struct adversary *adversary);
int adv_mode_clear(struct adversary *adversary);

#endif
