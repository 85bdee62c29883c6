/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The small sets of words that the replicated state is made of: each list gives the enumeration and
 * the word that an admin reads and writes. Values are part of the snapshot's format: new ones go to
 * the end, none is ever reused, and 0 is what a snapshot from before the field means.
 */
#ifndef CORE_WORDS_H
#define CORE_WORDS_H

#include <stddef.h>
#include <stdint.h>

#define CORE_WORD_ENUM(prefix, name, word) prefix##name,

/* clang-format off */
/* what freezes and proves: timing.md, Feed and freeze */
#define CORE_LEASES(X, p) \
    X(p, MEMBER, "member") X(p, STORAGE, "storage")
/* what the admin asked of a node */
#define CORE_NODE_MODES(X, p) \
    X(p, ONLINE, "online") X(p, STANDBY, "standby") X(p, DRAINING, "draining") \
    X(p, MAINTENANCE, "maintenance")
/* what the cluster knows of a node */
#define CORE_NODE_STATES(X, p) \
    X(p, PENDING, "pending") X(p, ONLINE, "online") X(p, UNFIT, "unfit") X(p, LOST, "lost") \
    X(p, FENCING, "fencing")
/* what the admin asked of a VM */
#define CORE_VM_WANTS(X, p) \
    X(p, STOPPED, "stopped") X(p, RUNNING, "running") X(p, PAUSED, "paused")
/* what happens to a VM when its node is drained */
#define CORE_ON_DRAINS(X, p) \
    X(p, MOVE, "move") X(p, SHUTDOWN, "shutdown") X(p, LEAVE, "leave")
/* how a VM is moved */
#define CORE_VIAS(X, p) \
    X(p, AUTO, "auto") X(p, LIVE, "live") X(p, SAVE, "save") X(p, RESTART, "restart")
/* what is on the VM's state area, as far as the cluster knows: the LUN's header decides */
#define CORE_SAVED_STATES(X, p) \
    X(p, NONE, "none") X(p, COMMITTED, "committed") X(p, UNKNOWN, "unknown")
/* a yes, a no, or what the cluster says */
#define CORE_CHOICES(X, p) \
    X(p, DEFAULT, "default") X(p, ON, "on") X(p, OFF, "off")
/* rules of placement */
#define CORE_RULES(X, p) \
    X(p, PREFER, "prefer") X(p, AVOID, "avoid") X(p, APART, "apart") X(p, TOGETHER, "together") \
    X(p, ORDER, "order")
/* where a VM is in its life: the states of scenarios.md */
#define CORE_VM_PHASES(X, p) \
    X(p, STOPPED, "stopped") X(p, STARTING, "starting") X(p, RUNNING, "running") \
    X(p, PAUSED, "paused") X(p, FREEZING, "freezing") X(p, FROZEN, "frozen") \
    X(p, SAVING, "saving") X(p, SAVED, "saved") X(p, RESTORING, "restoring") \
    X(p, MOVING, "moving") X(p, STOPPING, "stopping") X(p, FAILED, "failed") \
    X(p, WAITING, "waiting")
/* proofs that a copy does not execute any more: timing.md, Proofs of stop, a to d */
#define CORE_PROOFS(X, p) \
    X(p, NONE, "none") X(p, REPORT, "clean report") X(p, AGENT, "fence agent") \
    X(p, MEMBER_LEASE, "member lease") X(p, STORAGE_LEASE, "storage lease")
/* clang-format on */

enum core_lease { CORE_LEASES(CORE_WORD_ENUM, CORE_LEASE_) CORE_LEASE_COUNT };
enum core_node_mode { CORE_NODE_MODES(CORE_WORD_ENUM, CORE_MODE_) CORE_MODE_COUNT };
enum core_node_state { CORE_NODE_STATES(CORE_WORD_ENUM, CORE_NODE_) CORE_NODE_COUNT };
enum core_vm_want { CORE_VM_WANTS(CORE_WORD_ENUM, CORE_WANT_) CORE_WANT_COUNT };
enum core_on_drain { CORE_ON_DRAINS(CORE_WORD_ENUM, CORE_ON_DRAIN_) CORE_ON_DRAIN_COUNT };
enum core_via { CORE_VIAS(CORE_WORD_ENUM, CORE_VIA_) CORE_VIA_COUNT };
enum core_saved { CORE_SAVED_STATES(CORE_WORD_ENUM, CORE_SAVED_) CORE_SAVED_COUNT };
enum core_choice { CORE_CHOICES(CORE_WORD_ENUM, CORE_CHOICE_) CORE_CHOICE_COUNT };
enum core_rule_kind { CORE_RULES(CORE_WORD_ENUM, CORE_RULE_) CORE_RULE_COUNT };
enum core_vm_phase { CORE_VM_PHASES(CORE_WORD_ENUM, CORE_VM_) CORE_VM_COUNT };
enum core_proof { CORE_PROOFS(CORE_WORD_ENUM, CORE_PROOF_) CORE_PROOF_COUNT };

/* The word of a value, "?" for one that is none. */
const char *core_lease_word(uint32_t value);
const char *core_node_mode_word(uint32_t value);
const char *core_node_state_word(uint32_t value);
const char *core_vm_want_word(uint32_t value);
const char *core_on_drain_word(uint32_t value);
const char *core_via_word(uint32_t value);
const char *core_saved_word(uint32_t value);
const char *core_choice_word(uint32_t value);
const char *core_rule_word(uint32_t value);
const char *core_vm_phase_word(uint32_t value);
const char *core_proof_word(uint32_t value);

/*
 * The value whose word is `text`, looked up through one of the functions above for values below
 * `count`. 0 with `ret_value`, or -ENOENT.
 */
int core_word_find(const char *(*word)(uint32_t), uint32_t count, const char *text,
                   uint32_t *ret_value);

#endif
