/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What lun serve starts and shows: cli/serve_child, cli/serve_text. cli/serve_run, cli/serve_hear
 * and cli/cmd_lun_serve have their server in the lab (tests/lab/test_serve.sh).
 */
#include "config.h"

#include "cli/serve_child.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/serve_text.h"
#include "tests/unit/unit.h"

static struct cli_serve_command command;

/* The words in one line. */
static const char *line_of(const struct cli_serve_wish *wish, const char *directory)
{
    static char line[CLI_SERVE_TEXT_BYTES];
    struct cli_serve_paths paths;

    CU_ASSERT_EQUAL_FATAL(cli_serve_name_paths(directory, &paths), 0);
    CU_ASSERT_EQUAL_FATAL(cli_serve_command(wish, &paths, &command), 0);
    line[0] = '\0';
    for (unsigned i = 0; i < command.count; i++) {
        strcat(line, i > 0 ? " " : "");
        strcat(line, command.words[i]);
    }
    CU_ASSERT_PTR_NULL(command.words[command.count]);
    return line;
}

static void makes_the_command(void)
{
    struct cli_serve_wish wish = { .layout = true,
                                   .owned = true,
                                   .cluster = "6b1f0c5e-8f0a-4d1e-9d5a-0c2b7a3e4f11",
                                   .identity = { .node = 3, .generation = 48 },
                                   .takeover = true,
                                   .sandbox = true,
                                   .front_end_uid = 107 };

    CU_ASSERT_EQUAL_FATAL(
        sto_url_parse("iscsi://h/iqn.2026-11.x:y/1?secret-file=/etc/s", &wish.url, NULL), 0);
    CU_ASSERT_STRING_EQUAL(
        line_of(&wish, "/run/d"),
        "hawser-lun --lun iscsi://h/iqn.2026-11.x:y/1#disk,secret-file=/etc/s,socket=/run/d/disk "
        "--state iscsi://h/iqn.2026-11.x:y/1#state,secret-file=/etc/s,socket=/run/d/state "
        "--control unix:/run/d/control --cluster 6b1f0c5e-8f0a-4d1e-9d5a-0c2b7a3e4f11 --node 3 "
        "--generation 48 --takeover --die-with-parent --front-end-uid 107");
    memset(&wish, 0, sizeof(wish));
    wish.discard_state = true;
    CU_ASSERT_EQUAL_FATAL(sto_url_parse("file:/a%2Cb", &wish.url, NULL), 0);
    CU_ASSERT_STRING_EQUAL(line_of(&wish, "/run/d"),
                           "hawser-lun --lun file:/a%2Cb,socket=/run/d/disk --control "
                           "unix:/run/d/control --discard-state --die-with-parent "
                           "--no-sandbox");
}

static void refuses_long_names(void)
{
    struct cli_serve_paths paths;
    char name[200];

    memset(name, 'a', sizeof(name));
    name[199] = '\0';
    CU_ASSERT_EQUAL(cli_serve_name_paths(name, &paths), -ENAMETOOLONG);
    CU_ASSERT_EQUAL(cli_serve_name_paths("/run/a,ro", &paths), -ENAMETOOLONG);
}

static void connects_to_its_own_child_only(void)
{
    char directory[] = "/tmp/hawser-unit-XXXXXX";
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct cli_serve_paths paths;
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), fd;

    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(directory));
    CU_ASSERT_EQUAL_FATAL(cli_serve_name_paths(directory, &paths), 0);
    CU_ASSERT_EQUAL(cli_serve_connect(&paths, getpid()), -ENOENT);
    memcpy(address.sun_path, paths.control, strlen(paths.control) + 1);
    CU_ASSERT_EQUAL(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    CU_ASSERT_EQUAL(cli_serve_connect(&paths, getpid()), -ECONNREFUSED);
    CU_ASSERT_EQUAL(listen(listener, 4), 0);
    fd = cli_serve_connect(&paths, getpid());
    CU_ASSERT_TRUE(fd >= 0);
    close(fd);
    CU_ASSERT_EQUAL(cli_serve_connect(&paths, 1), -EPERM);
    close(listener);
    unlink(paths.control);
    CU_ASSERT_EQUAL(rmdir(directory), 0);
}

static void says_that_it_cannot_start(void)
{
    struct cli_serve_command wrong = { .program = "/nonexistent/hawser-lun" };
    int status, saved = dup(STDERR_FILENO), fds[2];
    char told[300] = "";
    pid_t pid;

    wrong.words[0] = wrong.program;
    CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
    (void)fflush(NULL);
    dup2(fds[1], STDERR_FILENO);
    pid = cli_serve_start(&wrong);
    dup2(saved, STDERR_FILENO);
    close(saved), close(fds[1]);
    CU_ASSERT_TRUE_FATAL(pid > 0);
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 127);
    CU_ASSERT_TRUE(read(fds[0], told, sizeof(told) - 1) > 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(told, "/nonexistent/hawser-lun: cannot be started"));
    close(fds[0]);
}

/* What an event prints. */
static void prints(const char *event, const char *wanted)
{
    json_t *value = json_loads(event, 0, NULL);
    char text[600] = "";
    FILE *out = fmemopen(text, sizeof(text), "w");

    CU_ASSERT_PTR_NOT_NULL_FATAL(value);
    cli_serve_print_event(out, "L", value);
    (void)fclose(out);
    json_decref(value);
    CU_ASSERT_STRING_EQUAL(text, wanted);
}

static void speaks_in_sentences(void)
{
    char text[2000] = "";
    FILE *out = fmemopen(text, sizeof(text), "w");

    prints("{\"event\":\"gate\",\"gate\":\"open\",\"reason\":\"none\"}",
           "L: open: requests pass\n");
    prints("{\"event\":\"gate\",\"gate\":\"hold\",\"text\":\"held by order\"}",
           "L: requests wait: held by order\n");
    prints("{\"event\":\"gate\",\"gate\":\"dead\",\"text\":\"lost\"}", "L: shut for good: lost\n");
    prints("{\"event\":\"owned\",\"generation\":17,\"key\":\"0xc7\"}",
           "L: owned, generation 17, key 0xc7\n");
    prints("{\"event\":\"lost\",\"text\":\"is another's\",\"key\":\"0xc7\",\"detail\":\"seen\"}",
           "L: lost: is another's: 0xc7: seen\n");
    prints("{\"event\":\"client\",\"socket\":\"/s\",\"text\":\"\"}", "/s: a QEMU connected\n");
    prints("{\"event\":\"client-gone\",\"socket\":\"/s\",\"text\":\"it closed\"}",
           "/s: a QEMU is gone: it closed\n");
    prints("{\"event\":\"gate\",\"gate\":\"hold\",\"reason\":\"starting\",\"text\":\"x\"}", "");
    prints("{\"event\":\"gate\",\"gate\":\"hold\",\"reason\":\"none\",\"text\":\"\"}", "");
    prints("{\"event\":\"new\"}", "");
    prints("{}", "");
    cli_serve_print_use(out, "/run/d/disk");
    (void)fclose(out);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "path=/run/d/disk,reconnect=1"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "<source type='unix' path='/run/d/disk'>"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "share=on"));
}

/* What an admin is told of an event, and whether it is tried again. */
static void is_told(const char *event, bool had, const char *wanted, bool again)
{
    json_t *value = json_loads(event, 0, NULL);
    struct hw_error error = { 0 };
    char line[HW_ERROR_LINE_BYTES];

    CU_ASSERT_PTR_NOT_NULL_FATAL(value);
    cli_serve_refusal("L", value, had, &error);
    json_decref(value);
    (void)hw_error_line(&error, line, sizeof(line));
    CU_ASSERT_STRING_EQUAL(line, wanted);
    CU_ASSERT_EQUAL(cli_serve_may_pass(hw_error_exit_status(&error)), again);
}

static void says_why_it_is_not_ours(void)
{
    static const char key[] =
        "{\"reason\":\"STALE\",\"generation\":64,"
        "\"key\":\"0xc70db40002000040 (node 2, generation 64)\",\"detail\":\"\"}";

    is_told(key, false,
            "L: a newer generation is on the LUN: this grant is stale: 0xc70db40002000040 (node 2, "
            "generation 64); use a higher --generation than 'hawser lun show' tells",
            false);
    is_told(key, true,
            "L: was taken over by 0xc70db40002000040 (node 2, generation 64): a newer generation "
            "is on the LUN: this grant is stale; stop its QEMU here; see its owner with 'hawser "
            "lun show'",
            false);
    is_told("{\"reason\":\"HELD\",\"generation\":65,\"key\":\"\"}", true,
            "L: was taken over by generation 65: another node owns the LUN; stop its QEMU here; "
            "see its owner with 'hawser lun show'",
            false);
    is_told("{\"reason\":\"HELD\",\"generation\":65,\"key\":\"\"}", false,
            "L: another node owns the LUN; --takeover takes it away, if it was handed over to this "
            "node, or you are sure that its VM does not run",
            false);
    is_told("{\"reason\":\"CONFLICTED\",\"generation\":17}", true,
            "L: was taken over: the LUN's reservation was taken away; stop its QEMU here; see its "
            "owner with 'hawser lun show'",
            false);
    is_told("{\"reason\":\"READ_ONLY\"}", true,
            "L: the LUN is read-only; make it writable on the target", false);
    is_told("{\"reason\":\"UNREACHABLE\",\"detail\":\"no answer\"}", true,
            "L: the target cannot be reached: no answer; check the address and that the target is "
            "up",
            true);
    is_told("{\"reason\":\"BUSY\"}", true,
            "L: the target stayed busy; try again when the target has less to do", true);
}

/* Exit statuses of a server that had served: a host's and a target's troubles pass. */
static void tells_what_may_pass(void)
{
    CU_ASSERT_TRUE(cli_serve_may_pass(HW_ERROR_FAILED));
    CU_ASSERT_TRUE(cli_serve_may_pass(HW_ERROR_TIMED_OUT));
    CU_ASSERT_FALSE(cli_serve_may_pass(HW_ERROR_USAGE));
    CU_ASSERT_FALSE(cli_serve_may_pass(HW_ERROR_REFUSED));
    CU_ASSERT_FALSE(cli_serve_may_pass(127)); /* it could not be started */
}

const struct unit_case unit_cases[] = {
    { "the server's words", makes_the_command },
    { "names that do not fit", refuses_long_names },
    { "only its own child is listened to", connects_to_its_own_child_only },
    { "a program that is not there", says_that_it_cannot_start },
    { "events as sentences, and the lines for a QEMU", speaks_in_sentences },
    { "whose a LUN is now, and what to do", says_why_it_is_not_ours },
    { "what is tried again", tells_what_may_pass },
    { 0 },
};
