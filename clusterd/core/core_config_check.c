/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A configuration as a whole: does it refer to nothing, and does it contradict itself?
 */
#include <config.h>

#include "clusterd/core/core_config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static int refuse(struct hw_error *error, const char *object, const char *reason,
                  const char *detail, const char *remedy)
{
    return hw_error_setf(error, HW_ERROR_REFUSED, EINVAL, object, remedy, "%s%s%s", reason,
                         detail[0] != '\0' ? " " : "", detail);
}

static int check_nodes(const struct core_state *state, struct hw_error *error)
{
    for (size_t i = 0; i < state->nodes.count; i++) {
        const struct core_node *node = &state->nodes.items[i];

        if (core_node_by_id(state, node->id) != node)
            return refuse(error, node->name, "has the id of",
                          core_node_by_id(state, node->id)->name, "give each node its own id");
    }
    return 0;
}

static const char *user_of(const struct core_state *state, const char *lun, const char *but)
{
    for (size_t i = 0; i < state->vms.count; i++) {
        const struct core_vm *vm = &state->vms.items[i];

        for (size_t k = 0; strcmp(vm->name, but) != 0 && k < vm->disks.count; k++) {
            if (strcmp(vm->disks.items[k].text, lun) == 0)
                return vm->name;
        }
    }
    return NULL;
}

static int check_vm(const struct core_state *state, const struct core_vm *vm,
                    struct hw_error *error)
{
    uint64_t most = vm->max_memory_mb > vm->memory_mb ? vm->max_memory_mb : vm->memory_mb;

    for (size_t i = 0; i < vm->disks.count; i++) {
        const char *name = vm->disks.items[i].text;
        const struct core_lun *lun = core_lun_find(state, name);
        const char *other = user_of(state, name, vm->name);

        if (lun == NULL)
            return refuse(error, vm->name, "has a disk that is not there:", name,
                          "add `lun NAME url=...`");
        if (other != NULL)
            return refuse(error, vm->name, "shares its disk with", other,
                          "give each VM LUNs of its own");
        if (strcmp(state->cluster.witness, name) == 0)
            return refuse(error, vm->name, "uses the witness as a disk:", name,
                          "use another LUN for one of them");
        if (i == 0 && lun->max_memory_mb != 0 && lun->max_memory_mb < most)
            return refuse(error, vm->name, "has more memory than is reserved to save it on", name,
                          "raise the LUN's max-memory, or lower the VM's memory");
    }
    if (vm->max_memory_mb != 0 && vm->max_memory_mb < vm->memory_mb)
        return refuse(error, vm->name, "has a max-memory below its memory", "", "raise max-memory");
    if (vm->kernel[0] == '\0' && (vm->initrd[0] != '\0' || vm->append[0] != '\0'))
        return refuse(error, vm->name, "has initrd or append without kernel", "", "add kernel=");
    if (vm->kernel[0] != '\0' && vm->firmware[0] != '\0')
        return refuse(error, vm->name, "has both kernel and firmware", "", "keep one");
    return 0;
}

static bool names_vm(const struct core_rule *rule, const char *vm)
{
    for (size_t i = 0; i < rule->vms.count; i++) {
        if (strcmp(rule->vms.items[i].text, vm) == 0)
            return true;
    }
    return false;
}

static int check_references(const struct core_state *state, const struct core_rule *rule,
                            struct hw_error *error)
{
    for (size_t i = 0; i < rule->vms.count; i++) {
        if (core_vm_find(state, rule->vms.items[i].text) == NULL)
            return refuse(error, rule->name,
                          "names a VM that is not there:", rule->vms.items[i].text,
                          "add the VM, or remove the rule");
    }
    for (size_t i = 0; i < rule->nodes.count; i++) {
        if (core_node_find(state, rule->nodes.items[i].node) == NULL)
            return refuse(error, rule->name,
                          "names a node that is not there:", rule->nodes.items[i].node,
                          "add the node, or remove the rule");
    }
    return 0;
}

/* Two VMs, or one VM and a node, that one rule wants and another forbids. */
static bool contradict(const struct core_rule *left, const struct core_rule *right)
{
    size_t both = 0;

    for (size_t i = 0; i < left->vms.count; i++)
        both += names_vm(right, left->vms.items[i].text) ? 1u : 0u;
    if (left->kind == CORE_RULE_TOGETHER && right->kind == CORE_RULE_APART)
        return both >= 2;
    if (left->kind == CORE_RULE_PREFER && right->kind == CORE_RULE_AVOID && both == 1) {
        for (size_t i = 0; i < left->nodes.count; i++) {
            for (size_t k = 0; k < right->nodes.count; k++) {
                if (strcmp(left->nodes.items[i].node, right->nodes.items[k].node) == 0)
                    return true;
            }
        }
    }
    return false;
}

/* Take out, again and again, VMs that no rest of an order makes wait: what is left is a circle. */
static int check_orders(const struct core_state *state, struct hw_error *error)
{
    size_t count = state->vms.count, left = count;
    bool *gone = calloc(count + 1, sizeof(*gone));
    bool progress = true;

    if (gone == NULL)
        return -ENOMEM;
    while (progress) {
        progress = false;
        for (size_t v = 0; v < count; v++) {
            bool waits = false;

            for (size_t r = 0; !gone[v] && !waits && r < state->rules.count; r++) {
                const struct core_rule *rule = &state->rules.items[r];

                for (size_t i = 1; rule->kind == CORE_RULE_ORDER && i < rule->vms.count; i++) {
                    const struct core_vm *before = core_vm_find(state, rule->vms.items[i - 1].text);

                    if (strcmp(rule->vms.items[i].text, state->vms.items[v].name) == 0 &&
                        !gone[before - state->vms.items])
                        waits = true;
                }
            }
            if (!gone[v] && !waits) {
                gone[v] = progress = true;
                left--;
            }
        }
    }
    for (size_t v = 0; left > 0 && v < count; v++) {
        if (!gone[v]) {
            free(gone);
            return refuse(error, state->vms.items[v].name, "waits for itself by order rules", "",
                          "remove one of the order rules that name it");
        }
    }
    free(gone);
    return 0;
}

static int check_rules(const struct core_state *state, struct hw_error *error)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < state->rules.count; i++)
        rc = check_references(state, &state->rules.items[i], error);
    for (size_t i = 0; rc == 0 && i < state->rules.count; i++) {
        for (size_t k = 0; rc == 0 && k < state->rules.count; k++) {
            if (contradict(&state->rules.items[i], &state->rules.items[k]))
                rc = refuse(error, state->rules.items[i].name, "contradicts",
                            state->rules.items[k].name, "remove one of them");
        }
    }
    return rc == 0 ? check_orders(state, error) : rc;
}

int core_config_check(const struct core_state *state, struct hw_error *error)
{
    int rc = check_nodes(state, error);

    if (rc == 0 && state->cluster.witness[0] != '\0' &&
        core_lun_find(state, state->cluster.witness) == NULL)
        return refuse(error, state->cluster.name,
                      "has a witness that is not there:", state->cluster.witness,
                      "add `lun NAME url=...`");
    for (size_t i = 0; rc == 0 && i < state->vms.count; i++)
        rc = check_vm(state, &state->vms.items[i], error);
    if (rc == 0)
        rc = check_rules(state, error);
    for (size_t i = 0; rc == 0 && i < state->fences.count; i++) {
        const struct core_fence *fence = &state->fences.items[i];

        for (size_t k = 0; rc == 0 && k < fence->nodes.count; k++) {
            if (core_node_find(state, fence->nodes.items[k].text) == NULL)
                rc = refuse(error, fence->name,
                            "fences a node that is not there:", fence->nodes.items[k].text,
                            "add the node, or take it out");
        }
    }
    return rc;
}
