/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Orders on the control socket of hawser-lun: a JSON object in, a struct out. Unknown keys and
 * values that are not exactly what is wanted are refused, so that a misspelt order never half
 * works.
 */
#ifndef SV_COMMAND_H
#define SV_COMMAND_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/hw_error.h"

#define SV_REMEDY "see hawser-lun(8)" /* whoever gives a wrong order reads this */

/* Name in C, and on the wire. */
#define SV_COMMANDS(X)                \
    X(ACQUIRE, "acquire")             \
    X(HAND_OVER, "hand-over")         \
    X(RELEASE, "release")             \
    X(VERIFY, "verify")               \
    X(HOLD, "hold")                   \
    X(OPEN, "open")                   \
    X(DRAIN, "drain")                 \
    X(DISCARD_STATE, "discard-state") \
    X(STATUS, "status")               \
    X(STATISTICS, "statistics")       \
    X(EVENTS, "events")               \
    X(PAGE, "page")                   \
    X(QUIT, "quit")

enum sv_command_kind {
#define SV_COMMAND_ENUM(name, word) SV_COMMAND_##name,
    SV_COMMANDS(SV_COMMAND_ENUM)
#undef SV_COMMAND_ENUM
        SV_COMMAND_COUNT
};

/* "acquire" and so on. */
const char *sv_command_name(enum sv_command_kind kind);

struct sv_command {
    enum sv_command_kind kind;
    uint32_t generation; /* ACQUIRE: first of the block; `key` gives the same in a whole key */
    bool takeover;       /* ACQUIRE */
    bool expected_set;   /* ACQUIRE: the holder must be `expected`; 0: nobody */
    uint64_t expected;
    uint64_t key;  /* ACQUIRE: the first key of the block, or 0; checked against node and cluster */
    uint16_t node; /* HAND_OVER: for whom; 0: any */
};

/*
 * Read an order, as hw_order_read() gives it; not changed. 0 or -EINVAL with a message of kind
 * HW_ERROR_USAGE.
 */
int sv_command_parse(json_t *object, struct sv_command *ret_command, struct hw_error *error);

#endif
