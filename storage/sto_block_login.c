/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Login and logout of a block device, in a worker thread: finds the session and the disk in
 * sysfs, has iscsiadm make the session if there is none, opens the disk and refuses what cannot
 * be fenced. Never logs out of a session that somebody else made or uses.
 */
#include <config.h>

#include "storage/sto_block_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/hw_cleanup.h"
#include "common/hw_clock.h"
#include "storage/sto_pr.h"
#include "storage/sto_sense.h"

enum { NS_PER_MS = 1000000, LOOK_AGAIN_MS = 20, UNIT_ATTENTIONS = 10, COMMAND_MS = 5000 };
enum { ARGUMENTS = 40 };

/* Exit statuses of iscsiadm (open-iscsi's iscsi_err.h). */
enum { ISCSIADM_NO_OBJECTS = 21, ISCSIADM_SESSION_EXISTS = 15, ISCSIADM_LOGIN_AUTH_FAILED = 24 };

static void refuse(struct sto_block_job *job, enum sto_rc rc, const char *words)
{
    job->result.rc = rc;
    snprintf(job->result.detail, sizeof(job->result.detail), "%s", words);
}

/* As refuse() for a failed call; such a failure is worth another try. */
static void refuse_errno(struct sto_block_job *job, const char *what, int rc)
{
    job->result.rc = STO_NOT_SENT;
    snprintf(job->result.detail, sizeof(job->result.detail), "%.96s: %s", what,
             strerrordesc_np(-rc));
}

static bool in_time(const struct sto_block_job *job)
{
    return hw_clock_now_ns(hw_clock_boottime()) < job->deadline_ns;
}

/* --- iscsiadm --- */

/* iscsiadm on the LUN's node record with these words, ended by NULL. */
static int iscsiadm(const struct sto_block_job *job, const char *const more[],
                    char output[STO_RUN_OUTPUT_BYTES])
{
    char portal[STO_BLOCK_PORTAL_BYTES];
    const char *argv[ARGUMENTS] = { "/sbin/iscsiadm",
                                    "-m",
                                    "node",
                                    "-T",
                                    job->place->name.target,
                                    "-p",
                                    sto_block_portal_text(&job->place->name.portal, portal) };
    unsigned count = 7;

    for (unsigned at = 0; more[at] && count < ARGUMENTS - 1; at++)
        argv[count++] = more[at];
    return job->sys->run(job->sys->context, argv, job->deadline_ns, output);
}

/* clang-format off */
/* The node record as we need it: kernel time-outs that end before a storage lease does, one try
 * (the caller repeats), nothing at boot. */
static const char *const node_settings[] = {
    "-o", "update",
    "-n", "node.startup", "-v", "manual",
    "-n", "node.session.timeo.replacement_timeout", "-v", STO_BLOCK_RECOVERY_S,
    "-n", "node.session.initial_login_retry_max", "-v", "1",
    "-n", "node.conn[0].timeo.login_timeout", "-v", STO_BLOCK_RECOVERY_S,
    "-n", "node.conn[0].timeo.noop_out_interval", "-v", STO_BLOCK_NOOP_S,
    "-n", "node.conn[0].timeo.noop_out_timeout", "-v", STO_BLOCK_NOOP_S,
    NULL,
};
/* clang-format on */

static int make_node(const struct sto_block_job *job, char output[STO_RUN_OUTPUT_BYTES])
{
    int rc = iscsiadm(job, (const char *const[]) { "-o", "new", NULL }, output);

    return rc == 0 ? iscsiadm(job, node_settings, output) : rc;
}

/* Log in to the target. True, or the result says why not. */
static bool make_session(struct sto_block_job *job)
{
    char output[STO_RUN_OUTPUT_BYTES] = "";
    int rc = make_node(job, output);

    if (rc == 0)
        rc = iscsiadm(job, (const char *const[]) { "--login", NULL }, output);
    if (rc == 0) {
        job->login.logged_in_here = true;
        return true;
    }
    if (rc == ISCSIADM_SESSION_EXISTS)
        return true;
    if (rc < 0)
        refuse_errno(job, "iscsiadm", rc);
    else
        refuse(job,
               rc == ISCSIADM_LOGIN_AUTH_FAILED || rc == ISCSIADM_NO_OBJECTS ? STO_LOGIN_REFUSED
                                                                             : STO_NOT_SENT,
               output[0] ? output : "iscsiadm failed without a word");
    return false;
}

/* --- from session to disk --- */

static void wait_a_little(void)
{
    nanosleep(&(struct timespec) { .tv_nsec = (long)LOOK_AGAIN_MS * NS_PER_MS }, NULL);
}

/* The disk of a by-path name, logging in if there is no session. True with its path. */
static bool find_named_disk(struct sto_block_job *job, char *path, size_t path_bytes)
{
    const struct sto_block_place *place = job->place;
    const char *sysfs = job->sys->sysfs;

    if (sto_block_sysfs_session(sysfs, &place->name, &job->login.session) < 0 && !make_session(job))
        return false;
    while (sto_block_sysfs_session(sysfs, &place->name, &job->login.session) < 0 ||
           sto_block_sysfs_disk(sysfs, job->login.session, place->name.lun, job->login.disk) < 0) {
        if (!in_time(job)) {
            refuse(job, STO_NOT_SENT, "the target shows no disk with this LUN");
            return false;
        }
        wait_a_little();
    }
    job->login.session_known = true;
    sto_block_sysfs_bound_recovery(sysfs, job->login.session,
                                   (unsigned)strtoul(STO_BLOCK_RECOVERY_S, NULL, 10));
    snprintf(path, path_bytes, "%s/%s", job->sys->dev, job->login.disk);
    return true;
}

/* --- judging the device --- */

static bool judge_kind(struct sto_block_job *job, const char *path)
{
    enum sto_block_kind kind;
    dev_t number;
    int rc = job->sys->device_number(job->sys->context, path, &number);

    while (rc == -ENOENT && job->place->named && in_time(job)) { /* not yet in /dev */
        wait_a_little();
        rc = job->sys->device_number(job->sys->context, path, &number);
    }
    if (rc == 0)
        rc = sto_block_sysfs_classify(job->sys->sysfs, number, &kind, job->login.disk);
    if (rc == -ENOTBLK) {
        refuse(job, STO_LOGIN_REFUSED, "is not a block device");
        return false;
    }
    if (rc < 0) {
        refuse_errno(job, path, rc);
        return false;
    }
    if (kind != STO_BLOCK_SCSI) {
        refuse(job, STO_LOGIN_REFUSED, sto_block_kind_reason(kind));
        return false;
    }
    return true;
}

/* One PERSISTENT RESERVE IN on the new descriptor, past unit attentions that wait. */
static void ask_capabilities(const struct sto_block_job *job, uint8_t *answer, uint32_t *ret_bytes,
                             struct sto_result *result)
{
    uint8_t cdb[16];
    bool lost;

    for (unsigned tries = 0; tries <= UNIT_ATTENTIONS; tries++) {
        struct sto_sg sg = {
            .cdb = cdb,
            .cdb_bytes =
                sto_pr_in_cdb(STO_PR_REPORT_CAPABILITIES, STO_PR_CAPABILITIES_ANSWER_BYTES, cdb),
            .direction = STO_DIRECTION_IN,
            .data = answer,
            .data_bytes = STO_PR_CAPABILITIES_ANSWER_BYTES,
            .timeout_ms = COMMAND_MS,
        };
        int rc = job->sys->sg_io(job->sys->context, job->login.fd, &sg);

        sto_block_judge_command(rc, &sg, result, &lost);
        *ret_bytes = sg.residual_bytes <= sg.data_bytes ? sg.data_bytes - sg.residual_bytes : 0;
        if (result->rc != STO_UNIT_ATTENTION)
            return;
    }
}

/* The kernel's initiator sends again by itself: only a target that keeps reservations over a
 * restart can fence it (timing.md). */
static bool judge_reservations(struct sto_block_job *job)
{
    uint8_t answer[STO_PR_CAPABILITIES_ANSWER_BYTES] = { 0 };
    struct sto_pr_capabilities capabilities = { 0 };
    struct sto_result result = { 0 };
    uint32_t bytes = 0;

    ask_capabilities(job, answer, &bytes, &result);
    if (result.rc == STO_UNSUPPORTED || result.rc == STO_ILLEGAL) {
        refuse(job, STO_LOGIN_REFUSED,
               result.detail[0] ? result.detail : "the target has no persistent reservations");
        return false;
    }
    if (result.rc != STO_OK) {
        refuse(job, STO_NOT_SENT, result.detail[0] ? result.detail : sto_rc_name(result.rc));
        return false;
    }
    if (sto_pr_decode_capabilities(answer, bytes, &capabilities) < 0 ||
        !capabilities.keeps_over_power_loss) {
        refuse(job, STO_LOGIN_REFUSED,
               "the target does not keep reservations over a power loss, and the kernel's "
               "initiator sends again by itself; use iscsi:");
        return false;
    }
    return true;
}

static bool open_disk(struct sto_block_job *job, const char *path)
{
    int flags = job->place->read_only ? O_RDONLY | O_DIRECT : O_RDWR | O_DIRECT | O_EXCL;
    uint64_t size;
    int fd = job->sys->open(job->sys->context, path, flags);

    /* A disk of a new session is named before it can be opened. */
    while ((fd == -ENXIO || fd == -ENOENT || fd == -ENODEV) && job->place->named && in_time(job)) {
        wait_a_little();
        fd = job->sys->open(job->sys->context, path, flags);
    }
    if (fd == -EBUSY)
        refuse(job, STO_LOGIN_REFUSED, "is in use on this host (mounted, or held by a mapping)");
    else if (fd < 0)
        refuse_errno(job, path, fd);
    if (fd < 0)
        return false;
    job->login.fd = fd;
    /* A disk that was scanned while another held exclusive access has no size. */
    if (job->sys->size(job->sys->context, fd, &size) == 0 && size == 0)
        sto_block_sysfs_rescan(job->sys->sysfs, job->login.disk);
    return true;
}

void sto_block_run_login(struct sto_block_job *job)
{
    char path[STO_URL_PATH_BYTES + STO_BLOCK_DISK_BYTES];

    if (job->place->named) {
        if (!find_named_disk(job, path, sizeof(path)))
            return;
    } else {
        snprintf(path, sizeof(path), "%s", job->place->path);
    }
    if (!judge_kind(job, path) || !open_disk(job, path))
        return;
    if (!judge_reservations(job)) {
        close(hw_take_fd(&job->login.fd));
        return;
    }
    job->result.rc = STO_OK;
}

void sto_block_run_logout(struct sto_block_job *job)
{
    char output[STO_RUN_OUTPUT_BYTES] = "";
    unsigned session;

    if (job->login.fd >= 0)
        close(hw_take_fd(&job->login.fd));
    job->result.rc = STO_OK;
    if (!job->login.logged_in_here || !job->place->named ||
        sto_block_sysfs_session(job->sys->sysfs, &job->place->name, &session) < 0 ||
        sto_block_sysfs_disk_count(job->sys->sysfs, session) > 1)
        return;
    if (iscsiadm(job, (const char *const[]) { "--logout", NULL }, output) != 0)
        refuse(job, STO_UNKNOWN, output[0] ? output : "iscsiadm did not log out in time");
}
