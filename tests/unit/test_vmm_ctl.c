/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/run/vmm_ctl, vmm-core/run/vmm_client and vmm-core/run/vmm_attach, with a VM that answers
 * what it likes. One that answers well is in test_vmm_run.sh.
 */
#include <config.h>

#include "vmm-core/run/vmm_client.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/hw_call.h"
#include "common/hw_socket.h"
#include "tests/unit/unit.h"
#include "tests/unit/unix_path.h"
#include "vmm-core/run/vmm_words.h"

enum { LONG_BYTES = 1 << 20 };

static char path[UNIX_PATH_BYTES], out[65536], err[4096];
static const char *answer;
static size_t answer_bytes;
static bool hangs_up;
static int listener;

/* Takes one connection and one order, says its answer, and hangs up, or waits for that. */
static void *serve(void *data)
{
    int fd = accept(listener, NULL, NULL);
    char order[256];

    CU_ASSERT_TRUE(recv(fd, order, sizeof(order), 0) > 0);
    for (size_t sent = 0; sent < answer_bytes;) {
        const ssize_t got = send(fd, answer + sent, answer_bytes - sent, MSG_NOSIGNAL);

        if (got <= 0)
            break;
        sent += (size_t)got;
    }
    while (!hangs_up && recv(fd, order, sizeof(order), 0) > 0)
        continue;
    close(fd);
    return data;
}

/* The exit status of these words. */
static int run(const char *const *words)
{
    struct hw_error error = { 0 };
    struct hw_call call = { 0 };
    int count = 0, status;

    while (words[count] != NULL)
        count++;
    memset(out, 0, sizeof(out));
    memset(err, 0, sizeof(err));
    CU_ASSERT_EQUAL_FATAL(hw_call_parse(&vmm_program, count, (char *const *)words, &call, &error),
                          0);
    call.out = fmemopen(out, sizeof(out), "w");
    call.err = fmemopen(err, sizeof(err), "w");
    status = call.verb->run(&call);
    (void)fclose(call.out);
    (void)fclose(call.err);
    hw_call_free(&call);
    return status;
}

/* The same, of a VM that says this. */
static int told(const char *said, size_t bytes, bool ends, const char *const *words)
{
    pthread_t server;
    int status;

    answer = said;
    answer_bytes = bytes;
    hangs_up = ends;
    CU_ASSERT_EQUAL_FATAL(pthread_create(&server, NULL, serve, NULL), 0);
    status = run(words);
    CU_ASSERT_EQUAL(pthread_join(server, NULL), 0);
    return status;
}

static void begin(char *api)
{
    struct hw_error error = { 0 };

    unix_path_make(path, "ctl");
    (void)snprintf(api, UNIX_PATH_BYTES + 5, "unix:%s", path);
    CU_ASSERT_EQUAL_FATAL(hw_socket_listen(path, SOCK_STREAM, geteuid(), &listener, &error), 0);
    (void)fcntl(listener, F_SETFL, 0);
}

static void end(void)
{
    close(listener);
    unlink(path);
}

static void says(const char *said, const char *wanted)
{
    CU_ASSERT_PTR_NOT_NULL(strstr(said, wanted));
    if (strstr(said, wanted) == NULL)
        printf("# no %s in %s\n", wanted, said);
}

#define TOLD(said, ends, ...) \
    told((said), strlen(said), (ends), (const char *const[]) { __VA_ARGS__, "--api", api, NULL })

static void it_answers(void)
{
    char api[UNIX_PATH_BYTES + 5];

    begin(api);
    CU_ASSERT_EQUAL(
        TOLD("{\"event\":\"paused\"}\n{\"ok\":true,\"id\":7}\n"
             "{\"state\":\"\\u001b[2J\",\"n\":{\"x\":[1,true,2.5]},\"ok\":true,\"id\":1}\n",
             false, "ctl", "status"),
        0);
    CU_ASSERT_STRING_EQUAL(out, "state: \\x1b[2J\nn:\n  x:\n    0: 1\n    1: yes\n    2: 2.5\n");
    CU_ASSERT_EQUAL(TOLD("{\"command\":\"save\",\"event\":\"begun\"}\n"
                         "{\"command\":\"dance\",\"event\":\"progress\"}\n"
                         "{\"pages\":7,\"command\":\"save\",\"event\":\"progress\"}\n"
                         "{\"ok\":true,\"id\":1}\n",
                         true, "ctl", "save"),
                    0);
    CU_ASSERT_STRING_EQUAL(out, "progress: pages 7, command save\n");
    CU_ASSERT_EQUAL(TOLD("{\"ok\":true,\"id\":1,\"x\":\"y\"}\n", true, "ctl", "status", "--json"),
                    0);
    CU_ASSERT_STRING_EQUAL(out, "{\"ok\":true,\"id\":1,\"x\":\"y\"}\n");
    CU_ASSERT_EQUAL(TOLD("{\"ok\":true,\"id\":1}\n{\"event\":\"ended\",\"status\":12}\n", true,
                         "ctl", "events"),
                    0);
    CU_ASSERT_STRING_EQUAL(out, "ended: status 12\n");
    end();
}

static void it_refuses(void)
{
    static const struct {
        const char *kind;
        int status;
    } kinds[] = {
        { "usage", 2 }, { "refused", 3 }, { "timed-out", 5 }, { "failed", 1 }, { "martian", 1 },
    };
    char api[UNIX_PATH_BYTES + 5], line[200];

    begin(api);
    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        (void)snprintf(line, sizeof(line),
                       "{\"ok\":false,\"id\":1,\"error\":{\"kind\":\"%s\",\"object\":\"VM\","
                       "\"reason\":\"is\\u001b ill\",\"remedy\":\"wait\"}}\n",
                       kinds[i].kind);
        CU_ASSERT_EQUAL(TOLD(line, false, "ctl", "save"), kinds[i].status);
        CU_ASSERT_STRING_EQUAL(err, "hawser-vmm: VM: is? ill; wait\n");
    }
    CU_ASSERT_EQUAL(TOLD("{\"ok\":false,\"id\":1}\n", false, "ctl", "save"), 1);
    end();
}

static void it_is_mad(void)
{
    char api[UNIX_PATH_BYTES + 5], *endless = malloc(LONG_BYTES);

    begin(api);
    memset(endless, 'x', LONG_BYTES);
    CU_ASSERT_EQUAL(TOLD("hello\n", false, "ctl", "status"), 1);
    says(err, "does not talk as a VM does");
    CU_ASSERT_EQUAL(TOLD("[]\n", false, "ctl", "status"), 1);
    CU_ASSERT_EQUAL(told(endless, LONG_BYTES, false,
                         (const char *const[]) { "ctl", "status", "--api", api, NULL }),
                    1);
    says(err, "does not talk as a VM does");
    CU_ASSERT_EQUAL(TOLD("", true, "ctl", "status"), 1);
    says(err, "hung up before it answered");
    CU_ASSERT_EQUAL(TOLD("{\"ok\":true,\"id\":1", true, "ctl", "status"), 1);
    says(err, "hung up before it answered");
    CU_ASSERT_EQUAL(TOLD("{\"event\":\"x\"}\n", false, "ctl", "status", "--timeout", "100ms"), 5);
    says(err, "does not answer");
    CU_ASSERT_EQUAL(TOLD("hello\n", false, "console", "--last"), 1);
    CU_ASSERT_EQUAL(TOLD("{\"text\":7,\"ok\":true,\"id\":1}\n", false, "console", "--last"), 0);
    CU_ASSERT_STRING_EQUAL(out, "");
    CU_ASSERT_EQUAL(TOLD("{\"text\":\"a\\u00ff\\u0100\\u20ac\\u0000b\",\"id\":1}\n", false,
                         "console", "--last"),
                    0);
    CU_ASSERT_EQUAL(memcmp(out, "a\xff??\0b", 6), 0);
    CU_ASSERT_EQUAL(TOLD("{\"error\":{\"reason\":\"is ill\"}}\n", false, "console", "--last"), 1);
    says(err, "console: is ill");
    free(endless);
    end();
}

const struct unit_case unit_cases[] = {
    { "a VM answers", it_answers },
    { "it refuses", it_refuses },
    { "it is mad", it_is_mad },
    { 0 },
};
