/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The probe's machine: a fixed row of steps, then cleaning up. Each step is built here from what
 * is known; sto_probe_result.c judges what came back. The first thing that does not hold ends the
 * row, never the cleaning up.
 */
#include "config.h"

#include "storage/sto_probe_priv.h"

#include <string.h>

static const struct {
    const char *name;
    uint8_t opcode;
} intrusions[STO_PROBE_INTRUSIONS] = {
    [STO_PROBE_WRITE_10] = { "WRITE(10)", 0x2a },
    [STO_PROBE_WRITE_12] = { "WRITE(12)", 0xaa },
    [STO_PROBE_WRITE_16] = { "WRITE(16)", 0x8a },
    [STO_PROBE_WRITE_VERIFY_10] = { "WRITE AND VERIFY(10)", 0x2e },
    [STO_PROBE_WRITE_VERIFY_12] = { "WRITE AND VERIFY(12)", 0xae },
    [STO_PROBE_WRITE_VERIFY_16] = { "WRITE AND VERIFY(16)", 0x8e },
    [STO_PROBE_WRITE_SAME_10] = { "WRITE SAME(10)", 0x41 },
    [STO_PROBE_WRITE_SAME_16] = { "WRITE SAME(16)", 0x93 },
    [STO_PROBE_UNMAP] = { "UNMAP", 0x42 },
    [STO_PROBE_COMPARE_AND_WRITE] = { "COMPARE AND WRITE", 0x89 },
    [STO_PROBE_ORWRITE_16] = { "ORWRITE(16)", 0x8b },
    [STO_PROBE_READ_16] = { "READ(16)", 0x88 },
};

const char *sto_probe_intrusion_name(enum sto_probe_intrusion intrusion)
{
    return intrusion < STO_PROBE_INTRUSIONS ? intrusions[intrusion].name : "?";
}

uint64_t probe_key(const struct sto_probe *probe, uint16_t node, uint32_t generation)
{
    const struct sto_key_parts parts = { .cluster_hash = probe->config.cluster_hash,
                                         .node = node,
                                         .generation = generation };

    return sto_key_make(&parts);
}

void sto_probe_begin(struct sto_probe *probe, const struct sto_probe_config *config)
{
    *probe = (struct sto_probe) { .config = *config, .step = LOOK_KEYS };
}

/* --- building commands --- */

static void put_be(uint8_t *at, uint64_t value, unsigned bytes)
{
    while (bytes-- > 0)
        *at++ = (uint8_t)(value >> 8 * bytes);
}

/* A command on `blocks` from `lba`; the place of address and count follows from the CDB's size
 * (SPC-4 4.3: the group code in the top three bits). */
static void build_transfer(struct sto_probe_command *command, uint8_t opcode, uint64_t lba,
                           uint32_t blocks)
{
    uint8_t *cdb = command->cdb;

    cdb[0] = opcode;
    switch (opcode >> 5) {
    case 4:
        put_be(cdb + 2, lba, 8);
        put_be(cdb + 10, blocks, 4);
        command->cdb_bytes = 16;
        break;
    case 5:
        put_be(cdb + 2, lba, 4);
        put_be(cdb + 6, blocks, 4);
        command->cdb_bytes = 12;
        break;
    default:
        put_be(cdb + 2, lba, 4);
        put_be(cdb + 7, blocks, 2);
        command->cdb_bytes = 10;
        break;
    }
}

static void build_data(const struct sto_probe *probe, struct sto_probe_command *command,
                       enum sto_probe_who who, uint8_t opcode, unsigned block, uint32_t blocks)
{
    command->who = who;
    command->action = STO_PROBE_DO_COMMAND;
    command->direction = opcode == 0x88 ? STO_DIRECTION_IN : STO_DIRECTION_OUT;
    command->data_bytes = (size_t)blocks * probe->config.block_bytes;
    build_transfer(command, opcode, probe->config.scratch_lba + block, blocks);
}

static void build_intrusion(const struct sto_probe *probe, struct sto_probe_command *command)
{
    unsigned i = probe->intrusion;

    command->words = intrusions[i].name;
    build_data(probe, command, STO_PROBE_B, intrusions[i].opcode, i, 1);
    if (i == STO_PROBE_COMPARE_AND_WRITE) {
        memset(command->cdb + 10, 0, 4);
        command->cdb[13] = 1; /* NUMBER OF LOGICAL BLOCKS (SBC-3 5.3) */
        command->data_bytes = (size_t)2 * probe->config.block_bytes;
    } else if (i == STO_PROBE_UNMAP) {
        memset(command->cdb + 1, 0, 9);
        command->cdb[8] = 24; /* PARAMETER LIST LENGTH (SBC-3 5.35) */
        command->data_bytes = 24;
    }
}

static void build_pr_out(struct sto_probe_command *command, enum sto_probe_who who,
                         enum sto_pr_out action, uint64_t key, uint64_t service_key)
{
    command->who = who;
    command->action = STO_PROBE_DO_PR_OUT;
    command->request = (struct sto_pr_out_request) {
        .action = action, .type = STO_PR_EXCLUSIVE_ACCESS, .key = key, .service_key = service_key
    };
    if (action == STO_PR_REGISTER)
        command->request.type = STO_PR_NONE;
}

static void build_pr_in(struct sto_probe_command *command, enum sto_probe_who who,
                        enum sto_probe_action action, size_t bytes)
{
    command->who = who;
    command->action = action;
    command->direction = STO_DIRECTION_IN;
    command->data_bytes = bytes;
}

static void build_look(struct sto_probe_command *command, enum sto_probe_who who, bool keys)
{
    command->words = keys ? "READ KEYS" : "READ RESERVATION";
    build_pr_in(command, who, keys ? STO_PROBE_DO_READ_KEYS : STO_PROBE_DO_READ_RESERVATION,
                keys ? STO_PR_KEYS_ANSWER_BYTES : STO_PR_RESERVATION_ANSWER_BYTES);
}

static void build_clean(const struct sto_probe *probe, struct sto_probe_command *command)
{
    command->words = "cleaning up";
    switch ((enum probe_step)probe->step) {
    case CLEAN_LOGIN_A:
    case CLEAN_LOGIN_B:
        command->who = probe->step == CLEAN_LOGIN_A ? STO_PROBE_A : STO_PROBE_B;
        command->action = STO_PROBE_DO_RELOGIN;
        break;
    case CLEAN_B:
        build_pr_out(command, STO_PROBE_B, STO_PR_REGISTER, probe->key[STO_PROBE_B], 0);
        break;
    case CLEAN_A:
        build_pr_out(command, STO_PROBE_A, STO_PR_REGISTER, probe->key[STO_PROBE_A], 0);
        break;
    case CLEAN_GHOST_REGISTER: /* whatever this nexus has: no key of the probe is kept */
        build_pr_out(command, STO_PROBE_A, STO_PR_REGISTER_IGNORE, 0,
                     probe_key(probe, NODE_A, 16 + probe->rounds));
        break;
    case CLEAN_GHOST_PREEMPT:
        build_pr_out(command, STO_PROBE_A, STO_PR_PREEMPT, probe->key[STO_PROBE_A], probe->ghost);
        break;
    case CLEAN_GHOST_LEAVE:
        build_pr_out(command, STO_PROBE_A, STO_PR_REGISTER, probe->key[STO_PROBE_A], 0);
        break;
    case SEE_NOTHING:
        build_look(command, STO_PROBE_A, false);
        break;
    default:
        build_look(command, STO_PROBE_A, true);
        break;
    }
}

static void build_row(struct sto_probe *probe, struct sto_probe_command *command)
{
    uint64_t key_a = probe_key(probe, NODE_A, 1), key_b = probe_key(probe, NODE_B, 1);

    switch ((enum probe_step)probe->step) {
    case LOOK_KEYS:
        build_look(command, STO_PROBE_A, true);
        break;
    case SEE_ONLY_B:
        build_look(command, STO_PROBE_B, true);
        break;
    case LOOK_RESERVATION:
    case SEE_A_HOLDS:
    case SEE_A_STILL_HOLDS:
        build_look(command, STO_PROBE_A, false);
        break;
    case SEE_B_HOLDS:
    case SEE_B_STILL_HOLDS:
        build_look(command, STO_PROBE_B, false);
        break;
    case ASK_CAPABILITIES:
        command->words = "REPORT CAPABILITIES";
        build_pr_in(command, STO_PROBE_A, STO_PROBE_DO_CAPABILITIES,
                    STO_PR_CAPABILITIES_ANSWER_BYTES);
        break;
    case REGISTER_A:
        command->words = "REGISTER";
        build_pr_out(command, STO_PROBE_A, STO_PR_REGISTER, 0, key_a);
        command->request.aptpl = probe->aptpl;
        break;
    case RESERVE_A:
        command->words = "RESERVE";
        build_pr_out(command, STO_PROBE_A, STO_PR_RESERVE, key_a, 0);
        break;
    case WRITE_A:
        command->words = "WRITE of the holder";
        build_data(probe, command, STO_PROBE_A, 0x8a, 0, STO_PROBE_BLOCKS);
        break;
    case INTRUDE_B:
        build_intrusion(probe, command);
        break;
    case REGISTER_B:
        command->words = "REGISTER of a second initiator";
        build_pr_out(command, STO_PROBE_B, STO_PR_REGISTER, 0, key_b);
        break;
    case WRITE_REGISTERED_B:
        command->words = "WRITE of a registrant";
        build_data(probe, command, STO_PROBE_B, 0x8a, BLOCK_REGISTERED, 1);
        break;
    case READ_BACK_A:
        command->words = "READ of the holder";
        build_data(probe, command, STO_PROBE_A, 0x88, 0, STO_PROBE_BLOCKS);
        break;
    case PREEMPT_WRONG_B:
        command->words = "PREEMPT of a key that is not registered";
        build_pr_out(command, STO_PROBE_B, STO_PR_PREEMPT, key_b, probe_key(probe, NODE_A, 2));
        break;
    case PREEMPT_B:
        command->words = "PREEMPT";
        build_pr_out(command, STO_PROBE_B, STO_PR_PREEMPT, key_b, key_a);
        break;
    case WRITE_PREEMPTED_A:
        command->words = "WRITE of the preempted";
        build_data(probe, command, STO_PROBE_A, 0x8a, BLOCK_PREEMPTED, 1);
        break;
    case WRITE_HOLDER_B:
    case WRITE_RELOGGED_B:
        command->words = "WRITE of the new holder";
        build_data(probe, command, STO_PROBE_B, 0x8a, BLOCK_HOLDER, 1);
        break;
    case RESET_B:
        command->words = "LUN RESET";
        command->who = STO_PROBE_B;
        command->action = STO_PROBE_DO_RESET;
        break;
    case RELOGIN_B:
        command->words = "a new login";
        command->who = STO_PROBE_B;
        command->action = STO_PROBE_DO_RELOGIN;
        break;
    default:
        break;
    }
}

bool sto_probe_next(struct sto_probe *probe, struct sto_probe_command *ret_command)
{
    if (probe->step == END)
        return false;
    *ret_command = (struct sto_probe_command) { .words = "" };
    if (probe->step >= CLEAN_LOGIN_A)
        build_clean(probe, ret_command);
    else
        build_row(probe, ret_command);
    return true;
}

void sto_probe_fill(const struct sto_probe *probe, const struct sto_probe_command *command,
                    uint8_t *data)
{
    memset(data, command->who == STO_PROBE_A ? STO_PROBE_PATTERN_A : STO_PROBE_PATTERN_B,
           command->data_bytes);
    if (command->cdb[0] == intrusions[STO_PROBE_COMPARE_AND_WRITE].opcode) {
        memset(data, STO_PROBE_PATTERN_A, probe->config.block_bytes);
    } else if (command->cdb[0] == intrusions[STO_PROBE_UNMAP].opcode) {
        memset(data, 0, command->data_bytes);
        put_be(data, 22, 2);
        put_be(data + 2, 16, 2);
        put_be(data + 8, probe->config.scratch_lba + STO_PROBE_UNMAP, 8);
        put_be(data + 16, 1, 4);
    }
}
