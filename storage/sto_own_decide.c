/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The decision of the ownership machine: what the LUN says now -> the one step that comes next.
 * Depends on what was read, never on what was sent, so that a lost answer, a race or a restart at
 * any point converges. It changes nothing.
 */
#include "config.h"

#include "storage/sto_own_priv.h"

#include <string.h>

static struct own_decision give_up(enum sto_own_reason reason, uint64_t key, uint32_t generation)
{
    return (struct own_decision) {
        .verdict = OWN_DO_GIVE_UP, .reason = reason, .key = key, .generation = generation
    };
}

static struct own_decision step(enum own_verdict verdict, uint64_t key, uint32_t generation)
{
    return (struct own_decision) { .verdict = verdict, .key = key, .generation = generation };
}

bool own_is_tenure_key(const struct sto_own *own, uint64_t key)
{
    struct sto_key_parts parts;

    return sto_key_parse(key, &parts) && parts.cluster_hash == own->cluster_hash &&
           parts.node == own->config.node && parts.generation >= own->tenure_first &&
           parts.generation <= own->generation;
}

uint64_t own_register_candidate(const struct sto_own *own, unsigned n)
{
    const struct sto_pr_keys *keys = &own->look.keys;
    struct sto_key_parts parts;

    for (unsigned i = keys->count; i > 0; i--) { /* sorted: same node, so by generation */
        if (!sto_key_parse(keys->keys[i - 1], &parts) || parts.cluster_hash != own->cluster_hash ||
            parts.node != own->config.node || parts.generation >= own->generation)
            continue;
        if (--n == 0)
            return keys->keys[i - 1];
    }
    return 0;
}

/*
 * A key that is on the LUN, as holder or only registered: may it be there while we go on?
 * OWN_DO_RECORD stands for "yes".
 */
static struct own_decision judge_key(const struct sto_own *own, uint64_t key, bool holder)
{
    struct sto_key_parts parts;
    bool mine;

    if (!sto_key_parse(key, &parts) || parts.cluster_hash != own->cluster_hash) {
        if (own->grant.force_foreign || (own->reclaim && !holder))
            return step(OWN_DO_RECORD, 0, 0);
        return give_up(STO_OWN_REASON_FOREIGN_KEY, key, 0);
    }
    mine = parts.node == own->config.node;
    if (own->reclaim && mine && parts.generation >= own->generation &&
        !(key == own->key && own->key_used))
        return give_up(STO_OWN_REASON_CONFLICTED, key, parts.generation);
    /* Another node under the same generation: none is newer, so it is the reservation that decides.
     * If each gave up for the other's registration, nobody would win. */
    if (parts.generation > own->generation ||
        (parts.generation == own->generation && !mine && holder) ||
        (key == own->key && !own->key_used)) {
        /* An earlier process of this node under the same grant: go behind it. The same key proves
         * nothing about which nexus holds it, so it is never reused. */
        if (mine && parts.generation < own_block_last(own) &&
            parts.generation >= own->grant.generation)
            return step(OWN_DO_RAISE, 0, parts.generation + 1);
        if (mine && parts.generation == own_block_last(own))
            return give_up(STO_OWN_REASON_GENERATIONS_USED, key, parts.generation);
        return give_up(STO_OWN_REASON_STALE, key, parts.generation);
    }
    return step(OWN_DO_RECORD, 0, 0);
}

/* The holder, already known not to be newer than us: may we take its place? */
static struct own_decision judge_holder(const struct sto_own *own, uint64_t key)
{
    struct sto_key_parts parts = { 0 };

    if (own->reclaim)
        return own_is_tenure_key(own, key) ? step(OWN_DO_RECORD, 0, 0)
                                           : give_up(STO_OWN_REASON_CONFLICTED, key, 0);
    if (!own->grant.takeover && sto_key_parse(key, &parts) && parts.node != own->config.node)
        return give_up(STO_OWN_REASON_HELD, key, parts.generation);
    return step(OWN_DO_RECORD, 0, 0);
}

/* Every key on the LUN, the holder first; OWN_DO_RECORD: all may stay for now. */
static struct own_decision judge_all(const struct sto_own *own)
{
    const struct sto_pr_reservation *reservation = &own->look.reservation;
    struct own_decision decision;

    if (reservation->held) {
        decision = judge_key(own, reservation->key, true);
        if (decision.verdict != OWN_DO_RECORD)
            return decision;
    }
    for (unsigned i = 0; i < own->look.keys.count; i++) {
        decision = judge_key(own, own->look.keys.keys[i], false);
        if (decision.verdict != OWN_DO_RECORD)
            return decision;
    }
    /* A holder of this very grant is our own takeover, whose answer got lost. */
    if (own->grant.expected_set && !own->key_used && !own->reclaim &&
        (reservation->held ? reservation->key : 0) != own->grant.expected_key &&
        !(reservation->held && own_is_tenure_key(own, reservation->key)))
        return give_up(STO_OWN_REASON_UNEXPECTED, reservation->held ? reservation->key : 0, 0);
    if (reservation->held && reservation->key != own->key)
        return judge_holder(own, reservation->key);
    return step(OWN_DO_RECORD, 0, 0);
}

/* A key beside ours that has to go before "us and nobody else" is true; 0 = none. */
static uint64_t key_beside_ours(const struct sto_own *own)
{
    for (unsigned i = 0; i < own->look.keys.count; i++) {
        uint64_t key = own->look.keys.keys[i];

        if (key != own->key &&
            (own->grant.force_foreign || sto_key_is_ours(key, own->cluster_hash)))
            return key;
    }
    return 0;
}

struct own_decision own_decide(const struct sto_own *own)
{
    const struct sto_pr_reservation *reservation = &own->look.reservation;
    struct own_decision decision = judge_all(own);
    uint64_t beside;

    if (decision.verdict != OWN_DO_RECORD)
        return decision;
    if (!sto_pr_keys_have(&own->look.keys, own->key))
        return step(OWN_DO_REGISTER, 0, 0);
    if (!reservation->held)
        return step(OWN_DO_RESERVE, 0, 0);
    if (reservation->key != own->key || reservation->type != OWN_TYPE)
        return step(OWN_DO_PREEMPT, reservation->key, 0);
    beside = key_beside_ours(own);
    if (beside != 0)
        return step(OWN_DO_PREEMPT, beside, 0);
    if (!own->barrier_done && OWN_USE_BARRIER)
        return step(OWN_DO_BARRIER, 0, 0);
    return step(OWN_DO_RECORD, 0, 0);
}

bool own_all_zero(const uint8_t uuid[16])
{
    static const uint8_t zero[16];

    return memcmp(uuid, zero, 16) == 0;
}

/* A generation in the record that is not below ours. */
static struct own_decision judge_generation(const struct sto_own *own,
                                            const struct sto_record *record)
{
    bool mine = record->node == own->config.node;

    if (mine && record->generation == own->generation && own->key_used &&
        record->instance == own->config.instance &&
        memcmp(record->boot_id, own->config.boot_id, 16) == 0)
        return step(OWN_DO_RECORD, 0, 0); /* this incarnation wrote it and had to look again */
    if (own->reclaim && mine && record->generation >= own->tenure_first &&
        record->generation <= own->generation)
        return step(OWN_DO_RECORD, 0, 0);
    if (mine && record->generation >= own->grant.generation &&
        record->generation <= own_block_last(own)) {
        if (record->generation == own_block_last(own))
            return give_up(STO_OWN_REASON_GENERATIONS_USED, 0, record->generation);
        return step(OWN_DO_RAISE, 0, record->generation + 1);
    }
    return give_up(STO_OWN_REASON_STALE, 0, record->generation);
}

struct own_decision own_judge_record(const struct sto_own *own, const struct sto_record *record)
{
    if (memcmp(record->cluster_uuid, own->config.cluster_uuid, 16) != 0) {
        if (own->grant.force_foreign)
            return step(OWN_DO_RECORD, 0, 0);
        return give_up(STO_OWN_REASON_FOREIGN_RECORD, 0, record->generation);
    }
    if (record->wwid[0] != '\0' && strcmp(record->wwid, own->wwid) != 0 &&
        !own->grant.force_foreign)
        return give_up(STO_OWN_REASON_COPY, 0, record->generation);
    if (!own_all_zero(own->config.vm_uuid) && !own_all_zero(record->vm_uuid) &&
        memcmp(record->vm_uuid, own->config.vm_uuid, 16) != 0)
        return give_up(STO_OWN_REASON_WRONG_VM, 0, record->generation);
    /* What waits behind the gate may only go on if nobody else wrote since it was asked for. */
    if (own->reclaim &&
        (record->node != own->config.node || record->generation < own->tenure_first ||
         record->instance != own->config.instance))
        return give_up(STO_OWN_REASON_CONFLICTED, 0, record->generation);
    if (!own->grant.takeover && !own->reclaim && record->state == STO_RECORD_OWNED &&
        record->node != own->config.node && !own->may_hold)
        return give_up(STO_OWN_REASON_HELD, 0, record->generation);
    if (record->generation >= own->generation)
        return judge_generation(own, record);
    return step(OWN_DO_RECORD, 0, 0);
}

struct sto_record own_next_record(const struct sto_own *own)
{
    struct sto_record record = own->record;
    bool foreign = memcmp(record.cluster_uuid, own->config.cluster_uuid, 16) != 0;

    if (foreign || (record.wwid[0] != '\0' && strcmp(record.wwid, own->wwid) != 0))
        memset(record.vm_uuid, 0, 16); /* forced: what VM that was says nothing of this LUN */
    if (foreign || own->config.new_line || record.line == 0 || record.node != own->config.node) {
        /* a layout made anew counts its records from 1 again; generations only rise */
        record.line = own->config.line + ((uint64_t)own->generation << 32) + record.sequence + 1;
        record.line += record.line == 0;
    }
    record.state = STO_RECORD_OWNED;
    record.node = own->config.node;
    record.handover_node = 0;
    record.generation = own->generation;
    record.sequence++;
    record.deadman_ms = own->config.deadman_ms;
    record.store_ms = own->config.store_ms;
    record.instance = own->config.instance;
    memcpy(record.cluster_uuid, own->config.cluster_uuid, 16);
    memcpy(record.boot_id, own->config.boot_id, 16);
    memcpy(record.wwid, own->wwid, sizeof(record.wwid));
    if (!own_all_zero(own->config.vm_uuid))
        memcpy(record.vm_uuid, own->config.vm_uuid, 16);
    return record;
}
