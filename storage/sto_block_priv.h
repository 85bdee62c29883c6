/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of the block backend, shared by sto_block*.c only. What may block runs as a job in a
 * worker thread and owns all it touches: a thread that hangs in the kernel may outlive the LUN.
 */
#ifndef STO_BLOCK_PRIV_H
#define STO_BLOCK_PRIV_H

#include "storage/sto_block_name.h"
#include "storage/sto_block_sys.h"
#include "storage/sto_block_sysfs.h"
#include "storage/sto_lun_priv.h"
#include "storage/sto_op_cdb.h"
#include "storage/sto_uring.h"
#include "storage/sto_worker.h"

/* Node record of a session that we log in: the kernel must have failed its commands before a
 * storage lease ends, and must not log in by itself at boot. */
#define STO_BLOCK_RECOVERY_S "5"
#define STO_BLOCK_NOOP_S     "2"

/* Which device a LUN is, as far as its URL says. */
struct sto_block_place {
    char path[STO_URL_PATH_BYTES];
    bool named; /* `path` is a by-path name, taken apart in `name` */
    struct sto_block_name name;
    bool read_only;
};

/* What a login found and did. */
struct sto_block_login {
    int fd; /* open device; -1 none */
    char disk[STO_BLOCK_DISK_BYTES];
    bool session_known; /* `session` is that of a by-path name */
    unsigned session;
    bool logged_in_here; /* the session was not there before */
};

enum sto_block_job_kind {
    STO_BLOCK_JOB_LOGIN,
    STO_BLOCK_JOB_LOGOUT,
    STO_BLOCK_JOB_COMMAND,
    STO_BLOCK_JOB_RESET,
};

struct sto_block_job {
    struct sto_job job; /* first */
    enum sto_block_job_kind kind;
    const struct sto_block_sys *sys;
    /* the owner's: never looked at by the thread */
    struct sto_op *op;          /* NULL: ended already, or several (LOGIN) */
    struct sto_block_job *next; /* in its lane, or draining */
    int64_t expires_ns;         /* LUN's clock */
    uint64_t order;             /* RESET: data requests numbered lower must have ended */
    /* the thread's, set before it runs */
    int64_t deadline_ns;           /* CLOCK_BOOTTIME */
    struct sto_result result;      /* the thread's */
    bool device_lost;              /* the thread's: the session or device is gone for good */
    struct sto_block_place *place; /* LOGIN, LOGOUT; owned */
    struct sto_block_login login;  /* LOGIN: result; LOGOUT: what to undo. The fd is the job's */
    struct sto_op_command command; /* COMMAND */
    int fd;                        /* COMMAND, RESET: a duplicate of the device's */
    char disk[STO_BLOCK_DISK_BYTES];
    uint8_t data[]; /* COMMAND: command.data_bytes, out or in */
};

/* Allocate a job with room for data. NULL: no memory. */
struct sto_block_job *sto_block_job_new(enum sto_block_job_kind kind,
                                        const struct sto_block_sys *sys, uint32_t data_bytes);

/* In the worker: find or make the session, open the disk, judge it. Result and login are set. */
void sto_block_run_login(struct sto_block_job *job);
/* In the worker: end the session if it is ours alone. */
void sto_block_run_logout(struct sto_block_job *job);
/* In the worker: one SCSI command. */
void sto_block_run_command(struct sto_block_job *job);
/* In the worker: LOGICAL UNIT RESET, then the disk's capacity again if it was not known. */
void sto_block_run_reset(struct sto_block_job *job);

/* Judge what SG_IO returned (`rc`: 0 or -errno) into `result`; `ret_lost` is set if the device
 * or session is gone. Pure. */
void sto_block_judge_command(int rc, const struct sto_sg *sg, struct sto_result *result,
                             bool *ret_lost);
/* Judge a read or write on the device: bytes moved or -errno, of `asked_bytes`. Pure. */
void sto_block_judge_data(int64_t moved, uint64_t asked_bytes, struct sto_result *result,
                          bool *ret_lost);
/* Judge what SG_SCSI_RESET returned. Pure. */
void sto_block_judge_reset(int rc, struct sto_result *result, bool *ret_lost);

/* --- lanes: a worker and its jobs, one for each session --- */

struct sto_block_lane {
    struct sto_worker *worker;          /* NULL until it is needed */
    struct sto_block_job *first, **end; /* handed to the worker, in order; the first runs */
    int event_fd;                       /* signalled when a job is finished */
};

void sto_block_lane_init(struct sto_block_lane *lane, int event_fd);
/* Queue a job, starting a worker if there is none. 0; or -errno and the job is still the
 * caller's. */
int sto_block_lane_submit(struct sto_block_lane *lane, struct sto_block_job *job);
/* The next finished job, the caller's again; NULL if there is none. */
struct sto_block_job *sto_block_lane_finished(struct sto_block_lane *lane);
/*
 * Give up a job of the lane. True: it had not begun, and is freed. False: it runs and is left to
 * its thread, its `op` cleared.
 */
bool sto_block_lane_give_up(struct sto_block_lane *lane, struct sto_block_job *job);
/* If the job that runs was given up and is over its time, abandon its worker; the jobs behind it
 * go to a new one. 0, or -errno: they wait for the next attempt. */
int sto_block_lane_unblock(struct sto_block_lane *lane, int64_t now_ns);
/* Abandon the worker and all jobs. */
void sto_block_lane_close(struct sto_block_lane *lane);

/* --- the LUN --- */

enum { STO_BLOCK_TAG_WORKERS, STO_BLOCK_TAG_RING };

struct sto_block {
    struct sto_lun lun; /* first: what callers hold */
    struct sto_pump pump;
    const struct sto_block_sys *sys;
    struct sto_block_place place;
    uint32_t connect_ms;
    int event_fd;                 /* signalled by the workers */
    struct sto_block_login login; /* what the last login found; fd -1 when down */
    bool up[STO_SESSIONS];
    struct sto_block_lane lanes[STO_SESSIONS];
    struct sto_uring *uring; /* NULL until the first login, then kept: it knows what is under way */
    bool lost;               /* a read or write found the device gone */
    struct sto_block_job *entry;    /* login under way */
    struct sto_block_job *draining; /* resets that wait for older requests to end */
    struct sto_op_list entering;    /* LOGIN operations that wait for `entry` */
};

/* --- sto_block_session.c: sessions up and down, operations ended --- */

/* Give a job its time; the descriptor becomes readable at its end. */
void sto_block_set_deadlines(struct sto_block *block, struct sto_block_job *job,
                             int64_t expires_ns);
/* End a job's operation before its time: known not to be executed if it had not begun. */
void sto_block_give_up_job(struct sto_block *block, struct sto_block_lane *lane,
                           struct sto_block_job *job, const char *why);
/* End the reset at `*at`, in the list of those that drain, as not proven. */
void sto_block_give_up_draining(struct sto_block *block, struct sto_block_job **at,
                                const char *why);
/* End all operations of a session that goes down. */
void sto_block_end_session(struct sto_block *block, enum sto_session session, const char *why);
/* The device or its session is gone by itself. */
void sto_block_lose_device(struct sto_block *block, const char *why);
/* Close the device, if it is open. */
void sto_block_close_device(struct sto_block *block);
/* LOGIN and LOGOUT, as the vtable's submit. */
int sto_block_submit_login(struct sto_block *block, struct sto_op *op);
int sto_block_submit_logout(struct sto_block *block, struct sto_op *op);
/* The login job ended: its operations too, all with the same answer. */
void sto_block_login_done(struct sto_block *block, struct sto_block_job *job);

/* --- sto_block_io.c: commands, transfers, resets --- */

/* Everything but LOGIN and LOGOUT, on a session that is up; as the vtable's submit. */
int sto_block_submit_io(struct sto_block *block, struct sto_op *op);
/* Judge what the kernel made of a read or write (sto_uring_judge_with()). */
void sto_block_judge_transfer(void *context, struct sto_op *op, int64_t moved);
/* End what the workers and the ring have finished. */
void sto_block_collect(struct sto_block *block);
/* If the timer fired: end what is over its time, and set it for what is next. */
void sto_block_expire(struct sto_block *block);

/* As sto_block_ops.open with another seam, for tests. `sys` outlives the LUN and its threads. */
int sto_block_open_with(const struct sto_url *url, const struct sto_lun_options *options,
                        const struct sto_block_sys *sys, struct sto_lun **ret_lun,
                        struct hw_error *error);

#endif
