/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small iSCSI target for unit tests, on loopback, in threads of the test program: one disk in
 * memory, and on demand every misbehaviour that a real target cannot be asked for. Written from
 * RFC 7143, without a line of the initiator's code.
 */
#ifndef ISCSI_TARGET_H
#define ISCSI_TARGET_H

#include <stdbool.h>
#include <stdint.h>

enum { TARGET_BLOCK_BYTES = 512, TARGET_BLOCKS = 8192 };

/* What happens to the next commands that move data or none (not to logins, NOPs). */
enum target_mood {
    MOOD_GOOD,
    MOOD_SILENT,   /* takes the command, never answers */
    MOOD_LATE,     /* answers when told to by target_release() */
    MOOD_CONFLICT, /* RESERVATION CONFLICT at once, before the data has come */
    MOOD_STATUS,   /* CHECK CONDITION with target_set_sense() */
    MOOD_SHORT,    /* a read moves one block less, and says so */
    MOOD_CLOSE,    /* closes the connection in the middle of its answer */
    MOOD_GARBAGE,  /* answers noise */
    MOOD_REJECT,   /* a Reject PDU */
    MOOD_LEAVE,    /* an asynchronous message asks for a logout */
};

/* Start on a free loopback port, which is returned; 0 if that fails. */
uint16_t target_start(void);
/* Close all connections and end all threads. */
void target_stop(void);

void target_set_mood(enum target_mood mood);
void target_set_sense(uint8_t key, uint16_t asc_ascq);
/* Answer of LOGICAL UNIT RESET; -1 = none. */
void target_set_reset_response(int response);
/* Login status, class << 8 | detail; 0xffff = no answer at all. With 0x0101 logins are sent to
 * `port`, where logins succeed. */
void target_set_login(uint16_t status, uint16_t port);
void target_set_mute(bool mute); /* NOP-Outs are not answered */
/* Small receive buffer, small segments, unsolicited data: much of a write stays with the sender. */
void target_set_narrow(bool narrow);
/* Let all late answers go. */
void target_release(void);

struct target_seen {
    unsigned connections; /* accepted so far */
    unsigned commands;    /* SCSI commands so far */
    unsigned most_open;   /* most commands that were unanswered at a time */
    unsigned resets;      /* connections that ended by a TCP reset */
    unsigned logouts;
    unsigned nops;
    uint8_t isid[2][6]; /* of the last two logins, the newest first */
};

struct target_seen target_seen(void);
/* The disk's memory. */
uint8_t *target_disk(void);

#endif
