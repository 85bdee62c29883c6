/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside of the lab's proxy: a TCP relay that understands iSCSI's framing (RFC 7143 clause 11, no
 * digests) so that it can hold, drop, answer or rewrite single PDUs. It shares no code with hawser
 * and keeps no state of SCSI: only of the wire.
 */
#ifndef LAB_PROXY_H
#define LAB_PROXY_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stamp.h"

#define PX_BHS_BYTES   48u
#define PX_MAX_PDU     (1u << 24)
#define PX_CONNECTIONS 64u
#define PX_STEPS       64u
#define PX_SWALLOWED   64u

enum px_opcode {
    PX_NOP_OUT = 0x00,
    PX_SCSI_COMMAND = 0x01,
    PX_TASK_REQUEST = 0x02,
    PX_LOGIN_REQUEST = 0x03,
    PX_DATA_OUT = 0x05,
    PX_NOP_IN = 0x20,
    PX_SCSI_RESPONSE = 0x21,
    PX_TASK_RESPONSE = 0x22,
    PX_LOGIN_RESPONSE = 0x23,
    PX_DATA_IN = 0x25,
    PX_R2T = 0x31,
    PX_ASYNC = 0x32,
};

enum { PX_TASK_PASS = -1, PX_TASK_LOSE = -2, PX_TASK_FAKE = -3 };

enum px_side { PX_CLIENT, PX_TARGET, PX_SIDES };

/* One PDU on its way, or a piece of plain bytes. */
struct px_pdu {
    struct px_pdu *next;
    uint64_t due_ms;
    size_t length, sent;
    uint8_t bytes[];
};

struct px_queue {
    struct px_pdu *first, **last;
};

/* What may be done to PDUs of one direction. */
struct px_rules {
    bool hold; /* keep everything */
    uint64_t
        hold_ops; /* bit per opcode below 0x40: keep these and, to stay in order, all that follow */
    uint64_t delay_ms;
};

/* The proxy's orders, set by commands; see proxy.c. */
struct px_orders {
    struct px_rules rules[PX_SIDES]; /* by the side the PDU comes from */
    int task_answer;                 /* PX_TASK_*, or 0..255: the response byte */
    unsigned task_answers_left;
    unsigned attentions;     /* unit attentions before each step */
    unsigned attention_code; /* 0: a mixture, else ASC << 8 | ASCQ */
    unsigned pr_out_skip,
        pr_out_lose; /* after `skip` answers to PR OUT, lose that many: swallow and cut */
    uint64_t random;
};

struct px_connection {
    unsigned number; /* 0: free */
    int fd[PX_SIDES];
    bool closed[PX_SIDES]; /* no more bytes come from there */
    bool detached;         /* the client is gone, the target does not know yet */
    bool pr_out_pending;
    bool registers, barrier_seen,
        early_said;        /* PR OUT seen here; then a barrier answered anywhere */
    uint8_t *in[PX_SIDES]; /* bytes of an unfinished PDU */
    size_t in_length[PX_SIDES], in_size[PX_SIDES];
    struct px_queue out[PX_SIDES]; /* by the side the PDU goes to */
    bool blocked[PX_SIDES];        /* by the side it comes from: a held opcode has been seen */
    /* numbers of the session as the proxy has shifted them */
    bool full_feature;
    uint32_t swallowed_commands, added_answers, next_status, expected_command, max_command;
    uint32_t swallowed_tags[PX_SWALLOWED];
    unsigned swallowed_count;
    uint32_t pr_out_tag;
    uint32_t steps[PX_STEPS]; /* opcode and service action of commands seen */
    unsigned step_count, attentions_waiting;
};

/* Length of the PDU whose header is at `bhs`, header, additional segments and padding included. */
size_t px_pdu_length(const uint8_t *bhs);

/* A copy of `length` bytes as a PDU that is due at `due_ms`; NULL without memory. */
struct px_pdu *px_pdu_new(const uint8_t *bytes, size_t length, uint64_t due_ms);

/* Puts a PDU at the queue's end. */
void px_queue_put(struct px_queue *queue, struct px_pdu *pdu);

/* Frees everything in the queue. */
void px_queue_clear(struct px_queue *queue);

#define PX_LINE_BYTES 256u

struct proxy {
    struct px_orders orders;
    struct px_connection connections[PX_CONNECTIONS];
    struct sockaddr_in target;
    int listener;
    unsigned last_number;
    char line[PX_LINE_BYTES];
    size_t line_length;
    bool stop;
    uint64_t writes; /* PDUs of clients that carry a write or its data */
};

/* Closes one end of a connection; `reset`: with RST instead of FIN. */
void px_connection_close_side(struct px_connection *connection, enum px_side side, bool reset);

/* Closes both ends, forgets everything that was on its way, frees the place. */
void px_connection_end(struct px_connection *connection, bool reset);

/* Obeys one line of commands (cut into words in place) and prints the answer. */
void px_obey(struct proxy *proxy, char *line);

enum px_verdict { PX_PASS, PX_SWALLOW, PX_CUT };

/*
 * Says "early-write" when a connection carries a write before it carried a PERSISTENT RESERVE OUT
 * that was followed by a completed task management function, on whatever connection.
 */
void px_watch(struct proxy *proxy, struct px_connection *connection, enum px_side side,
              const uint8_t *pdu);

/*
 * Judges and rewrites one whole PDU from `side` in place. PX_SWALLOW: it goes no further;
 * `*ret_answer` is then a PDU for the client, or NULL. PX_CUT: the connection shall be reset.
 */
enum px_verdict px_judge(struct px_orders *orders, struct px_connection *connection,
                         enum px_side side, uint8_t *pdu, size_t length,
                         struct px_pdu **ret_answer);

#endif
