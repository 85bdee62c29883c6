/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keys of the configuration language, in tables that both parser and printer follow. For the
 * language's own files.
 */
#ifndef CORE_CONFIG_PRIV_H
#define CORE_CONFIG_PRIV_H

#include <stdbool.h>

#include "clusterd/core/core_config.h"
#include "clusterd/core/core_line.h"

enum core_key_kind {
    CORE_KEY_NUMBER, /* uint32_t */
    CORE_KEY_SIGNED, /* int32_t */
    CORE_KEY_SIZE,   /* uint64_t, MiB; written in M */
    CORE_KEY_WORD,   /* uint32_t through `word` */
    CORE_KEY_NAME,
    CORE_KEY_NAMES, /* core_names, parted by commas */
    CORE_KEY_TEXT,
};

struct core_key {
    const char *name;
    enum core_key_kind kind;
    size_t offset;
    uint64_t initial; /* where the key is not given; left out by the printer */
    uint64_t least, most;
    const char *(*word)(uint32_t value);
    bool required;
};

struct core_keys {
    const struct core_key *items;
    size_t count;
};

extern const struct core_keys core_cluster_keys, core_node_keys, core_lun_keys, core_vm_keys,
    core_fence_keys;

/* Set every key to its initial value. */
void core_keys_reset(const struct core_keys *keys, void *object);
/* The key of this name, NULL if there is none. */
const struct core_key *core_key_find(const struct core_keys *keys, const char *name, size_t length);
/* Read a value. 0, -EINVAL (not such a value), -ERANGE, -ENOMEM. */
int core_key_read(const struct core_key *key, void *object, const char *value);
/* Print " key=value" of all keys that are not as they are initially. 0 or -ENOMEM. */
int core_keys_print(const struct core_keys *keys, const void *object, core_line_text *text);

#endif
