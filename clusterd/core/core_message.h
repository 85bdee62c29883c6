/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the cores say to each other besides log and beats, over the group: REPORT, what this node
 * has of VMs, said again and again; REQUEST, an order that an admin asked for at this member, said
 * until it is applied. Each carries view, term and life, so that one that is delivered later, or in
 * another ring, says nothing.
 *
 * Little-endian: magic 4, version 2, kind 2, from 4, count 4, incarnation 8, ring sequence 8, ring
 * node 4, group 4, term 8, applied index 8, size of the rest 4, CRC-32C of everything with 0 here
 * 4; then for a REPORT `count` items of 32 bytes: vm 4, generation 4, run 4, stop 4, seen 4, zero
 * 4, milliseconds 8; for a REQUEST an order (core_order.h).
 */
#ifndef CORE_MESSAGE_H
#define CORE_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "clusterd/core/core_log_message.h"
#include "clusterd/core/core_order.h"
#include "clusterd/core/core_words.h"

enum {
    CORE_MESSAGE_VERSION = 1,
    CORE_MESSAGE_HEAD = 64,
    CORE_REPORT_ITEM_BYTES = 32,
    CORE_REPORT_ITEMS_MAX = 8192, /* VMs of one node */
};
#define CORE_MESSAGE_MAGIC UINT32_C(0x4d4f4348) /* "HCOM" */

enum core_message_kind { CORE_MESSAGE_REPORT = 1, CORE_MESSAGE_REQUEST, CORE_MESSAGE_KINDS };

/* How far a node is with one generation of a VM, in the order in which it goes. */
/* clang-format off */
#define CORE_RUNS(X, p) \
    X(p, PREPARING, "preparing")   /* process and login; nothing on the LUN is touched */ \
    X(p, PREPARED, "prepared") \
    X(p, CLAIMING, "claiming")     /* REGISTER, PREEMPT, barrier, record */ \
    X(p, CLAIMED, "claimed") \
    X(p, STARTING, "starting") \
    X(p, RUNNING, "running") \
    X(p, SAVING, "saving")         /* it ends as STOPPED and saved, or as RUNNING */ \
    X(p, STOPPING, "stopping") \
    X(p, STOPPED, "stopped")       /* nothing of it is left, and it never starts again */
/* clang-format on */
enum core_run { CORE_RUNS(CORE_WORD_ENUM, CORE_RUN_) CORE_RUN_COUNT };

struct core_report_item {
    uint32_t vm; /* its number */
    uint32_t generation;
    uint32_t run;      /* enum core_run */
    uint32_t stop;     /* STOPPED: enum core_stop */
    uint32_t seen;     /* greatest generation that was found on its LUNs; 0: none */
    uint64_t since_ms; /* since it was claimed; 0 before */
};

struct core_message {
    enum core_message_kind kind;
    uint32_t from;
    uint64_t incarnation;
    struct core_view_id view;
    uint64_t term;
    uint64_t applied;                     /* index of the sender's state */
    const struct core_report_item *items; /* REPORT; not owned */
    uint32_t count;
    struct core_order order; /* REQUEST */
};

/* Bytes that core_message_encode() writes. */
size_t core_message_size(const struct core_message *message);
/* Encode into `room` of core_message_size() bytes. */
void core_message_encode(const struct core_message *message, uint8_t *room);
/*
 * Decode all of `size` bytes; an order's text points into them, a REPORT's items are read into
 * `items`, room for CORE_REPORT_ITEMS_MAX. 0; -EBADMSG; -EPROTONOSUPPORT: of a newer release.
 * ret_message is untouched on errors.
 */
int core_message_decode(const uint8_t *bytes, size_t size, struct core_report_item *items,
                        struct core_message *ret_message);
/* The word of an enum core_run, "?" for none. */
const char *core_run_word(uint32_t run);

#endif
