/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables from values to words, made from the lists of core_words.h.
 */
#include <config.h>

#include "clusterd/core/core_words.h"

#include <errno.h>
#include <string.h>

#define WORD(prefix, name, word) word,

#define WORDS(function, list)                                                 \
    const char *function(uint32_t value)                                      \
    {                                                                         \
        static const char *const words[] = { list(WORD, ) };                  \
        return value < sizeof(words) / sizeof(words[0]) ? words[value] : "?"; \
    }

WORDS(core_lease_word, CORE_LEASES)
WORDS(core_node_mode_word, CORE_NODE_MODES)
WORDS(core_node_state_word, CORE_NODE_STATES)
WORDS(core_vm_want_word, CORE_VM_WANTS)
WORDS(core_on_drain_word, CORE_ON_DRAINS)
WORDS(core_via_word, CORE_VIAS)
WORDS(core_saved_word, CORE_SAVED_STATES)
WORDS(core_choice_word, CORE_CHOICES)
WORDS(core_rule_word, CORE_RULES)
WORDS(core_vm_phase_word, CORE_VM_PHASES)
WORDS(core_proof_word, CORE_PROOFS)

int core_word_find(const char *(*word)(uint32_t), uint32_t count, const char *text,
                   uint32_t *ret_value)
{
    for (uint32_t value = 0; value < count; value++) {
        if (strcmp(word(value), text) == 0) {
            *ret_value = value;
            return 0;
        }
    }
    return -ENOENT;
}
