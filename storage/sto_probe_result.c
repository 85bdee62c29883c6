/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Judges the answers to the probe's steps. An answer counts only where a second look agrees: the
 * holder is read after each RESERVE and PREEMPT, the data after each attempt to change it.
 */
#include "config.h"

#include "storage/sto_probe_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Key of the probe on the LUN: its two nodes are never given to a host. */
static bool is_probe_key(const struct sto_probe *probe, uint64_t key)
{
    struct sto_key_parts parts;

    return sto_key_parse(key, &parts) && parts.cluster_hash == probe->config.cluster_hash &&
           (parts.node == NODE_A || parts.node == NODE_B);
}

/* The row ends here; the verdict stands if it is the first. */
static void stop(struct sto_probe *probe, enum sto_probe_verdict verdict, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void stop(struct sto_probe *probe, enum sto_probe_verdict verdict, const char *format, ...)
{
    va_list arguments;

    if (probe->report.verdict == STO_PROBE_RUNNING) {
        probe->report.verdict = verdict;
        va_start(arguments, format);
        (void)vsnprintf(probe->report.reason, sizeof(probe->report.reason), format, arguments);
        va_end(arguments);
    }
    probe->step = probe->broken ? CLEAN_LOGIN_A : CLEAN_B;
}

/* No answer, or one that says nothing: sessions are not to be relied on. */
static void break_off(struct sto_probe *probe, const char *words, enum sto_rc rc)
{
    probe->broken = true;
    stop(probe, STO_PROBE_BROKEN_OFF, "%s ended as %s", words, sto_rc_name(rc));
}

static bool no_answer(enum sto_rc rc)
{
    return rc == STO_UNKNOWN || rc == STO_NOT_SENT || rc == STO_LOGIN_REFUSED;
}

static void judge_look_keys(struct sto_probe *probe, const struct sto_probe_result *result)
{
    struct sto_pr_keys keys;
    char text[STO_KEY_TEXT_BYTES];

    if (result->rc == STO_UNSUPPORTED || result->rc == STO_ILLEGAL) {
        stop(probe, STO_PROBE_NOT_OFFERED, "the target has no persistent reservations");
        probe->step = END;
        probe->report.cleaned = true;
    } else if (result->rc != STO_OK ||
               sto_pr_decode_keys(result->data, result->data_bytes, &keys) < 0) {
        stop(probe, STO_PROBE_BROKEN_OFF, "READ KEYS cannot be understood");
        probe->step = END;
        probe->report.cleaned = true;
    } else if (keys.count > 0) {
        stop(probe, STO_PROBE_IN_USE, "key %s is registered", sto_key_text(keys.keys[0], text));
        probe->step = END;
        probe->report.cleaned = true;
    } else {
        probe->step++;
    }
}

static void judge_look_reservation(struct sto_probe *probe, const struct sto_probe_result *result)
{
    struct sto_pr_reservation held;
    char text[STO_KEY_TEXT_BYTES];

    if (result->rc == STO_OK &&
        sto_pr_decode_reservation(result->data, result->data_bytes, &held) == 0 && !held.held) {
        probe->step++;
        return;
    }
    if (result->rc == STO_OK && held.held)
        stop(probe, STO_PROBE_IN_USE, "reserved by %s", sto_key_text(held.key, text));
    else
        stop(probe, STO_PROBE_BROKEN_OFF, "READ RESERVATION cannot be understood");
    probe->step = END;
    probe->report.cleaned = true;
}

/* The holder must be `who` with exclusive access. */
static void judge_holder(struct sto_probe *probe, const struct sto_probe_result *result,
                         enum sto_probe_who who, const char *words)
{
    struct sto_pr_reservation held = { 0 };
    uint64_t key = probe_key(probe, who == STO_PROBE_A ? NODE_A : NODE_B, 1);

    if (result->rc != STO_OK ||
        sto_pr_decode_reservation(result->data, result->data_bytes, &held) < 0)
        stop(probe, STO_PROBE_UNFIT, "READ RESERVATION cannot be understood");
    else if (!held.held || held.key != key || held.type != STO_PR_EXCLUSIVE_ACCESS)
        stop(probe, STO_PROBE_UNFIT, "%s", words);
    else
        probe->step++;
}

static void judge_only_b(struct sto_probe *probe, const struct sto_probe_result *result)
{
    struct sto_pr_keys keys = { 0 };

    if (result->rc != STO_OK || sto_pr_decode_keys(result->data, result->data_bytes, &keys) < 0)
        stop(probe, STO_PROBE_UNFIT, "READ KEYS cannot be understood");
    else if (sto_pr_keys_have(&keys, probe_key(probe, NODE_A, 1)))
        stop(probe, STO_PROBE_UNFIT, "PREEMPT answered GOOD but left the victim's key");
    else if (!sto_pr_keys_have(&keys, probe_key(probe, NODE_B, 1)))
        stop(probe, STO_PROBE_UNFIT, "PREEMPT took away the wrong key");
    else
        probe->step++;
}

static void judge_intrusion(struct sto_probe *probe, enum sto_rc rc)
{
    enum sto_probe_outcome *outcome = &probe->report.outcomes[probe->intrusion];

    if (rc == STO_CONFLICT)
        *outcome = STO_PROBE_KEPT_OUT;
    else if (rc == STO_UNSUPPORTED || rc == STO_ILLEGAL)
        *outcome = STO_PROBE_UNKNOWN_HERE;
    else if (rc == STO_OK || rc == STO_MISCOMPARE || rc == STO_SHORT)
        *outcome = STO_PROBE_PASSED;
    else
        *outcome = STO_PROBE_UNCLEAR;
    if (++probe->intrusion == STO_PROBE_INTRUSIONS)
        probe->step++;
}

static bool block_is(const struct sto_probe *probe, const struct sto_probe_result *result,
                     unsigned block, uint8_t pattern)
{
    size_t bytes = probe->config.block_bytes;

    for (size_t i = 0; i < bytes; i++) {
        if (result->data[block * bytes + i] != pattern)
            return false;
    }
    return true;
}

/* Which intrusions reached the data, whatever was answered. */
static void judge_read_back(struct sto_probe *probe, const struct sto_probe_result *result)
{
    const enum sto_probe_outcome *outcomes = probe->report.outcomes;

    if (result->rc != STO_OK ||
        result->data_bytes < (size_t)STO_PROBE_BLOCKS * probe->config.block_bytes) {
        stop(probe, STO_PROBE_UNFIT, "the holder cannot read what it wrote");
        return;
    }
    for (unsigned i = 0; i < STO_PROBE_INTRUSIONS; i++) {
        bool harmless =
            i == STO_PROBE_WRITE_SAME_10 || i == STO_PROBE_WRITE_SAME_16 || i == STO_PROBE_UNMAP;

        if (!block_is(probe, result, i, STO_PROBE_PATTERN_A))
            probe->report.outcomes[i] = STO_PROBE_PASSED;
        if (outcomes[i] == STO_PROBE_PASSED && !harmless) {
            stop(probe, STO_PROBE_UNFIT, "%s of another initiator passes by the reservation",
                 sto_probe_intrusion_name((enum sto_probe_intrusion)i));
            return;
        }
        if (outcomes[i] == STO_PROBE_PASSED)
            probe->report.bits |= STO_PROBE_NO_DISCARD;
    }
    if (!block_is(probe, result, BLOCK_REGISTERED, STO_PROBE_PATTERN_A))
        stop(probe, STO_PROBE_UNFIT, "a registrant's write passes by the reservation");
    else if (outcomes[STO_PROBE_WRITE_16] != STO_PROBE_KEPT_OUT &&
             outcomes[STO_PROBE_WRITE_10] != STO_PROBE_KEPT_OUT)
        stop(probe, STO_PROBE_UNFIT, "no write of another initiator was answered with a conflict");
    else
        probe->step++;
    if (outcomes[STO_PROBE_COMPARE_AND_WRITE] == STO_PROBE_KEPT_OUT)
        probe->report.bits |= STO_PROBE_CAW;
}

/* Steps that are good with one rc alone. */
static void expect(struct sto_probe *probe, enum sto_rc rc, enum sto_rc wanted, const char *words)
{
    if (rc == wanted)
        probe->step++;
    else
        stop(probe, STO_PROBE_UNFIT, "%s: %s", words, sto_rc_name(rc));
}

static void judge_register_a(struct sto_probe *probe, enum sto_rc rc)
{
    if (rc == STO_OK) {
        probe->key[STO_PROBE_A] = probe_key(probe, NODE_A, 1);
        probe->report.bits |= probe->aptpl ? (uint32_t)STO_PROBE_POWER_LOSS : 0;
        probe->step++;
    } else if (probe->aptpl && (rc == STO_ILLEGAL || rc == STO_UNSUPPORTED)) {
        probe->aptpl = false; /* offered, and refused: once more without */
    } else if (rc == STO_ILLEGAL || rc == STO_UNSUPPORTED) {
        stop(probe, STO_PROBE_NOT_OFFERED, "the target has no persistent reservations");
    } else {
        stop(probe, STO_PROBE_UNFIT, "REGISTER is refused: %s", sto_rc_name(rc));
    }
}

static void judge_relogged(struct sto_probe *probe, enum sto_rc rc)
{
    if (rc == STO_OK)
        probe->report.bits |= STO_PROBE_KEEPS_LOGIN;
    else
        probe->key[STO_PROBE_B] = 0; /* a ghost holds the reservation now */
    if (rc == STO_OK || rc == STO_CONFLICT) {
        probe->report.bits |= STO_PROBE_DONE | STO_PROBE_TRUSTED;
        stop(probe, STO_PROBE_FIT, "%s", "");
    } else {
        stop(probe, STO_PROBE_UNFIT, "WRITE after a new login: %s", sto_rc_name(rc));
    }
}

static void judge_row(struct sto_probe *probe, const struct sto_probe_result *result)
{
    struct sto_pr_capabilities capabilities;

    switch ((enum probe_step)probe->step) {
    case LOOK_KEYS:
        judge_look_keys(probe, result);
        break;
    case LOOK_RESERVATION:
        judge_look_reservation(probe, result);
        break;
    case ASK_CAPABILITIES:
        probe->aptpl =
            result->rc == STO_OK &&
            sto_pr_decode_capabilities(result->data, result->data_bytes, &capabilities) == 0 &&
            capabilities.keeps_over_power_loss;
        probe->step++;
        break;
    case REGISTER_A:
        judge_register_a(probe, result->rc);
        break;
    case RESERVE_A:
        expect(probe, result->rc, STO_OK, "RESERVE of exclusive access is refused");
        break;
    case SEE_A_HOLDS:
        judge_holder(probe, result, STO_PROBE_A, "RESERVE answered GOOD but reserved nothing");
        break;
    case WRITE_A:
        expect(probe, result->rc, STO_OK, "the holder cannot write");
        break;
    case INTRUDE_B:
        judge_intrusion(probe, result->rc);
        break;
    case REGISTER_B:
        if (result->rc == STO_OK)
            probe->key[STO_PROBE_B] = probe_key(probe, NODE_B, 1);
        expect(probe, result->rc, STO_OK, "a second initiator cannot register");
        break;
    case WRITE_REGISTERED_B:
        expect(probe, result->rc, STO_CONFLICT,
               "the write of a registrant was not answered with a conflict");
        break;
    case READ_BACK_A:
        judge_read_back(probe, result);
        break;
    case PREEMPT_WRONG_B:
        expect(probe, result->rc, STO_CONFLICT,
               "PREEMPT of a key that nobody has was not answered with a conflict");
        break;
    case SEE_A_STILL_HOLDS:
        judge_holder(probe, result, STO_PROBE_A, "a PREEMPT that conflicted took the reservation");
        break;
    case PREEMPT_B:
        expect(probe, result->rc, STO_OK, "PREEMPT of the holder is refused");
        break;
    case SEE_ONLY_B:
        judge_only_b(probe, result);
        break;
    case SEE_B_HOLDS:
        probe->key[STO_PROBE_A] = 0;
        judge_holder(probe, result, STO_PROBE_B,
                     "PREEMPT answered GOOD but did not move the reservation");
        break;
    case WRITE_PREEMPTED_A:
        expect(probe, result->rc, STO_CONFLICT,
               "the write of a preempted initiator was not answered with a conflict");
        break;
    case WRITE_HOLDER_B:
        expect(probe, result->rc, STO_OK, "the new holder cannot write");
        break;
    case RESET_B:
        if (result->rc == STO_OK && result->tmf_response == 0)
            probe->step++;
        else
            stop(probe, STO_PROBE_UNFIT, "LUN RESET is not answered as complete: %s, response %u",
                 sto_rc_name(result->rc), result->tmf_response);
        break;
    case SEE_B_STILL_HOLDS:
        judge_holder(probe, result, STO_PROBE_B, "the reservation did not outlive a LUN RESET");
        break;
    case RELOGIN_B:
        expect(probe, result->rc, STO_OK, "a second login is refused");
        break;
    case WRITE_RELOGGED_B:
        judge_relogged(probe, result->rc);
        break;
    default:
        break;
    }
}

/* After REGISTER with key 0 the reservation of that nexus goes with its registration. */
static void judge_clean_look(struct sto_probe *probe, const struct sto_probe_result *result)
{
    struct sto_pr_keys keys = { 0 };

    if (result->rc != STO_OK || sto_pr_decode_keys(result->data, result->data_bytes, &keys) < 0 ||
        ++probe->rounds > CLEAN_ROUNDS) {
        probe->step = END;
        return;
    }
    probe->step = SEE_NOTHING;
    for (unsigned i = 0; i < keys.count; i++) {
        if (is_probe_key(probe, keys.keys[i])) {
            probe->ghost = keys.keys[i];
            probe->step = CLEAN_GHOST_REGISTER;
            return;
        }
    }
}

static void judge_clean(struct sto_probe *probe, const struct sto_probe_result *result)
{
    struct sto_pr_reservation held = { 0 };

    switch ((enum probe_step)probe->step) {
    case CLEAN_B:
        probe->step = CLEAN_A;
        break;
    case CLEAN_A:
        probe->step = CLEAN_LOOK;
        break;
    case CLEAN_LOOK:
        judge_clean_look(probe, result);
        break;
    case CLEAN_GHOST_REGISTER:
        probe->key[STO_PROBE_A] = probe_key(probe, NODE_A, 16 + probe->rounds);
        probe->step = CLEAN_GHOST_PREEMPT;
        break;
    case CLEAN_GHOST_PREEMPT:
        probe->step = CLEAN_GHOST_LEAVE;
        break;
    case CLEAN_GHOST_LEAVE:
        probe->key[STO_PROBE_A] = 0;
        probe->step = CLEAN_LOOK;
        break;
    case SEE_NOTHING:
        probe->report.cleaned =
            result->rc == STO_OK &&
            sto_pr_decode_reservation(result->data, result->data_bytes, &held) == 0 &&
            !(held.held && is_probe_key(probe, held.key));
        probe->step = END;
        break;
    default:
        probe->step++;
        break;
    }
}

/* Cleaning steps that have nothing to do are stepped over. */
static void skip_empty(struct sto_probe *probe)
{
    if (probe->step == CLEAN_B && probe->key[STO_PROBE_B] == 0)
        probe->step = CLEAN_A;
    if (probe->step == CLEAN_A && probe->key[STO_PROBE_A] == 0)
        probe->step = CLEAN_LOOK;
}

void sto_probe_result(struct sto_probe *probe, const struct sto_probe_result *result)
{
    struct sto_probe_command command;

    if (!sto_probe_next(probe, &command))
        return;
    if (probe->step >= CLEAN_LOGIN_A)
        judge_clean(probe, result);
    else if (no_answer(result->rc))
        break_off(probe, command.words, result->rc);
    else
        judge_row(probe, result);
    skip_empty(probe);
}
