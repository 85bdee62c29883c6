/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Login and logout of block devices, with recorded answers (storage/sto_block_login). */
#include <config.h>

#include "storage/sto_block_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/sto_pr.h"
#include "tests/unit/fake_block.h"
#include "tests/unit/unit.h"

enum { SHORT_MS = 200, LONG_MS = 20000, NS_PER_MS = 1000000 };

/* Run a login or logout job here, in this thread. */
static struct sto_block_job *entry(struct fake_block *fake, enum sto_block_job_kind kind,
                                   const char *path, int64_t within_ms)
{
    struct sto_block_job *job = sto_block_job_new(kind, &fake->sys, 0);

    CU_ASSERT_PTR_NOT_NULL_FATAL(job);
    job->place = calloc(1, sizeof(*job->place));
    CU_ASSERT_PTR_NOT_NULL_FATAL(job->place);
    job->place->named = sto_block_name_parse(path, &job->place->name) == 0;
    snprintf(job->place->path, sizeof(job->place->path), "%s", path);
    job->deadline_ns = hw_clock_now_ns(hw_clock_boottime()) + within_ms * NS_PER_MS;
    return job;
}

static void release(struct sto_block_job *job)
{
    job->job.free(&job->job);
}

static struct sto_block_job *login(struct fake_block *fake, int64_t within_ms)
{
    struct sto_block_job *job = entry(fake, STO_BLOCK_JOB_LOGIN, FAKE_BLOCK_NAME, within_ms);

    sto_block_run_login(job);
    return job;
}

static void makes_session(void)
{
    struct sto_block_job *job;
    struct fake_block fake;
    char text[64];

    CU_ASSERT_FATAL(fake_block_begin(&fake));
    job = login(&fake, LONG_MS);
    CU_ASSERT_EQUAL(job->result.rc, STO_OK);
    CU_ASSERT_TRUE(job->login.fd >= 0);
    CU_ASSERT_TRUE(job->login.logged_in_here);
    CU_ASSERT_STRING_EQUAL(job->login.disk, "sda");
    CU_ASSERT_EQUAL(fake.logins, 1);
    CU_ASSERT_STRING_EQUAL(fake.settings, "node.startup=manual;"
                                          "node.session.timeo.replacement_timeout=5;"
                                          "node.session.initial_login_retry_max=1;"
                                          "node.conn[0].timeo.login_timeout=5;"
                                          "node.conn[0].timeo.noop_out_interval=2;"
                                          "node.conn[0].timeo.noop_out_timeout=2;");
    fake_sysfs_get(&fake.files, "class/iscsi_session/session1/recovery_tmo", text);
    CU_ASSERT_EQUAL(strncmp(text, "5", 1), 0);
    release(job);
    fake_block_end(&fake);
}

static void uses_session(void)
{
    struct sto_block_job *job;
    struct fake_block fake;

    CU_ASSERT_FATAL(fake_block_begin(&fake));
    fake_block_session(&fake);
    job = login(&fake, LONG_MS);
    CU_ASSERT_EQUAL(job->result.rc, STO_OK);
    CU_ASSERT_FALSE(job->login.logged_in_here);
    CU_ASSERT_EQUAL(fake.logins, 0);
    release(job);
    fake_block_end(&fake);
}

/* What iscsiadm says decides whether trying again helps. */
static void iscsiadm_fails(void)
{
    static const struct {
        int login, other;
        enum sto_rc wanted;
    } cases[] = {
        { 15, 0, STO_OK },            /* somebody else logged in meanwhile */
        { 24, 0, STO_LOGIN_REFUSED }, /* wrong secret */
        { 21, 0, STO_LOGIN_REFUSED }, /* no such target */
        { 8, 0, STO_NOT_SENT },       /* connection timed out */
        { 0, 6, STO_NOT_SENT },       /* the record cannot be written */
        { -ENOENT, 0, STO_NOT_SENT }, /* no iscsiadm */
    };

    for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++) {
        struct sto_block_job *job;
        struct fake_block fake;

        CU_ASSERT_FATAL(fake_block_begin(&fake));
        fake.login_status = cases[at].login;
        fake.other_status = cases[at].other;
        job = login(&fake, LONG_MS);
        CU_ASSERT_EQUAL(job->result.rc, cases[at].wanted);
        CU_ASSERT_EQUAL(job->result.detail[0] != '\0', cases[at].wanted != STO_OK);
        CU_ASSERT_FALSE(job->login.logged_in_here);
        release(job);
        fake_block_end(&fake);
    }
}

static void times_out(void)
{
    struct sto_block_job *job;
    struct fake_block fake;

    CU_ASSERT_FATAL(fake_block_begin(&fake));
    fake.login_hangs = true;
    job = login(&fake, LONG_MS);
    CU_ASSERT_EQUAL(job->result.rc, STO_NOT_SENT);
    release(job);
    fake.login_hangs = false;
    fake.no_disk = true;
    job = login(&fake, SHORT_MS);
    CU_ASSERT_EQUAL(job->result.rc, STO_NOT_SENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(job->result.detail, "no disk"));
    release(job);
    fake_block_end(&fake);
}

static struct sto_block_job *login_to(struct fake_block *fake, const char *name)
{
    char path[128];
    struct sto_block_job *job;

    snprintf(path, sizeof(path), "%s/%s", fake->files.dev, name);
    job = entry(fake, STO_BLOCK_JOB_LOGIN, path, LONG_MS);
    sto_block_run_login(job);
    return job;
}

static void plain_device(void)
{
    struct sto_block_job *job;
    struct fake_block fake;
    char text[64];

    CU_ASSERT_FATAL(fake_block_begin(&fake));
    fake.size_bytes = 0; /* scanned under another's reservation */
    job = login_to(&fake, "sda");
    CU_ASSERT_EQUAL(job->result.rc, STO_OK);
    CU_ASSERT_FALSE(job->login.session_known);
    CU_ASSERT_STRING_EQUAL(fake_sysfs_get(&fake.files, "devices/sda/device/rescan", text), "1");
    release(job);
    job = login_to(&fake, "sdz");
    CU_ASSERT_EQUAL(job->result.rc, STO_NOT_SENT);
    release(job);
    fake.number_rc = -ENOTBLK;
    job = login_to(&fake, "sda");
    CU_ASSERT_EQUAL(job->result.rc, STO_LOGIN_REFUSED);
    release(job);
    fake_block_end(&fake);
}

static void in_use(void)
{
    struct sto_block_job *job;
    struct fake_block fake;

    CU_ASSERT_FATAL(fake_block_begin(&fake));
    fake.open_rc = -EBUSY;
    job = login_to(&fake, "sda");
    CU_ASSERT_EQUAL(job->result.rc, STO_LOGIN_REFUSED);
    CU_ASSERT_PTR_NOT_NULL(strstr(job->result.detail, "in use"));
    release(job);
    fake.open_rc = -EACCES;
    job = login_to(&fake, "sda");
    CU_ASSERT_EQUAL(job->result.rc, STO_NOT_SENT);
    release(job);
    fake_sysfs_put(&fake.files, "devices/sda/holders/dm-0/dm/uuid", "mpath-3600\n");
    job = login_to(&fake, "sda");
    CU_ASSERT_EQUAL(job->result.rc, STO_LOGIN_REFUSED);
    CU_ASSERT_PTR_NOT_NULL(strstr(job->result.detail, "dm-multipath"));
    release(job);
    fake_block_end(&fake);
}

/* REPORT CAPABILITIES decides. */
static void without_aptpl(void)
{
    static const struct {
        struct fake_answer answer;
        enum sto_rc wanted;
    } cases[] = {
        { { .times = 1, .data = { 0, 8, 0 }, .data_bytes = 8 }, STO_LOGIN_REFUSED },
        { { .times = 1, .data = { 0, 8, 1 }, .data_bytes = 2 }, STO_LOGIN_REFUSED }, /* cut */
        { { .times = 1, .status = 2, .sense_key = 5, .asc_ascq = 0x2000 }, STO_LOGIN_REFUSED },
        { { .times = 1, .rc = -EPERM }, STO_LOGIN_REFUSED },
        { { .times = 1, .rc = -ENODEV }, STO_NOT_SENT },
        { { .times = 99, .status = 2, .sense_key = 6, .asc_ascq = 0x2900 }, STO_NOT_SENT },
        { { .times = 3, .status = 2, .sense_key = 6, .asc_ascq = 0x2900 }, STO_OK },
    };

    for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++) {
        struct fake_answer answer = cases[at].answer;
        struct sto_block_job *job;
        struct fake_block fake;

        CU_ASSERT_FATAL(fake_block_begin(&fake));
        answer.opcode = STO_PR_OPCODE_IN;
        if (cases[at].wanted == STO_OK) { /* unit attentions first, then what begin() recorded */
            fake.answers[1] = fake.answers[0];
            fake.answers[0] = answer;
            fake.answer_count = 2;
        } else {
            fake.answers[0] = answer;
        }
        job = login_to(&fake, "sda");
        CU_ASSERT_EQUAL(job->result.rc, cases[at].wanted);
        CU_ASSERT_EQUAL(job->login.fd >= 0, cases[at].wanted == STO_OK);
        release(job);
        fake_block_end(&fake);
    }
}

static struct sto_block_job *logout(struct fake_block *fake, bool logged_in_here)
{
    struct sto_block_job *job = entry(fake, STO_BLOCK_JOB_LOGOUT, FAKE_BLOCK_NAME, LONG_MS);

    job->login.logged_in_here = logged_in_here;
    sto_block_run_logout(job);
    return job;
}

static void logs_out(void)
{
    struct sto_block_job *job;
    struct fake_block fake;

    CU_ASSERT_FATAL(fake_block_begin(&fake));
    fake_block_session(&fake);
    job = logout(&fake, false); /* somebody else's session */
    CU_ASSERT_EQUAL(job->result.rc, STO_OK);
    CU_ASSERT_EQUAL(fake.logouts, 0);
    release(job);
    fake_sysfs_attach(&fake.files, 1, 1, "sdb");
    job = logout(&fake, true); /* used by another disk */
    CU_ASSERT_EQUAL(fake.logouts, 0);
    release(job);
    fake_block_end(&fake);
    CU_ASSERT_FATAL(fake_block_begin(&fake));
    fake_block_session(&fake);
    job = logout(&fake, true);
    CU_ASSERT_EQUAL(job->result.rc, STO_OK);
    CU_ASSERT_EQUAL(fake.logouts, 1);
    release(job);
    fake.other_status = 7;
    job = logout(&fake, true);
    CU_ASSERT_EQUAL(job->result.rc, STO_UNKNOWN);
    release(job);
    fake_block_end(&fake);
}

const struct unit_case unit_cases[] = { { "a session is made, with our settings", makes_session },
                                        { "a session that is there is used", uses_session },
                                        { "iscsiadm's failures", iscsiadm_fails },
                                        { "login ends at its deadline", times_out },
                                        { "a plain device", plain_device },
                                        { "devices in use or refused", in_use },
                                        { "targets that forget reservations are refused",
                                          without_aptpl },
                                        { "logout of our own session only", logs_out },
                                        { 0 } };
