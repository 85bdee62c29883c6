/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/sto_own, storage/sto_own_reason: every reason for which ownership is refused, lost or
 * left is reached.
 */
#include <config.h>

#include "storage/sto_own.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/own_machine.h"

static struct machine m;

static void start(bool takeover)
{
    CU_ASSERT_EQUAL(machine_start(&m, 17, takeover), 0);
}

static void answer(enum sto_own_command_kind kind, enum sto_rc rc, int decode)
{
    start(true);
    CU_ASSERT_TRUE(machine_until(&m, kind));
    machine_answer(&m, &(struct machine_answer) { .rc = rc, .decode = decode, .executed = true });
}

static void reach_released(void)
{
    start(false);
    machine_run(&m);
    machine_tell(&m, STO_OWN_EVENT_RELEASE);
}

static void reach_stopped(void)
{
    start(false);
    machine_run(&m);
    machine_tell(&m, STO_OWN_EVENT_STOP);
}

static void reach_revoked(void)
{
    start(false);
    machine_tell(&m, STO_OWN_EVENT_REVOKE);
}

static void reach_stale(void)
{
    machine_held_by(&m, machine_key(MACHINE_OTHER, 33));
    start(true);
}

static void reach_held(void)
{
    machine_held_by(&m, machine_key(MACHINE_OTHER, 5));
    start(false);
}

static void reach_unexpected(void)
{
    CU_ASSERT_EQUAL(machine_grant(&m, &(struct sto_own_grant) { .generation = 17,
                                                                .takeover = true,
                                                                .expected_set = true,
                                                                .expected_key = 1 }),
                    0);
}

static void reach_foreign_key(void)
{
    machine_held_by(&m, 0x5555);
    start(true);
}

static void reach_foreign_record(void)
{
    m.record.cluster_uuid[0] ^= 1;
    start(false);
}

static void reach_wrong_vm(void)
{
    m.config.vm_uuid[0] = 1;
    m.record.vm_uuid[0] = 2;
    start(false);
}

static void reach_copy(void)
{
    memcpy(m.record.wwid, "naa.2", 6);
    start(false);
}

static void reach_no_record(void)
{
    m.record_decode = -ENOENT;
    start(false);
}

static void reach_bad_record(void)
{
    m.record_decode = -EBADMSG;
    start(false);
}

static void reach_newer_record(void)
{
    m.record_decode = -EPROTONOSUPPORT;
    start(false);
}

static void identify(bool reservations, bool read_only)
{
    struct sto_own_event event = { .kind = STO_OWN_EVENT_RESULT };

    start(false);
    CU_ASSERT_TRUE(machine_until(&m, STO_OWN_IDENTIFY));
    event.result.id = m.command.id;
    event.result.reservations = reservations;
    event.result.read_only = read_only;
    m.out = false;
    CU_ASSERT_EQUAL(machine_event(&m, event), 0);
}

static void reach_no_reservations(void)
{
    identify(false, false);
}

static void reach_read_only(void)
{
    identify(true, true);
}

static void reach_unreachable(void)
{
    m.config.login_attempts = 1;
    answer(STO_OWN_LOGIN, STO_UNKNOWN, 0);
}

static void reach_login_refused(void)
{
    answer(STO_OWN_LOGIN, STO_LOGIN_REFUSED, 0);
}

static void reach_not_proven(void)
{
    answer(STO_OWN_LUN_RESET, STO_UNSUPPORTED, 0);
}

static void reach_generations_used(void)
{
    m.others[m.other_count++] = machine_key(MACHINE_NODE, 32);
    start(false);
}

static void reach_conflicted(void)
{
    start(false);
    machine_run(&m);
    machine_clear(&m);
    machine_tell(&m, STO_OWN_EVENT_DATA_CONFLICT);
}

static void reach_busy(void)
{
    start(false);
    while (machine_until(&m, STO_OWN_READ_KEYS))
        machine_answer(&m, &(struct machine_answer) { .rc = STO_BUSY });
}

static void reach_unsettled(void)
{
    start(false);
    while (machine_until(&m, STO_OWN_TEST_UNIT))
        machine_answer(&m, &(struct machine_answer) { .rc = STO_UNIT_ATTENTION });
}

static void reach_bad_answer(void)
{
    answer(STO_OWN_READ_KEYS, STO_OK, -EBADMSG);
}

static void reach_refused_by_target(void)
{
    start(false);
    m.no_aptpl = true;
    while (machine_until(&m, STO_OWN_PR_OUT) && m.command.request.service_key != 0)
        machine_answer(&m, &(struct machine_answer) { .rc = STO_ILLEGAL });
}

static void reach_registered_elsehow(void)
{
    start(false);
    while (machine_until_pr(&m, STO_PR_REGISTER))
        machine_answer(&m, &(struct machine_answer) { .rc = STO_CONFLICT });
}

static const struct {
    void (*reach)(void);
    enum sto_own_notice notice;
} reasons[STO_OWN_REASON_COUNT] = {
    [STO_OWN_REASON_RELEASED] = { reach_released, STO_OWN_NOTICE_LEFT },
    [STO_OWN_REASON_STOPPED] = { reach_stopped, STO_OWN_NOTICE_LEFT },
    [STO_OWN_REASON_REVOKED] = { reach_revoked, STO_OWN_NOTICE_REFUSED },
    [STO_OWN_REASON_STALE] = { reach_stale, STO_OWN_NOTICE_REFUSED },
    [STO_OWN_REASON_HELD] = { reach_held, STO_OWN_NOTICE_REFUSED },
    [STO_OWN_REASON_UNEXPECTED] = { reach_unexpected, STO_OWN_NOTICE_REFUSED },
    [STO_OWN_REASON_FOREIGN_KEY] = { reach_foreign_key, STO_OWN_NOTICE_REFUSED },
    [STO_OWN_REASON_FOREIGN_RECORD] = { reach_foreign_record, STO_OWN_NOTICE_REFUSED },
    [STO_OWN_REASON_WRONG_VM] = { reach_wrong_vm, STO_OWN_NOTICE_REFUSED },
    [STO_OWN_REASON_COPY] = { reach_copy, STO_OWN_NOTICE_REFUSED },
    [STO_OWN_REASON_NO_RECORD] = { reach_no_record, STO_OWN_NOTICE_REFUSED },
    [STO_OWN_REASON_BAD_RECORD] = { reach_bad_record, STO_OWN_NOTICE_REFUSED },
    [STO_OWN_REASON_NEWER_RECORD] = { reach_newer_record, STO_OWN_NOTICE_REFUSED },
    [STO_OWN_REASON_NO_RESERVATIONS] = { reach_no_reservations, STO_OWN_NOTICE_REFUSED },
    [STO_OWN_REASON_UNREACHABLE] = { reach_unreachable, STO_OWN_NOTICE_REFUSED },
    [STO_OWN_REASON_LOGIN_REFUSED] = { reach_login_refused, STO_OWN_NOTICE_REFUSED },
    [STO_OWN_REASON_NOT_PROVEN] = { reach_not_proven, STO_OWN_NOTICE_REFUSED },
    [STO_OWN_REASON_GENERATIONS_USED] = { reach_generations_used, STO_OWN_NOTICE_REFUSED },
    [STO_OWN_REASON_CONFLICTED] = { reach_conflicted, STO_OWN_NOTICE_LOST },
    [STO_OWN_REASON_BUSY] = { reach_busy, STO_OWN_NOTICE_REFUSED },
    [STO_OWN_REASON_UNSETTLED] = { reach_unsettled, STO_OWN_NOTICE_REFUSED },
    [STO_OWN_REASON_BAD_ANSWER] = { reach_bad_answer, STO_OWN_NOTICE_REFUSED },
    [STO_OWN_REASON_REFUSED_BY_TARGET] = { reach_refused_by_target, STO_OWN_NOTICE_REFUSED },
    [STO_OWN_REASON_REGISTERED_ELSEHOW] = { reach_registered_elsehow, STO_OWN_NOTICE_REFUSED },
    [STO_OWN_REASON_READ_ONLY] = { reach_read_only, STO_OWN_NOTICE_REFUSED },
};

static void gives_every_reason(void)
{
    for (unsigned i = 1; i < STO_OWN_REASON_COUNT; i++) {
        bool good;

        CU_ASSERT_PTR_NOT_NULL_FATAL(reasons[i].reach);
        machine_init(&m);
        m.config.steady_check = false;
        reasons[i].reach();
        machine_run(&m);
        good = machine_ended(&m, reasons[i].notice, (enum sto_own_reason)i);
        CU_ASSERT_TRUE(good);
        if (!good)
            printf("# %s: %s\n", sto_own_reason_name((enum sto_own_reason)i),
                   sto_own_reason_name(m.last.reason));
        CU_ASSERT_FALSE(m.out);
        machine_fini(&m);
    }
}

static void tells_what_to_do(void)
{
    struct hw_error error = { 0 };

    CU_ASSERT_TRUE(sto_own_reason_error("lun", STO_OWN_REASON_NO_RECORD, 0, "", &error) < 0);
    CU_ASSERT_STRING_EQUAL(error.object, "lun");
    CU_ASSERT_STRING_EQUAL(error.reason, "the LUN has no ownership record");
    CU_ASSERT_STRING_EQUAL(error.remedy, "prepare it with 'hawser lun init'");
    CU_ASSERT_EQUAL(error.kind, HW_ERROR_REFUSED);
    hw_error_clear(&error);
    CU_ASSERT_TRUE(sto_own_reason_error("lun", STO_OWN_REASON_HELD, 0x4857000000010010,
                                        "so it said", &error) < 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.reason, "another node owns the LUN: "));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.reason, ": so it said"));
    for (unsigned i = 1; i < STO_OWN_REASON_COUNT; i++) {
        hw_error_clear(&error);
        CU_ASSERT_TRUE(sto_own_reason_error("lun", (enum sto_own_reason)i, 0, "", &error) < 0);
        CU_ASSERT_TRUE(strlen(error.remedy) > 8);
    }
    hw_error_clear(&error);
    CU_ASSERT_TRUE(sto_own_reason_error("lun", STO_OWN_REASON_COUNT, 0, "", &error) < 0);
}

const struct unit_case unit_cases[] = {
    { "an error says what to do", tells_what_to_do },
    { "every reason is reached", gives_every_reason },
    { 0 },
};
