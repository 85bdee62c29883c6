/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of the userspace iSCSI backend, shared by sto_iscsi*.c only. A LUN has two sessions,
 * each a libiscsi context of its own; every operation inside libiscsi has a `task` (its shadow),
 * so that an answer that comes after the operation ended finds the shadow and not the operation.
 */
#ifndef STO_ISCSI_PRIV_H
#define STO_ISCSI_PRIV_H

#include <poll.h>

#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>

#include "storage/sto_cdb.h"
#include "storage/sto_pump.h"
#include "storage/sto_resolve.h"
#include "storage/sto_secret.h"
#include "storage/sto_wire.h"

enum {
    /* Tasks inside libiscsi at a time: below the command windows of LIO (64) and tgtd (128), so
     * that what waits, waits in our own queue, where it can be taken back. */
    STO_ISCSI_TASKS = 60,
    /* Of them, kept free for plain CDBs: whoever owns the LUN asks for its reservation steadily,
     * however much a guest has piled up. */
    STO_ISCSI_RESERVED = 2,
    /* Ended tasks whose memory libiscsi may still read before the output is held back. */
    STO_ISCSI_RETIRED = 256,
    STO_ISCSI_IOV = 16, /* iovecs kept inside a task; more are allocated */
    STO_ISCSI_NAME_BYTES = 224,
};

enum sto_link {
    STO_LINK_DOWN,
    STO_LINK_RESOLVING,
    STO_LINK_CONNECTING,
    STO_LINK_LOGGING_IN,
    STO_LINK_UP,
    STO_LINK_LOGGING_OUT,
};

struct sto_iscsi_session;

/* The shadow of one operation inside libiscsi. */
struct sto_iscsi_task {
    struct sto_iscsi_task *next, *previous;
    struct sto_iscsi_session *session;
    struct sto_op *op;      /* NULL: ended already, only the memory is still needed */
    struct scsi_task *scsi; /* NULL for task management and logout */
    bool answered;          /* libiscsi has called back and forgotten it */
    bool leased;            /* counted in the session's `leased` */
    uint64_t asked_bytes;
    uint64_t serial;        /* order of sending */
    struct scsi_iovec *iov; /* libiscsi changes these while it works: never the caller's own */
    unsigned iov_room;
    struct scsi_iovec inline_iov[STO_ISCSI_IOV];
    uint8_t parameters[STO_UNMAP_RANGE_BYTES];
};

struct sto_iscsi_tasks {
    struct sto_iscsi_task *first, *last;
    unsigned count;
};

struct sto_iscsi_session {
    struct sto_iscsi *lun;
    enum sto_session which;
    enum sto_link link;
    struct iscsi_context *context; /* NULL when down */
    int fd;                        /* libiscsi's, as registered in epoll; -1 none */
    uint32_t armed;                /* epoll events asked for */
    bool lost;                     /* libiscsi gave the connection up: tear down soon */
    bool tearing_down;             /* callbacks come from the context's end */
    bool clear_older;              /* a LUN reset was answered: older tasks never will be */
    uint64_t clear_before;         /* serial of that reset */
    struct sto_op *entry;          /* LOGIN or LOGOUT under way */
    struct sto_op_list waiting;    /* not yet handed to libiscsi */
    struct sto_iscsi_tasks active;
    struct sto_iscsi_tasks retired;
    unsigned leased; /* tasks that may have bytes to send, and only under the lease */
    struct sto_wire wire;
    bool unjudged; /* what was sent did not come by the wire's look: no use of this libiscsi */

    /* login */
    unsigned portal;  /* index of the one tried */
    unsigned address; /* index into the addresses of this portal */
    unsigned redirects;
    int64_t login_deadline_ns;
    int64_t attempt_deadline_ns;
    struct sto_resolve *resolve;
    struct sto_addresses addresses;
    bool redirected;
    bool refused;    /* the target itself said no */
    bool logged_out; /* and the logout was answered */
    char why[STO_DETAIL_BYTES];

    /* NOP-Out (RFC 7143 11.18) */
    int64_t sent_ns;     /* last command or NOP handed over */
    int64_t received_ns; /* last answer */
    int64_t nop_ns;      /* the oldest unanswered NOP-Out was sent; 0 = none */
    int64_t next_nop_ns;
};

struct sto_iscsi {
    struct sto_lun lun; /* first: what callers hold */
    struct sto_url url;
    char initiator[STO_ISCSI_NAME_BYTES];
    struct sto_secret secret; /* empty without CHAP; wiped on close */
    uint32_t isid_salt;
    uint32_t node;
    uint32_t nop_ms;
    struct sto_pump pump;
    bool closing;
    uint64_t serial;
    unsigned blind_reads; /* services since the descriptors were last asked */
    struct sto_iscsi_session sessions[STO_SESSIONS];
    struct sto_iscsi_task *spare; /* free tasks */
};

/* --- sto_iscsi_build.c --- */

/* Make the task's scsi_task for `op`. -EINVAL if no CDB can say it, -ENOMEM. */
int sto_iscsi_build(const struct sto_iscsi_session *session, struct sto_iscsi_task *task,
                    const struct sto_op *op);

/* --- sto_iscsi_task.c --- */

/* Hand `op` to libiscsi. It always ends later, also when this fails. */
void sto_iscsi_task_start(struct sto_iscsi_session *session, struct sto_op *op);
/* End what is over its deadline; returns the earliest deadline left, INT64_MAX if none. */
int64_t sto_iscsi_task_expire(struct sto_iscsi_session *session, int64_t now_ns);
/* After a LUN reset was answered: end older tasks, which the target will not answer. */
void sto_iscsi_task_clear_older(struct sto_iscsi_session *session);
/* Give memory of ended tasks back if libiscsi has nothing left to send from it. */
void sto_iscsi_task_recycle(struct sto_iscsi_session *session);
/* End all operations of the session as unknown (handed over) or not sent (still waiting). */
void sto_iscsi_task_end_all(struct sto_iscsi_session *session, const char *why);
/* Free all tasks; the context is gone. */
void sto_iscsi_task_free_all(struct sto_iscsi_session *session);
/* True if libiscsi holds no unsent byte. */
bool sto_iscsi_drained(const struct sto_iscsi_session *session);
/* The LUN as libiscsi wants it (SAM-5 4.7: flat space addressing above 255). */
int sto_iscsi_lun_number(const struct sto_iscsi *lun);

/* --- sto_iscsi_login.c --- */

/* Bring the session up for `op` (STO_OP_LOGIN), which ends later. */
void sto_iscsi_login(struct sto_iscsi_session *session, struct sto_op *op);
/* Events of the descriptor while connecting or logging in. */
void sto_iscsi_login_event(struct sto_iscsi_session *session, uint32_t events);
/* Deadlines and name lookup; returns when to come again. */
int64_t sto_iscsi_login_tick(struct sto_iscsi_session *session, int64_t now_ns);

/* --- sto_iscsi_session.c --- */

/* A libiscsi context as this session wants it, not connected; NULL without memory. */
struct iscsi_context *sto_iscsi_make_context(const struct sto_iscsi_session *session);

/* End the session in order for `op` (STO_OP_LOGOUT), which ends later. */
void sto_iscsi_logout(struct sto_iscsi_session *session, struct sto_op *op);
/* Close the socket (with a reset unless `orderly`), destroy the context, free the tasks. The
 * operations must have ended. */
void sto_iscsi_session_discard(struct sto_iscsi_session *session, bool orderly);
/* The session is over: discard it and end all its operations. `why` goes into the results;
 * `notify` if the owner does not know yet (then the owner is told, last). */
void sto_iscsi_session_down(struct sto_iscsi_session *session, const char *why, bool notify);
/* iscsi_service() with every byte it sends judged by the lease. */
int sto_iscsi_service_context(struct sto_iscsi_session *session, int revents);
/* True while the session may send nothing: the lease is over, and some task needs it. */
bool sto_iscsi_held(const struct sto_iscsi_session *session);
/* Events of the session's descriptor. */
void sto_iscsi_session_event(struct sto_iscsi_session *session, uint32_t events);
/* True if something waits and libiscsi may be given more. */
bool sto_iscsi_can_start(const struct sto_iscsi_session *session);
/* Start what waits, write what can be written, set the events to wait for. */
void sto_iscsi_session_flush(struct sto_iscsi_session *session);
/* Wait for what libiscsi wants to wait for. */
void sto_iscsi_session_arm(struct sto_iscsi_session *session);
/* Deadlines and NOPs; returns when to come again. */
int64_t sto_iscsi_session_tick(struct sto_iscsi_session *session, int64_t now_ns);

#endif
