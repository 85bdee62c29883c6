/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the entries of the log say that are not the log's own (core_entry.h): one struct for all of
 * them, of which each kind reads its fields. An order is proposed by the leader, by itself or for
 * the member that asked for it, and means nothing until it is committed; then core_apply() judges
 * it anew against the state, the same on every member.
 *
 * Little-endian: version 2, kind 2, from 4, incarnation 8, request 8, index 8, node 4, generation
 * 4, value 4, length of the object 4, length of the text 4, then both.
 */
#ifndef CORE_ORDER_H
#define CORE_ORDER_H

#include <stddef.h>
#include <stdint.h>

#include "clusterd/core/core_entry.h"
#include "clusterd/core/core_state.h"

enum { CORE_ORDER_VERSION = 1, CORE_ORDER_HEAD = 52 };

/* Values are part of the log's format: new ones go to the end. Behind each: the fields it reads. */
/* clang-format off */
#define CORE_ORDERS(X) \
    X(CONFIG, "configuration")   /* index: the revision that it replaces; text */ \
    X(WANT, "want")              /* object: VM; value: enum core_vm_want */ \
    X(MODE, "mode")              /* node; value: enum core_node_mode */ \
    X(JOIN, "join")              /* node; index: incarnation of its clusterd */ \
    X(LOST, "lost")              /* node; value: LOST or UNFIT; revokes all that it has */ \
    X(GRANT, "grant")            /* object: VM; node; generation */ \
    X(REVOKE, "revoke")          /* object: VM; all of its executors */ \
    X(STOPPED, "stopped")        /* object: VM; node; generation; value: enum core_stop */ \
    X(RUNNING, "running")        /* object: VM; node; generation */ \
    X(PROVE, "prove")            /* object: VM, "" for all; node; generation (of a VM); value: enum
                                  * core_proof, a lease; index: what was granted and revoked by
                                  * then (of all) */ \
    X(SEEN, "seen")              /* object: VM; generation that was found on one of its LUNs */ \
    X(FENCE, "fence")            /* node; revokes all that it has */ \
    X(FENCED, "fenced")          /* node; value: 1 it is off, 0 it failed; index: of the order */ \
    X(CLEAR, "clear")            /* object: VM; node whose failures are forgotten, 0 for all */ \
    X(FORGIVE, "forgive")        /* object: VM that failed everywhere: once more */ \
    X(MOVE, "move")              /* object: VM; node: the target; value: enum core_via; generation:
                                  * 1 if it comes home again, else 0 */ \
    X(STAYS, "stays")            /* object: VM that could not be moved; index: of the MOVE */
/* clang-format on */
#define CORE_ORDER_ENUM(name, word) CORE_ORDER_##name,
enum core_order_kind {
    CORE_ORDER_BEFORE = CORE_ENTRY_USER - 1,
    CORE_ORDERS(CORE_ORDER_ENUM) CORE_ORDER_END,
};

/* Why a VM's process is not there any more. */
/* clang-format off */
#define CORE_STOPS(X, p) \
    X(p, ORDERED, "as ordered") X(p, NEVER, "never started") X(p, FAILED, "start failed") \
    X(p, CRASHED, "crashed") X(p, SHUTDOWN, "shut down by its admin inside") X(p, SAVED, "saved")
/* clang-format on */
enum core_stop { CORE_STOPS(CORE_WORD_ENUM, CORE_STOP_) CORE_STOP_COUNT };

struct core_order {
    uint16_t kind;        /* enum core_order_kind */
    uint32_t from;        /* node that asked for it; 0: the leader did by itself */
    uint64_t incarnation; /* of the asking clusterd */
    uint64_t request;     /* its number there, from 1, rising */
    uint64_t index;
    uint32_t node; /* id */
    uint32_t generation;
    uint32_t value;
    char object[CORE_NAME_BYTES];
    const char *text; /* not ended; NULL if text_size is 0 */
    uint32_t text_size;
};

/* Bytes that core_order_encode() writes. */
size_t core_order_size(const struct core_order *order);
/* Encode into `room` of core_order_size() bytes. */
void core_order_encode(const struct core_order *order, uint8_t *room);
/*
 * Decode all of `size` bytes; the text points into them. 0; -EBADMSG; -EPROTONOSUPPORT: version or
 * kind of a newer release. ret_order is untouched on errors.
 */
int core_order_decode(const uint8_t *bytes, size_t size, struct core_order *ret_order);
/* The word of a kind of order, or of why a VM stopped; "?" for none. */
const char *core_order_word(uint32_t kind);
const char *core_stop_word(uint32_t stop);

#endif
