/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/run/vmm_run_console: the serial port on a control socket, with no machine behind it.
 */
#include <config.h>

#include "vmm-core/run/vmm_run_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/hw_socket.h"
#include "tests/unit/unit.h"
#include "tests/unit/unix_path.h"

enum { TURNS = 4 };

static struct run run;
static char path[UNIX_PATH_BYTES];
static char text[1 << 20];

static const char *const keys[] = { "bytes", "attach", "input", NULL };
static const struct vmm_api_command commands[] = {
    { .name = "console", .keys = keys, .run = run_console },
    { .name = NULL },
};

static void quit(void *context)
{
    (void)context;
}

static const struct vmm_console_device device = { vmm_machine_console_write, vmm_machine_has_room };

static int begin(void)
{
    const struct vmm_api_owner owner = { commands, run_console_wrote, &run };
    int listener;

    memset(&run, 0, sizeof(run));
    run.loop = qb_loop_create();
    unix_path_make(path, "console");
    CU_ASSERT_EQUAL_FATAL(vmm_console_new(run.loop, &device, -1, -1, quit, NULL, &run.console), 0);
    CU_ASSERT_EQUAL_FATAL(hw_socket_listen(path, SOCK_STREAM, geteuid(), &listener, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(vmm_api_new(run.loop, listener, &owner, &run.api), 0);
    return unix_path_connect(path, SOCK_STREAM);
}

static void end(int client)
{
    close(client);
    vmm_api_free(run.api);
    vmm_console_free(run.console);
    qb_loop_destroy(run.loop);
    unlink(path);
}

static void stop(void *data)
{
    qb_loop_stop(data);
}

/* Let all that is ready be done. */
static void turn(void)
{
    for (unsigned i = 0; i < TURNS; i++) {
        CU_ASSERT_EQUAL(qb_loop_job_add(run.loop, QB_LOOP_LOW, run.loop, stop), 0);
        qb_loop_run(run.loop);
    }
}

/* What has come, in `text`. */
static const char *hear(int client)
{
    ssize_t got;

    turn();
    got = recv(client, text, sizeof(text) - 1, MSG_DONTWAIT);
    text[got > 0 ? got : 0] = '\0';
    return text;
}

static const char *ask(int client, const char *line)
{
    CU_ASSERT_EQUAL(send(client, line, strlen(line), 0), (ssize_t)strlen(line));
    return hear(client);
}

static void says(const char *said, const char *wanted)
{
    CU_ASSERT_STRING_EQUAL(said, wanted);
    if (strcmp(said, wanted) != 0)
        printf("# %.300s", said);
}

static void put(const char *bytes)
{
    for (; *bytes != '\0'; bytes++)
        CU_ASSERT_TRUE(vmm_console_put(run.console, (uint8_t)*bytes));
}

static void it_shows(void)
{
    int client = begin(), other = unix_path_connect(path, SOCK_STREAM);

    says(ask(client, "{\"command\":\"console\"}\n"), "{\"text\":\"\",\"ok\":true}\n");
    put("hello\n\xff\x80");
    CU_ASSERT_TRUE(vmm_console_put(run.console, 0));
    says(ask(client, "{\"command\":\"console\"}\n"),
         "{\"text\":\"hello\\n\xc3\xbf\xc2\x80\\u0000\",\"ok\":true}\n");
    says(ask(client, "{\"command\":\"console\",\"bytes\":5,\"attach\":true}\n"),
         "{\"text\":\"o\\n\xc3\xbf\xc2\x80\\u0000\",\"ok\":true}\n");
    put("more");
    says(hear(client), "{\"text\":\"more\",\"lost\":0,\"event\":\"console\"}\n");
    says(hear(other), "");
    says(ask(other, "{\"command\":\"console\",\"bytes\":0,\"attach\":true}\n"),
         "{\"text\":\"\",\"ok\":true}\n");
    put("!");
    says(hear(client), "{\"text\":\"!\",\"lost\":0,\"event\":\"console\"}\n");
    says(hear(other), "{\"text\":\"!\",\"lost\":0,\"event\":\"console\"}\n");
    close(other);
    put("?");
    says(hear(client), "{\"text\":\"?\",\"lost\":0,\"event\":\"console\"}\n");
    other = unix_path_connect(path, SOCK_STREAM); /* in its place, and not attached */
    put(".");
    says(hear(other), "");
    close(other);
    close(client);
    turn();
    put("x");
    turn();
    CU_ASSERT_EQUAL(run.attached[0].asker.serial, 0);
    client = unix_path_connect(path, SOCK_STREAM); /* as if nothing had been */
    (void)ask(client, "{\"command\":\"console\",\"attach\":true}\n");
    put("y");
    says(hear(client), "{\"text\":\"y\",\"lost\":0,\"event\":\"console\"}\n");
    end(client);
}

/* One reads nothing: the guest writes on, and in the end that one is told what is still kept. */
static void one_is_behind(void)
{
    int client = begin();
    unsigned pieces = 0;
    long long lost = 0;

    (void)ask(client, "{\"command\":\"console\",\"attach\":true}\n");
    while (run.attached[0].at + 3 * VMM_CONSOLE_KEEPS > vmm_console_count(run.console).out_bytes) {
        for (unsigned i = 0; i < 1000; i++)
            put("xxxxxxxxxx");
        turn();
        CU_ASSERT_TRUE_FATAL(++pieces < 10000);
    }
    put("end");
    do {
        const char *part = strstr(hear(client), "\"lost\":");

        CU_ASSERT_TRUE_FATAL(text[0] != '\0');
        for (; part != NULL; part = strstr(part + 1, "\"lost\":"))
            lost += strtoll(part + 7, NULL, 10);
    } while (strstr(text, "end\",") == NULL);
    CU_ASSERT_TRUE(lost > 0);
    CU_ASSERT_EQUAL(run.attached[0].at, vmm_console_count(run.console).out_bytes);
    end(client);
}

static void it_types(void)
{
    char line[2000];
    int client = begin();

    says(ask(client, "{\"command\":\"console\",\"input\":\"a\xc3\xbf\"}\n"),
         "{\"taken\":2,\"ok\":true}\n");
    CU_ASSERT_PTR_NOT_NULL(
        strstr(ask(client, "{\"command\":\"console\",\"input\":\"\xc4\x80\"}\n"), "is no text of"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(ask(client, "{\"command\":\"console\",\"input\":7}\n"), "is no text of"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(ask(client, "{\"command\":\"console\",\"input\":\"\",\"bytes\":1}\n"),
               "goes with no other word"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(ask(client, "{\"command\":\"console\",\"bytes\":16385}\n"), "is no number"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(ask(client, "{\"command\":\"console\",\"attach\":1}\n"), "neither true nor"));
    (void)snprintf(line, sizeof(line), "{\"command\":\"console\",\"input\":\"%01000d\"}\n", 0);
    says(ask(client, line), "{\"taken\":254,\"ok\":true}\n");
    says(ask(client, line), "{\"taken\":0,\"ok\":true}\n");
    end(client);
}

const struct unit_case unit_cases[] = {
    { "it shows what was written, and what is", it_shows },
    { "one is behind", one_is_behind },
    { "it types", it_types },
    { 0 },
};
