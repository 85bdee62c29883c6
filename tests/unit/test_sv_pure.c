/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of hawser-lun decides and touches nothing: storage/serve/sv_options,
 * storage/serve/sv_words, storage/serve/sv_gate, storage/serve/sv_command, common/hw_text.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "storage/serve/sv_command.h"
#include "storage/serve/sv_gate.h"
#include "storage/serve/sv_options.h"
#include "common/hw_text.h"
#include "storage/serve/sv_words.h"
#include "tests/unit/unit.h"

int sv_run(struct hw_call *call)
{
    (void)call;
    return 0;
}

#define CLUSTER "--cluster", "6b1f0c5e-8f0a-4d1e-9d5a-0c2b7a3e4f11", "--node", "2"
#define LUN     "iscsi://192.0.2.1/iqn.2026-11.x:y/1"

static struct sv_config config;
static struct hw_error error;

/* The words of a command line, ended by NULL. */
static int read_words(const char *const *words)
{
    struct hw_call call;
    int count = 0, rc;

    while (words[count] != NULL)
        count++;
    hw_error_clear(&error);
    rc = hw_call_parse(&sv_program, count, (char *const *)(uintptr_t)words, &call, &error);
    if (rc == 0)
        rc = sv_config_read(&call, &config, &error);
    hw_call_free(&call);
    return rc;
}

#define READ(...) read_words((const char *const[]) { __VA_ARGS__, NULL })

static void reads_options(void)
{
    CU_ASSERT_EQUAL(READ("--lun", LUN "#disk,socket=/run/a", "--lun", LUN "1#disk,socket=/run/b,ro",
                         "--state", LUN "#state,socket=/run/c", "--control", "unix:/run/d", CLUSTER,
                         "--generation", "32", "--takeover", "--lease", "storage", "--store-ms",
                         "900"),
                    0);
    CU_ASSERT_EQUAL(config.disk_count, 3);
    CU_ASSERT_TRUE(config.disks[1].read_only);
    CU_ASSERT_TRUE(config.disks[2].state);
    CU_ASSERT_STRING_EQUAL(config.disks[2].socket, "/run/c");
    CU_ASSERT_EQUAL(config.generation, 32);
    CU_ASSERT_TRUE(config.takeover);
    CU_ASSERT_EQUAL(config.lease, SV_LEASE_STORAGE);
    CU_ASSERT_EQUAL(config.store_ms, 900);
    CU_ASSERT_TRUE(sv_config_same_lun(&config.disks[0].url, &config.disks[2].url));
    CU_ASSERT_EQUAL(
        READ("--lun", "file:/tmp/x,socket=/run/a", "--feed", "fd:5", "--deadman-ms", "2000"), 0);
    CU_ASSERT_EQUAL(config.feed_fd, 5);
    CU_ASSERT_FALSE(sv_config_reserves(&config.disks[0].url));
}

static void refused(int rc, const char *object)
{
    CU_ASSERT_TRUE(rc < 0);
    CU_ASSERT_STRING_EQUAL(error.object, object);
    if (strcmp(error.object, object) != 0)
        printf("# '%s', not '%s': %s\n", error.object, object, error.reason);
}

static void refuses_options(void)
{
    refused(READ("--control", "unix:/run/d"), "--lun");
    refused(READ("--lun", "file:/tmp/x"), "--lun");
    refused(READ("--lun", "file:/tmp/x,socket="), "--lun");
    refused(READ("--lun", "file:/tmp/x,socket=/run/a,rw"), "--lun");
    refused(READ("--lun", "file:/tmp/x,socket=/run/a", "--lun", "file:/tmp/y,socket=/run/a"),
            "/run/a");
    refused(READ("--lun", LUN ",socket=/run/a", CLUSTER, "--generation", "1"), "--lun");
    refused(READ("--lun", LUN "?offset=64M&size=1M,socket=/run/a", CLUSTER, "--generation", "1"),
            "--lun");
    refused(READ("--lun", LUN "#disk,socket=/run/a", "--state",
                 LUN "?offset=64M&size=1M,socket=/run/b", CLUSTER, "--generation", "1"),
            "--state");
    refused(READ("--lun", LUN "#state,socket=/run/a", CLUSTER, "--generation", "1"), "--lun");
    refused(READ("--lun", LUN "#disk,socket=/run/a", "--generation", "1"), "--cluster");
    refused(READ("--lun", LUN "#disk,socket=/run/a", "--cluster",
                 "6b1f0c5e-8f0a-4d1e-9d5a-0c2b7a3e4f11", "--generation", "1"),
            "--node");
    refused(READ("--lun", LUN "#disk,socket=/run/a", CLUSTER), "--generation");
    refused(READ("--lun", "file:/x,socket=/run/a", "--state", "file:/x,socket=/run/b"), "--state");
    refused(READ("--lun", "file:/x,socket=/run/a", "--state", "file:/x#state,socket=/run/b,ro"),
            "--state");
    refused(READ("--state", "file:/x#disk,socket=/run/b"), "--state");
    refused(READ("--state", "file:/x#meta,socket=/run/b"), "--state");
    refused(READ("--lun", "file:/x,socket=/run/a", "--deadman-ms", "2000"), "--deadman-ms");
    refused(READ("--lun", "file:/x,socket=/run/a", "--lease", "other"), "--lease");
    refused(READ("--lun", "file:/x,socket=/run/a", "--feed", "fd:x"), "--feed");
    refused(READ("--lun", "file:/x,socket=/run/a", "--feed", "fd:5"), "--feed");
    refused(READ("--lun", "file:/x,socket=/run/a", "--control", "/run/d"), "--control");
    CU_ASSERT_EQUAL(error.kind, HW_ERROR_USAGE);
}

static void one_socket_for_one(void)
{
    refused(READ("--lun", "file:/x,socket=/run/a", "--lun", "file:/y,socket=/run/a"), "/run/a");
    CU_ASSERT_STRING_EQUAL(error.reason, "is the socket of --lun and of --lun");
    refused(READ("--lun", "file:/x,socket=/run/a", "--control", "unix:/run/a"), "/run/a");
    CU_ASSERT_STRING_EQUAL(error.reason, "is the socket of --lun and of --control");
    refused(READ("--lun", "file:/x#disk,socket=/run/a", "--state", "file:/x#state,socket=/run/a"),
            "/run/a");
    CU_ASSERT_STRING_EQUAL(error.reason, "is the socket of --lun and of --state");
    refused(READ("--lun", "file:/x,socket=/run/a", "--control", "unix:/run/c", "--feed",
                 "unix:/run/c", "--deadman-ms", "2000"),
            "/run/c");
    CU_ASSERT_STRING_EQUAL(error.reason, "is the socket of --control and of --feed");
    CU_ASSERT_STRING_EQUAL(error.remedy, "give each its own");
    CU_ASSERT_EQUAL(READ("--lun", "file:/x,socket=/run/a", "--lun", "file:/y,socket=/run/b",
                         "--control", "unix:/run/c"),
                    0);
}

/* Two disks, and a state area with `state` != NULL, of one file. */
static int pair(const char *first, const char *second, const char *state)
{
    char a[100], b[100];

    snprintf(a, sizeof(a), "file:/x%s,socket=/run/a", first);
    snprintf(b, sizeof(b), "file:/x%s,socket=/run/b", second != NULL ? second : state);
    return READ("--lun", a, second != NULL ? "--lun" : "--state", b);
}

static void one_disk_at_one_socket(void)
{
    refused(pair("#disk", "#disk", NULL), "--lun");
    CU_ASSERT_STRING_EQUAL(error.reason,
                           "with socket /run/b serves the same as --lun with socket /run/a");
    refused(pair("#disk", "#disk", NULL), "--lun");
    refused(pair("", "", NULL), "--lun");
    refused(pair("", "#disk", NULL), "--lun");
    refused(pair("", NULL, "#state"), "--state");
    CU_ASSERT_STRING_EQUAL(error.reason, "with socket /run/b serves bytes that may be the same as "
                                         "--lun with socket /run/a");
    refused(pair("?offset=4M&size=4M", NULL, "#state"), "--state");
    refused(pair("?offset=0&size=4M", "?offset=3M&size=1M", NULL), "--lun");
    CU_ASSERT_PTR_NOT_NULL(strstr(error.reason, "some of the same bytes"));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.remedy, "once"));
    refused(pair("?offset=3M&size=2M", "?offset=0&size=3146240", NULL), "--lun");
    refused(pair("?offset=3M&size=2M", "?offset=0", NULL), "--lun");
    refused(pair("?offset=3M", NULL, "?offset=4M&size=1M"), "--state");
    CU_ASSERT_EQUAL(pair("#disk", NULL, "#state"), 0);
    CU_ASSERT_EQUAL(pair("?offset=0&size=4M", NULL, "?offset=4M&size=4M"), 0);
    CU_ASSERT_EQUAL(pair("?offset=4M", "?offset=0&size=4M", NULL), 0);
    CU_ASSERT_EQUAL(READ("--lun", "file:/x#disk,socket=/run/a", "--lun",
                         "file:/y#disk,socket=/run/b", "--state", "file:/x#state,socket=/run/c"),
                    0);
}

static void judges_the_gate(void)
{
    struct sv_gate_facts facts = { 0 };
    struct sv_gate_verdict verdict = sv_gate_judge(&facts);

    CU_ASSERT_EQUAL(verdict.reason, SV_REASON_NOT_OWNED);
    CU_ASSERT_TRUE(verdict.disks_wait && verdict.state_waits);
    facts.owned = true;
    CU_ASSERT_EQUAL(sv_gate_judge(&facts).reason, SV_REASON_STARTING);
    facts.unreadable = true;
    CU_ASSERT_EQUAL(sv_gate_judge(&facts).reason, SV_REASON_UNREADABLE_STATE);
    facts.lease_over = true; /* nothing is read without it */
    verdict = sv_gate_judge(&facts);
    CU_ASSERT_EQUAL(verdict.reason, SV_REASON_LEASE);
    CU_ASSERT_FALSE(verdict.disks_again || verdict.state_again);
    facts.unreadable = facts.lease_over = false;
    facts.ready = true;
    verdict = sv_gate_judge(&facts);
    CU_ASSERT_TRUE(verdict.disks_again && verdict.state_again);
    facts.owned = false; /* given up: what is known of it is of before */
    verdict = sv_gate_judge(&facts);
    CU_ASSERT_TRUE(verdict.disks_wait && verdict.state_waits);
    CU_ASSERT_FALSE(verdict.disks_again || verdict.state_again);
    facts.owned = true;
    verdict = sv_gate_judge(&facts);
    CU_ASSERT_EQUAL(verdict.state, SV_GATE_OPEN);
    CU_ASSERT_FALSE(verdict.disks_wait || verdict.state_waits);
    facts.has_state = true;
    for (int saved = STO_SAVED_CLEAN; saved <= STO_SAVED_FOREIGN; saved++) {
        facts.saved = (enum sto_saved_verdict)saved;
        verdict = sv_gate_judge(&facts);
        CU_ASSERT_EQUAL(verdict.disks_wait, saved != STO_SAVED_CLEAN);
        CU_ASSERT_EQUAL(verdict.state == SV_GATE_OPEN, saved == STO_SAVED_CLEAN);
        CU_ASSERT_FALSE(verdict.state_waits); /* or nobody could consume it */
        CU_ASSERT_TRUE(verdict.state_again);
        CU_ASSERT_EQUAL(verdict.disks_again, saved == STO_SAVED_CLEAN);
    }
    facts.saved = STO_SAVED_UNSETTLED;
    facts.saving = true; /* a live save: the guest runs on */
    CU_ASSERT_EQUAL(sv_gate_judge(&facts).state, SV_GATE_OPEN);
    facts.shut = true;
    CU_ASSERT_EQUAL(sv_gate_judge(&facts).reason, SV_REASON_SAVED_STATE);
    facts.shut = false;
    facts.saved = STO_SAVED_CLEAN;
    facts.ordered = true;
    verdict = sv_gate_judge(&facts);
    CU_ASSERT_TRUE(verdict.disks_wait && verdict.disks_again);
    facts.ordered = false;
    facts.lease_over = true;
    verdict = sv_gate_judge(&facts);
    CU_ASSERT_EQUAL(verdict.reason, SV_REASON_LEASE);
    CU_ASSERT_FALSE(verdict.disks_wait); /* each LUN's own gate looks at the clock */
    facts.suspended = true;
    CU_ASSERT_EQUAL(sv_gate_judge(&facts).reason, SV_REASON_SUSPENDED);
    facts.lost = true;
    verdict = sv_gate_judge(&facts);
    CU_ASSERT_EQUAL(verdict.state, SV_GATE_DEAD);
    CU_ASSERT_FALSE(verdict.disks_again || verdict.state_again);
    for (int reason = 0; reason < SV_REASON_COUNT; reason++)
        CU_ASSERT_TRUE(reason == SV_REASON_NONE ||
                       sv_reason_text((enum sv_reason)reason)[0] != '\0');
    CU_ASSERT_STRING_EQUAL(sv_reason_name(SV_REASON_SAVED_STATE), "saved-state");
    CU_ASSERT_STRING_EQUAL(sv_gate_state_name(SV_GATE_HOLD), "hold");
}

static struct sv_command command;

static int parse(const char *line)
{
    json_t *object = json_loads(line, 0, NULL);
    int rc;

    hw_error_clear(&error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(object);
    rc = sv_command_parse(object, &command, &error);
    json_decref(object);
    return rc;
}

static void reads_orders(void)
{
    CU_ASSERT_EQUAL(parse("{\"command\":\"acquire\",\"generation\":16,\"takeover\":true,"
                          "\"expected\":\"0xc700000100000010\",\"id\":7}"),
                    0);
    CU_ASSERT_EQUAL(command.kind, SV_COMMAND_ACQUIRE);
    CU_ASSERT_EQUAL(command.generation, 16);
    CU_ASSERT_TRUE(command.takeover && command.expected_set);
    CU_ASSERT_EQUAL(command.expected, 0xc700000100000010);
    CU_ASSERT_EQUAL(parse("{\"command\":\"acquire\",\"generation\":1,\"expected\":null}"), 0);
    CU_ASSERT_TRUE(command.expected_set && command.expected == 0);
    CU_ASSERT_EQUAL(parse("{\"command\":\"acquire\",\"key\":\"0xC7aa000100000010\"}"), 0);
    CU_ASSERT_EQUAL(parse("{\"command\":\"hand-over\",\"node\":3}"), 0);
    CU_ASSERT_EQUAL(command.node, 3);
    for (int kind = SV_COMMAND_HAND_OVER; kind < (int)SV_COMMAND_COUNT; kind++) {
        char line[64];

        snprintf(line, sizeof(line), "{\"command\":\"%s\",\"id\":\"x\"}",
                 sv_command_name((enum sv_command_kind)kind));
        CU_ASSERT_EQUAL(parse(line), 0);
        CU_ASSERT_EQUAL((int)command.kind, kind);
    }
}

static void refuses_orders(void)
{
    static const char *const lines[] = {
        "{\"command\":\"aquire\"}",
        "{\"command\":\"acquire\"}",
        "{\"command\":\"acquire\",\"generation\":0}",
        "{\"command\":\"acquire\",\"generation\":16777216}",
        "{\"command\":\"acquire\",\"generation\":1.5}",
        "{\"command\":\"acquire\",\"generation\":1,\"takeover\":1}",
        "{\"command\":\"acquire\",\"generation\":1,\"expected\":\"c7\"}",
        "{\"command\":\"acquire\",\"generation\":1,\"expected\":\"0x\"}",
        "{\"command\":\"acquire\",\"generation\":1,\"expected\":\"0x11112222333344445\"}",
        "{\"command\":\"acquire\",\"generation\":1,\"force\":true}",
        "{\"command\":\"release\",\"node\":1}",
        "{\"command\":\"hand-over\",\"node\":65536}",
    };

    for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        CU_ASSERT_EQUAL(parse(lines[i]), -EINVAL);
        CU_ASSERT_EQUAL(error.kind, HW_ERROR_USAGE);
    }
}

const struct unit_case unit_cases[] = {
    { "options are read", reads_options },
    { "options that contradict themselves are refused by name", refuses_options },
    { "one socket is not for two", one_socket_for_one },
    { "no byte is served by two disks", one_disk_at_one_socket },
    { "the gate opens when nothing speaks against it", judges_the_gate },
    { "orders are read", reads_orders },
    { "what is no order is refused", refuses_orders },
    { 0 },
};
