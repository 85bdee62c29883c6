/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Access to one LUN, whatever carries it: userspace iSCSI, a Linux block device, a file.
 * Everything is asynchronous and sits in the caller's event loop: one descriptor, the events it
 * waits for, one service call. Deadlines are kept inside (the descriptor becomes readable when one
 * is due), so the caller needs no timers of its own. Nothing here decides about ownership, retries
 * a command, or reconnects by itself.
 *
 * Rules for operations: the caller owns struct sto_op and its buffers until `done` was called;
 * `done` is called exactly once for each submitted operation, only from sto_lun_service(),
 * sto_lun_hand_over() or sto_lun_close(), never from inside sto_lun_submit(); unit attentions are
 * returned, never swallowed; an operation whose deadline passes ends as STO_UNKNOWN: it may still
 * be executed.
 */
#ifndef STO_LUN_H
#define STO_LUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "common/hw_clock.h"
#include "common/hw_error.h"

struct sto_lun;
struct sto_url;

/* The two I_T nexuses of one LUN. A backend with a single nexus uses it for both. */
enum sto_session {
    STO_SESSION_DATA,    /* reads, writes, PERSISTENT RESERVE OUT: the one that is the holder */
    STO_SESSION_CONTROL, /* PERSISTENT RESERVE IN, TEST UNIT READY, LUN RESET, NOP */
    STO_SESSIONS,
};

enum sto_op_kind {
    STO_OP_LOGIN,             /* bring `session` up (iSCSI login; open of a device or file) */
    STO_OP_LOGOUT,            /* end `session` in order (iSCSI logout request, close) */
    STO_OP_READ,              /* offset_bytes, iov */
    STO_OP_WRITE,             /* offset_bytes, iov, STO_FUA */
    STO_OP_FLUSH,             /* SYNCHRONIZE CACHE over the whole LUN (SBC-3 5.22) */
    STO_OP_DISCARD,           /* UNMAP (SBC-3 5.35) of offset_bytes, length_bytes */
    STO_OP_WRITE_ZEROES,      /* WRITE SAME of zeroes (SBC-3 5.47) or the backend's equal */
    STO_OP_COMPARE_AND_WRITE, /* iov = compare image, then write image (SBC-3 5.3) */
    STO_OP_SCSI,              /* any CDB, `direction`, iov; SCSI backends only */
    STO_OP_LUN_RESET,         /* LOGICAL UNIT RESET (SAM-5 7.7); always on the control session */
};

enum sto_direction { STO_DIRECTION_NONE, STO_DIRECTION_IN, STO_DIRECTION_OUT };

enum {
    STO_FUA = 1u << 0,    /* WRITE: durable when it is answered */
    STO_LEASED = 1u << 1, /* only under the lease: see sto_lun_set_lease() */
};

/* How an operation ended. Everything but the two marked ones is known not to have been executed,
 * or to have been executed. */
enum sto_rc {
    STO_OK,
    STO_CONFLICT,       /* RESERVATION CONFLICT (SAM-5 5.3.1), EBADE of a block device */
    STO_UNIT_ATTENTION, /* not executed; sense in the result (SPC-4 4.5) */
    STO_BUSY,           /* BUSY, TASK SET FULL, NOT READY "becoming ready": not executed */
    STO_MISCOMPARE,     /* COMPARE AND WRITE found something else */
    STO_UNSUPPORTED,    /* the target or backend does not know this command */
    STO_ILLEGAL,        /* ILLEGAL REQUEST of any other kind */
    STO_READ_ONLY,      /* DATA PROTECT */
    STO_NO_SPACE,       /* thin LUN out of space (27/07), ENOSPC */
    STO_MEDIUM,         /* MEDIUM, HARDWARE or other error: nothing can be said of the data */
    STO_ABORTED,        /* ABORTED COMMAND: part of it may have been executed, no more will be */
    STO_SHORT,          /* fewer bytes moved than asked */
    STO_NOT_SENT,       /* the session is down: never left this process */
    STO_WITHHELD,       /* the lease is over (sto_lun_set_lease()): never left this process */
    STO_UNKNOWN,        /* UNKNOWN OUTCOME: timed out, cancelled, connection lost: may be executed
                           now, later or never */
    STO_LOGIN_REFUSED,  /* wrong secret, unknown target: retrying does not help */
};

/* How often a command that the target aborts is sent before somebody hears of it. */
enum { STO_ABORTS_MAX = 5 };

/* A short name of `rc` for messages and JSON ("conflict", "unit-attention" ...). */
const char *sto_rc_name(enum sto_rc rc);
/* Was a request not carried out, or nobody knows whether: it may be issued again, behind a barrier
 * where the answer is missing, and nobody must be told an error. */
bool sto_rc_unsettled(enum sto_rc rc);
/* Does it pass by itself? The same command may be sent again at once, within limits. */
bool sto_rc_passes(enum sto_rc rc);

enum { STO_DETAIL_BYTES = 160 };

struct sto_result {
    enum sto_rc rc;
    uint8_t scsi_status;           /* SAM-5 5.3, 0 where the backend has none */
    uint8_t sense_key;             /* SPC-4 4.5.6 */
    uint16_t asc_ascq;             /* additional sense code << 8 | qualifier */
    uint8_t tmf_response;          /* LUN RESET: response byte (RFC 7143 11.6.1): 0 = complete */
    uint64_t transferred_bytes;    /* moved, as far as known */
    int64_t sent_ns;               /* clock when it was handed to the transport; 0 = never */
    int64_t done_ns;               /* clock when the answer was seen */
    char detail[STO_DETAIL_BYTES]; /* words of the backend for LOGIN failures and losses, or "" */
};

struct sto_op {
    enum sto_op_kind kind;
    enum sto_session session;
    uint32_t flags;
    enum sto_direction direction; /* STO_OP_SCSI */
    uint64_t offset_bytes;        /* from the start of the LUN; multiple of the block size */
    uint64_t length_bytes;        /* DISCARD, WRITE_ZEROES; else the sum of iov */
    const struct iovec *iov;      /* caller's, until done */
    unsigned iov_count;
    uint8_t cdb[16]; /* STO_OP_SCSI */
    uint8_t cdb_bytes;
    uint32_t timeout_ms; /* 0: the LUN's default (T_io of timing.md) */
    void (*done)(struct sto_op *op);
    void *context; /* the caller's */
    struct sto_result result;
    struct sto_op *next, *previous; /* list of whoever holds it now: backend or gate */
    void *backend;                  /* the backend's own, while submitted */
    int64_t deadline_ns;            /* set by sto_lun_submit() */
};

/* How a LUN tells its owner what it did not ask for. Called from sto_lun_service() only. */
struct sto_lun_notify {
    /* `session` went down by itself; all its operations have ended or end now as STO_UNKNOWN. */
    void (*session_down)(void *context, enum sto_session session, const char *why);
    void *context;
};

struct sto_lun_options {
    const char *initiator; /* iSCSI initiator name; NULL = host's */
    /* The ISID is made of node, salt, target and LUN. Two processes of one host on one LUN must
     * have different salts: with the same one a target takes the second for the first come back
     * and ends the first. */
    uint32_t isid_salt;
    uint32_t node;                /* node number */
    uint32_t connect_ms;          /* LOGIN deadline; 0 = 5000 */
    uint32_t io_timeout_ms;       /* T_io; 0 = 30000 */
    uint32_t nop_ms;              /* NOP-Out period on idle sessions; 0 = 1000 */
    bool read_only;               /* open without the right to write */
    const struct hw_clock *clock; /* NULL = hw_clock_boottime() */
    struct sto_lun_notify notify;
};

/*
 * Make a LUN from a parsed URL; nothing is sent yet (STO_OP_LOGIN does that). `url` is copied.
 * The backend is chosen by the URL's scheme; a `fault` rule in the URL's options puts the fault
 * backend on top. Errors: -EINVAL, -ENOMEM, -ENOTSUP (recognised and refused, e.g. NVMe), with
 * the message in `error`.
 */
int sto_lun_open(const struct sto_url *url, const struct sto_lun_options *options,
                 struct sto_lun **ret_lun, struct hw_error *error);

/* Tell somebody else from now on. */
void sto_lun_set_notify(struct sto_lun *lun, const struct sto_lun_notify *notify);

/*
 * End all sessions hard (no logout: the target keeps the nexus's state as after a crash; a TCP
 * socket is closed with a reset so that nothing unsent is delivered later), end all operations
 * as STO_UNKNOWN or STO_NOT_SENT, free the LUN. NULL is allowed.
 */
void sto_lun_close(struct sto_lun *lun);

/*
 * Drop one session hard at once, as sto_lun_close() does for all; its operations end in the next
 * service call. The session can be logged in again. Idempotent.
 */
void sto_lun_drop(struct sto_lun *lun, enum sto_session session);

/*
 * Hand an operation over. 0, or -errno and the operation was not taken (`done` is not called):
 * -EINVAL misaligned, out of the LUN's capacity, iov sums wrong; -EROFS; -ENOMEM.
 */
int sto_lun_submit(struct sto_lun *lun, struct sto_op *op);

/*
 * Operations that are marked STO_LEASED (a guest's) are issued only before the time that stands
 * here, of the LUN's clock: the place is the caller's, outlives the LUN or is replaced first, and
 * may be written by another thread. NULL (as born): no lease. Over iSCSI this holds for every
 * system call that sends bytes of such an operation, also those that an R2T asks for later: while
 * one is unanswered and the lease is over the data session sends nothing at all, since a command is
 * never cut in the middle; answers are still read. The control session is never held, nor are
 * operations without the mark while none with it is under way. What is held goes on, once and in
 * order, when the place says a later time and sto_lun_service() is called; deadlines of operations
 * and of the connection count on meanwhile. Data of files and block devices is looked at when it is
 * handed to the kernel, and ends as STO_WITHHELD if the lease is over by then.
 */
void sto_lun_set_lease(struct sto_lun *lun, const _Atomic int64_t *until_ns);

/*
 * The same for a lease that only the target's word makes longer (a storage lease): at or after
 * `until_ns` nothing marked STO_LEASED is sent. Over iSCSI the data session is then given up where
 * it would have to send: that word goes the same way as what must not be sent. INT64_MAX (as born):
 * none.
 */
void sto_lun_set_expiry(struct sto_lun *lun, int64_t until_ns);

/* The descriptor to poll; stays the same for the LUN's life. Owned by the LUN. */
int sto_lun_fd(const struct sto_lun *lun);
/* The poll events to wait for on it (POLLIN, POLLOUT). May change after each call into the LUN. */
short sto_lun_events(const struct sto_lun *lun);
/* Do what is due: move bytes, complete operations, expire deadlines. Never blocks. */
void sto_lun_service(struct sto_lun *lun, short revents);
/*
 * Between these two, operations that are submitted need not go out one by one: at the latest the
 * second hands them over, and calls `done` of those that end at once. Not from inside `done`.
 */
void sto_lun_gather(struct sto_lun *lun);
void sto_lun_hand_over(struct sto_lun *lun);
/* Operations submitted and not yet done, both sessions. */
unsigned sto_lun_in_flight(const struct sto_lun *lun);

/* What is known of the LUN; valid after sto_identify() succeeded. */
struct sto_facts {
    uint64_t capacity_bytes;
    uint32_t block_bytes;          /* logical block */
    uint32_t physical_block_bytes; /* logical << exponent, READ CAPACITY(16) */
    uint32_t max_transfer_bytes;   /* VPD B0h; 0 = not said */
    uint32_t optimal_transfer_bytes;
    uint32_t max_unmap_bytes;
    uint32_t max_compare_and_write_blocks; /* VPD B0h; 0 = not offered */
    uint64_t max_write_same_blocks;
    bool reservations;                        /* PERSISTENT RESERVE IN/OUT may be used at all */
    bool keeps_over_power_loss;               /* PTPL_C of REPORT CAPABILITIES */
    bool write_cache;                         /* WCE of the caching mode page */
    bool read_only;                           /* WP of MODE SENSE, or opened so */
    bool thin;                                /* LBPME or VPD B2h */
    bool unmap;                               /* LBPU */
    bool write_same_unmap;                    /* LBPWS */
    bool unmap_reads_zeroes;                  /* LBPRZ */
    bool scsi;                                /* STO_OP_SCSI works */
    bool full_status;                         /* READ FULL STATUS works */
    char vendor[9], product[17], revision[5]; /* standard INQUIRY, printable ASCII */
    char serial[64];                          /* VPD 80h */
    char wwid[128]; /* VPD 83h, "naa.…", "eui.…", "t10.…"; "file:dev:inode" for files */
};

/*
 * Read the facts (INQUIRY, VPD 00h 80h 83h B0h B2h, READ CAPACITY(16), MODE SENSE caching page,
 * PERSISTENT RESERVE IN REPORT CAPABILITIES) on a logged-in LUN. Unit attentions that wait are
 * stepped over and counted. Where the target keeps its capacity secret under another node's
 * exclusive access, capacity and block size are 0, and the facts do not count as known: reads and
 * writes are refused until they were read again. The data session is asked, or the control session
 * if only that one is logged in. `done` is called once, from sto_lun_service() or sto_lun_close();
 * on failure the message is in `error` (valid during the call). -EBUSY if one is under way,
 * -ENOMEM.
 */
int sto_identify(struct sto_lun *lun, uint32_t timeout_ms,
                 void (*done)(void *context, int rc, const struct sto_facts *facts,
                              const struct hw_error *error),
                 void *context);

/* The facts read last, or NULL if none are known. Owned by the LUN. */
const struct sto_facts *sto_lun_facts(const struct sto_lun *lun);
/* The LUN's name in messages (the URL without secrets). Owned by the LUN. */
const char *sto_lun_name(const struct sto_lun *lun);
/* The clock that its times are of. */
const struct hw_clock *sto_lun_clock(const struct sto_lun *lun);

/*
 * For tools and tests that have no event loop: poll and service until the condition holds.
 * `sto_run_op` submits one operation and waits for it; its result is in op->result (0 returned),
 * or -errno of the submit. Blocks at most the operation's deadline.
 */
int sto_run_op(struct sto_lun *lun, struct sto_op *op);
/* Identify and wait. 0 or -errno with the message in `error`. Blocks at most `timeout_ms`. */
int sto_run_identify(struct sto_lun *lun, uint32_t timeout_ms, struct sto_facts *ret_facts,
                     struct hw_error *error);

#endif
