/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of the probe: sto_probe.c (building steps) and sto_probe_result.c (judging them). */
#ifndef STO_PROBE_PRIV_H
#define STO_PROBE_PRIV_H

#include "storage/sto_probe.h"

/* The row. Cleaning up starts at CLEAN_A. */
enum probe_step {
    LOOK_KEYS,
    LOOK_RESERVATION,
    ASK_CAPABILITIES,
    REGISTER_A,
    RESERVE_A,
    SEE_A_HOLDS,
    WRITE_A,
    INTRUDE_B, /* once for each intrusion */
    REGISTER_B,
    WRITE_REGISTERED_B,
    READ_BACK_A,
    PREEMPT_WRONG_B,
    SEE_A_STILL_HOLDS,
    PREEMPT_B,
    SEE_ONLY_B,
    SEE_B_HOLDS,
    WRITE_PREEMPTED_A,
    WRITE_HOLDER_B,
    RESET_B,
    SEE_B_STILL_HOLDS,
    RELOGIN_B,
    WRITE_RELOGGED_B,
    CLEAN_LOGIN_A, /* only after a broken-off row: a session may be gone */
    CLEAN_LOGIN_B,
    CLEAN_B,
    CLEAN_A,
    CLEAN_LOOK,
    CLEAN_GHOST_REGISTER,
    CLEAN_GHOST_PREEMPT,
    CLEAN_GHOST_LEAVE,
    SEE_NOTHING,
    END,
};

enum { NODE_A = 0xfffe, NODE_B = 0xffff, CLEAN_ROUNDS = 6 };
/* blocks of the scratch place beyond those of the intrusions */
enum { BLOCK_REGISTERED = STO_PROBE_INTRUSIONS, BLOCK_PREEMPTED, BLOCK_HOLDER };

/* The key of one of the probe's two nodes. */
uint64_t probe_key(const struct sto_probe *probe, uint16_t node, uint32_t generation);

#endif
