/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A model of one logical unit behind a target, on a virtual clock: SPC-4 persistent reservations,
 * unit attentions, LUN RESET, commands that take time inside the target, sessions that end under
 * way, restarts with and without persistence. It is the peer of the simulator and of the table of
 * reservation sequences. It never reads a clock: time comes with each call. Quirks of real
 * targets are switches; where they were seen stands in doc/ownership.md.
 */
#ifndef STO_MODEL_H
#define STO_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sto_model;

enum { STO_MODEL_BLOCK_BYTES = 512, STO_MODEL_NEXUSES = 64, STO_MODEL_ATTENTIONS = 16 };

struct sto_model_quirks {
    bool persists;          /* APTPL is accepted and kept over a restart (LIO); else refused */
    bool by_session;        /* a new login is a new nexus, the old registration a ghost (tgtd);
                               else the nexus is initiator name + ISID, and a login with the same
                               ones ends the old session (reinstatement) */
    bool preempts_wrong;    /* PREEMPT answers GOOD and removes another registration (istgt) */
    bool reset_aborts;      /* LUN RESET aborts what is under way instead of waiting for it */
    bool reset_unsupported; /* LUN RESET answers 5 */
    bool no_full_status;
    bool unregister_uncounted; /* PRGENERATION stays when a nexus unregisters (LIO) */
    bool hides_capacity;       /* READ CAPACITY conflicts under exclusive access (LIO) */
    bool names_reset;          /* LUN RESET is told as 29/03 instead of 29/00 (LIO) */
};

/* What a command came to. */
struct sto_model_reply {
    uint8_t status; /* SAM-5; 0 GOOD, 2 CHECK CONDITION, 18h RESERVATION CONFLICT ... */
    uint8_t sense_key;
    uint16_t asc_ascq;
    uint8_t tmf_response; /* LUN RESET */
    size_t data_in_bytes;
};

/* One command. The caller owns it and its buffers until `done`, which the model calls once from
 * sto_model_advance(), or never if the nexus ended first (sto_model_end_session() tells). */
struct sto_model_command {
    int nexus;
    bool reset; /* LOGICAL UNIT RESET instead of a CDB */
    uint8_t cdb[16];
    uint8_t *data; /* data-out, or room for data-in */
    size_t data_bytes;
    int64_t takes_ns; /* time inside the target, once accepted */
    void (*done)(struct sto_model_command *command, const struct sto_model_reply *reply);
    void *context;
};

struct sto_model_config {
    struct sto_model_quirks quirks;
    uint64_t blocks;
    /* Told of every write that lands, at the time it lands. May be NULL. */
    void (*landed)(void *context, int nexus, uint64_t lba, const uint8_t *data, size_t bytes);
    /* May answer a command that passed attentions and reservation out of turn: BUSY or TASK SET
     * FULL (not executed), ABORTED COMMAND (executed all the same if `executed` says so). True:
     * `reply` is the answer. NULL: never. */
    bool (*disturbs)(void *context, const uint8_t cdb[16], struct sto_model_reply *reply,
                     bool *executed);
    void *context;
};

/* A logical unit full of zeroes. NULL: out of memory. The caller frees it. */
struct sto_model *sto_model_new(const struct sto_model_config *config);
/* Free it with everything under way; `done` is not called. NULL is allowed. */
void sto_model_free(struct sto_model *model);

/*
 * A session of this initiator port (name + ISID as one number). Returns the nexus, a number that no
 * other session gets, or -EAGAIN if STO_MODEL_NEXUSES are in use. A unit attention 29/00 waits on a
 * new nexus.
 */
int sto_model_login(struct sto_model *model, uint64_t initiator_port);
/*
 * The session is gone. What it had accepted goes on inside the target but answers nobody; with
 * quirk by_session its registration stays as a ghost.
 */
void sto_model_end_session(struct sto_model *model, int nexus);
/* True while commands of this nexus are taken. */
bool sto_model_session_up(const struct sto_model *model, int nexus);

/*
 * A command arrives. Judged at once (unit attention, reservation), executed after takes_ns. Its
 * reply comes from sto_model_advance(). A copy is made of what outlives the session. 0, -ENOTCONN
 * if the session is not up (nothing happens), -ENOMEM.
 */
int sto_model_submit(struct sto_model *model, int64_t now_ns, struct sto_model_command *command);

/* When something next happens; INT64_MAX = nothing is under way. */
int64_t sto_model_next_ns(const struct sto_model *model);
/* Let time pass: writes land, replies go out. */
void sto_model_advance(struct sto_model *model, int64_t now_ns);

/*
 * The target restarts: all sessions end, reservations and registrations go unless they were
 * activated to persist, and of what is under way each command lands or not as `lands` (a seeded
 * coin of the caller) says.
 */
void sto_model_restart(struct sto_model *model, int64_t now_ns, bool (*lands)(void *context),
                       void *context);

/* Queue a unit attention on a nexus (dropped when STO_MODEL_ATTENTIONS wait). */
void sto_model_attention(struct sto_model *model, int nexus, uint16_t asc_ascq);

/* Put a block there, as a factory would. False beyond the end. */
bool sto_model_poke(struct sto_model *model, uint64_t lba, const uint8_t *block);
/* The block as it is now; NULL beyond the end. */
const uint8_t *sto_model_block(const struct sto_model *model, uint64_t lba);
/* The key of the present holder and whether there is one; for oracles. */
bool sto_model_holder(const struct sto_model *model, uint64_t *ret_key, int *ret_nexus);
/* Registered keys, for oracles: count, up to `room` of them in `keys`. */
unsigned sto_model_registered(const struct sto_model *model, uint64_t *keys, unsigned room);

#endif
