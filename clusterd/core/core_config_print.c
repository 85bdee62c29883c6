/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration as lines: objects by kind and name, defaults left out.
 */
#include <config.h>

#include "clusterd/core/core_config_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

static int print_object(core_line_text *text, const char *kind, const char *name,
                        const struct core_keys *keys, const void *object)
{
    int rc = core_line_put_raw(text, kind);

    if (rc == 0)
        rc = core_line_put_raw(text, " ");
    if (rc == 0)
        rc = core_line_put_raw(text, name);
    return rc == 0 ? core_keys_print(keys, object, text) : rc;
}

static int end_line(core_line_text *text, int rc)
{
    return rc == 0 ? core_line_put_raw(text, "\n") : rc;
}

static int print_rule(core_line_text *text, const struct core_rule *rule)
{
    int rc = core_line_put_raw(text, core_rule_word(rule->kind));
    char score[16];

    for (size_t i = 0; rc == 0 && i < rule->vms.count; i++) {
        rc = core_line_put_raw(text, " ");
        if (rc == 0)
            rc = core_line_put_raw(text, rule->vms.items[i].text);
    }
    for (size_t i = 0; rc == 0 && i < rule->nodes.count; i++) {
        rc = core_line_put_raw(text, " ");
        if (rc == 0)
            rc = core_line_put_raw(text, rule->nodes.items[i].node);
        if (rc == 0 && rule->kind == CORE_RULE_PREFER) {
            (void)snprintf(score, sizeof(score), "=%" PRId32, rule->nodes.items[i].score);
            rc = core_line_put_raw(text, score);
        }
    }
    return rc == 0 && rule->strict ? core_line_put_raw(text, " strict") : rc;
}

static int print_fence(core_line_text *text, const struct core_fence *fence)
{
    int rc = print_object(text, "fence", fence->name, &core_fence_keys, fence);

    for (size_t i = 0; rc == 0 && i < fence->parameters.count; i++) {
        const struct core_pair *pair = &fence->parameters.items[i];

        rc = core_line_put_raw(text, " ");
        if (rc == 0)
            rc = core_line_put_raw(text, pair->name);
        if (rc == 0)
            rc = core_line_put_raw(text, "=");
        if (rc == 0 && pair->value[0] != '\0')
            rc = core_line_put(text, pair->value);
    }
    return rc;
}

int core_config_print(const struct core_state *state, char **ret_text)
{
    core_line_text text = HW_VECTOR_INIT;
    int rc = 0;

    if (state->cluster.name[0] != '\0')
        rc = end_line(&text, print_object(&text, "cluster", state->cluster.name, &core_cluster_keys,
                                          &state->cluster));
    for (size_t i = 0; rc == 0 && i < state->nodes.count; i++)
        rc = end_line(&text, print_object(&text, "node", state->nodes.items[i].name,
                                          &core_node_keys, &state->nodes.items[i]));
    for (size_t i = 0; rc == 0 && i < state->luns.count; i++)
        rc = end_line(&text, print_object(&text, "lun", state->luns.items[i].name, &core_lun_keys,
                                          &state->luns.items[i]));
    for (size_t i = 0; rc == 0 && i < state->vms.count; i++)
        rc = end_line(&text, print_object(&text, "vm", state->vms.items[i].name, &core_vm_keys,
                                          &state->vms.items[i]));
    for (size_t i = 0; rc == 0 && i < state->rules.count; i++)
        rc = end_line(&text, print_rule(&text, &state->rules.items[i]));
    for (size_t i = 0; rc == 0 && i < state->fences.count; i++)
        rc = end_line(&text, print_fence(&text, &state->fences.items[i]));
    if (rc == 0)
        rc = hw_vector_push(&text, '\0');
    if (rc < 0) {
        hw_vector_free(&text);
        return rc;
    }
    *ret_text = text.items;
    return 0;
}
