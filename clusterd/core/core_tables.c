/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables of the replicated state (core_object_priv.h): tags are part of the snapshot's format.
 * A new field takes the next free tag, and 0 or "" has to mean what older releases did. Tested
 * through clusterd/core/core_state.
 */
#include <config.h>

#include "clusterd/core/core_object_priv.h"
#include "clusterd/core/core_state.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define U32(tag, type, name)                                              \
    {                                                                     \
        tag, CORE_KIND_U32, offsetof(struct type, name), UINT32_MAX, NULL \
    }
#define WORD(tag, type, name, count)                                     \
    {                                                                    \
        tag, CORE_KIND_U32, offsetof(struct type, name), (count)-1, NULL \
    }
#define I32(tag, type, name)                                     \
    {                                                            \
        tag, CORE_KIND_I32, offsetof(struct type, name), 0, NULL \
    }
#define U64(tag, type, name)                                     \
    {                                                            \
        tag, CORE_KIND_U64, offsetof(struct type, name), 0, NULL \
    }
#define NAME(tag, type, name)                                     \
    {                                                             \
        tag, CORE_KIND_NAME, offsetof(struct type, name), 0, NULL \
    }
#define KEY(tag, type, name)                                      \
    {                                                             \
        tag, CORE_KIND_NAME, offsetof(struct type, name), 1, NULL \
    }
#define UUID(tag, type, name)                                     \
    {                                                             \
        tag, CORE_KIND_UUID, offsetof(struct type, name), 0, NULL \
    }
#define TEXT(tag, type, name)                                     \
    {                                                             \
        tag, CORE_KIND_TEXT, offsetof(struct type, name), 0, NULL \
    }
#define LIST(tag, type, name, of)                               \
    {                                                           \
        tag, CORE_KIND_LIST, offsetof(struct type, name), 0, of \
    }
#define ITEM(tag, type, name, of)                               \
    {                                                           \
        tag, CORE_KIND_ITEM, offsetof(struct type, name), 0, of \
    }
#define TYPE(type, order)                                               \
    {                                                                   \
        sizeof(struct type), COUNT(type##_fields), type##_fields, order \
    }

/* every object that is ordered by name begins with it */
static int by_name(const void *left, const void *right)
{
    return strcmp(left, right);
}

static int by_executor(const void *left, const void *right)
{
    const struct core_executor *l = left, *r = right;

    if (l->node_id != r->node_id)
        return l->node_id < r->node_id ? -1 : 1;
    return l->generation < r->generation ? -1 : l->generation > r->generation ? 1 : 0;
}

static int by_number(const void *left, const void *right)
{
    const struct core_transaction *l = left, *r = right;

    return l->number < r->number ? -1 : l->number > r->number ? 1 : 0;
}

static const struct core_field core_name_fields[] = { KEY(1, core_name, text) };
static const struct core_type sequence_type = TYPE(core_name, NULL);
static const struct core_type name_set_type = TYPE(core_name, by_name);

static const struct core_field core_pair_fields[] = { KEY(1, core_pair, name),
                                                      TEXT(2, core_pair, value) };
static const struct core_type pair_type = TYPE(core_pair, by_name);

static const struct core_field core_score_fields[] = { KEY(1, core_score, node),
                                                       I32(2, core_score, score) };
static const struct core_type score_type = TYPE(core_score, by_name);

static const struct core_field core_executor_fields[] = {
    { 1, CORE_KIND_U32, offsetof(struct core_executor, node_id), CORE_NODE_ID_MAX, NULL },
    { 2, CORE_KIND_U32, offsetof(struct core_executor, generation), CORE_GENERATION_MAX, NULL },
    U64(3, core_executor, granted),
    U64(4, core_executor, revoked),
    U32(5, core_executor, deadman_ms),
    U32(6, core_executor, store_ms),
    WORD(7, core_executor, lease, CORE_LEASE_COUNT),
};
static const struct core_type executor_type = TYPE(core_executor, by_executor);

static const struct core_field core_failure_fields[] = { KEY(1, core_failure, node),
                                                         U32(2, core_failure, count) };
static const struct core_type failure_type = TYPE(core_failure, by_name);

static const struct core_field core_cluster_fields[] = {
    NAME(1, core_cluster, name),      UUID(2, core_cluster, uuid),
    U64(3, core_cluster, revision),   WORD(4, core_cluster, lease, CORE_LEASE_COUNT),
    U32(5, core_cluster, losses),     WORD(6, core_cluster, failback, CORE_CHOICE_COUNT),
    NAME(7, core_cluster, witness),   U32(8, core_cluster, witness_node),
    U32(9, core_cluster, deadman_ms), U32(10, core_cluster, store_ms),
    U32(11, core_cluster, parallel),  LIST(12, core_cluster, properties, &pair_type),
};
static const struct core_type cluster_type = TYPE(core_cluster, NULL);

static const struct core_field core_node_fields[] = {
    KEY(1, core_node, name),
    UUID(2, core_node, uuid),
    { 3, CORE_KIND_U32, offsetof(struct core_node, id), CORE_NODE_ID_MAX, NULL },
    TEXT(4, core_node, address),
    U32(5, core_node, votes),
    U64(6, core_node, memory_mb),
    U32(7, core_node, cpus),
    WORD(8, core_node, mode, CORE_MODE_COUNT),
    U64(9, core_node, maintenance_ms),
    WORD(10, core_node, state, CORE_NODE_COUNT),
    U32(11, core_node, deadman_ms),
    U64(12, core_node, fence_order),
    U64(13, core_node, incarnation),
    UUID(14, core_node, boot_id),
    U64(15, core_node, revoked),
    U64(16, core_node, requester),
    U64(17, core_node, request),
};
const struct core_type core_node_type = TYPE(core_node, by_name);

static const struct core_field core_vm_fields[] = {
    KEY(1, core_vm, name),
    UUID(2, core_vm, uuid),
    U32(3, core_vm, number),
    LIST(4, core_vm, disks, &sequence_type),
    U64(5, core_vm, memory_mb),
    U64(6, core_vm, max_memory_mb),
    U32(7, core_vm, cpus),
    WORD(8, core_vm, wanted, CORE_WANT_COUNT),
    I32(9, core_vm, priority),
    WORD(10, core_vm, on_drain, CORE_ON_DRAIN_COUNT),
    U32(11, core_vm, restarts),
    WORD(12, core_vm, failback, CORE_CHOICE_COUNT),
    TEXT(13, core_vm, firmware),
    TEXT(14, core_vm, kernel),
    TEXT(15, core_vm, initrd),
    TEXT(16, core_vm, append),
    TEXT(17, core_vm, net),
    WORD(18, core_vm, phase, CORE_VM_COUNT),
    NAME(19, core_vm, node),
    NAME(20, core_vm, target),
    NAME(21, core_vm, home),
    WORD(22, core_vm, via, CORE_VIA_COUNT),
    { 23, CORE_KIND_U32, offsetof(struct core_vm, generation), CORE_GENERATION_MAX, NULL },
    LIST(24, core_vm, executors, &executor_type),
    LIST(25, core_vm, failures, &failure_type),
    WORD(26, core_vm, saved, CORE_SAVED_COUNT),
    TEXT(27, core_vm, waiting),
    U64(28, core_vm, move_count),
    U64(29, core_vm, restart_count),
    U64(30, core_vm, moved),
};
const struct core_type core_vm_type = TYPE(core_vm, by_name);

static const struct core_field core_lun_fields[] = {
    KEY(1, core_lun, name),
    TEXT(2, core_lun, url),
    TEXT(3, core_lun, secret_file),
    TEXT(4, core_lun, wwid),
    U64(5, core_lun, max_memory_mb),
    { 6, CORE_KIND_U32, offsetof(struct core_lun, owner), CORE_NODE_ID_MAX, NULL },
    { 7, CORE_KIND_U32, offsetof(struct core_lun, generation), CORE_GENERATION_MAX, NULL },
    U64(8, core_lun, expected_key),
};
const struct core_type core_lun_type = TYPE(core_lun, by_name);

static const struct core_field core_rule_fields[] = {
    KEY(1, core_rule, name),
    WORD(2, core_rule, kind, CORE_RULE_COUNT),
    WORD(3, core_rule, strict, 2),
    LIST(4, core_rule, vms, &sequence_type),
    LIST(5, core_rule, nodes, &score_type),
};
const struct core_type core_rule_type = TYPE(core_rule, by_name);

static const struct core_field core_fence_fields[] = {
    KEY(1, core_fence, name),
    TEXT(2, core_fence, agent),
    U32(3, core_fence, level),
    LIST(4, core_fence, nodes, &name_set_type),
    LIST(5, core_fence, parameters, &pair_type),
};
const struct core_type core_fence_type = TYPE(core_fence, by_name);

static const struct core_field core_transaction_fields[] = {
    U64(1, core_transaction, number), TEXT(2, core_transaction, who),
    U64(3, core_transaction, when_s), TEXT(4, core_transaction, change),
    TEXT(5, core_transaction, undo),
};
const struct core_type core_transaction_type = TYPE(core_transaction, by_number);

static const struct core_field core_state_fields[] = {
    U64(1, core_state, term),
    U64(2, core_state, index),
    U32(3, core_state, next_vm_number),
    ITEM(4, core_state, cluster, &cluster_type),
    LIST(5, core_state, nodes, &core_node_type),
    LIST(6, core_state, vms, &core_vm_type),
    LIST(7, core_state, luns, &core_lun_type),
    LIST(8, core_state, rules, &core_rule_type),
    LIST(9, core_state, fences, &core_fence_type),
    LIST(10, core_state, transactions, &core_transaction_type),
};
const struct core_type core_state_type = TYPE(core_state, NULL);
