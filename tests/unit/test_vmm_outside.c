/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/run/vmm_outside: what the command line says of virtio devices, and what they lead to. A
 * machine that has them is in tests/host/test-vmm.sh.
 */
#include <config.h>

#include "vmm-core/run/vmm_outside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/fail_alloc.h"
#include "tests/unit/unit.h"
#include "vmm-core/run/vmm_words.h"

struct outer {
    qb_loop_t *loop;
    struct vmm_outside_options options;
    struct vmm_machine_config config;
    struct vmm_outside *outside;
    struct hw_error error;
};

static struct outer o;

static void quit(void *context)
{
    (void)context;
}

/* What the words say, into o. */
static int options(const char *const *words)
{
    struct hw_call call = { 0 };
    int count = 0, rc;

    while (words[count] != NULL)
        count++;
    hw_error_clear(&o.error);
    rc = hw_call_parse(&vmm_program, count, (char *const *)words, &call, &o.error);
    CU_ASSERT_EQUAL_FATAL(rc, 0);
    rc = vmm_outside_options(&call, &o.options, &o.error);
    hw_call_free(&call);
    return rc;
}

#define NET(n)     "tap=fd:900,mac=52:54:00:00:00:0" n
#define WORDS(...) ((const char *const[]) { "run", __VA_ARGS__, NULL })

static int make(void)
{
    o.config = (struct vmm_machine_config) { .cpus = 1 };
    return vmm_outside_new(o.loop, &o.options, quit, NULL, &o.config, &o.outside, &o.error);
}

static void begin(void)
{
    memset(&o, 0, sizeof(o));
    o.loop = qb_loop_create();
    CU_ASSERT_PTR_NOT_NULL_FATAL(o.loop);
}

static void end(void)
{
    vmm_outside_free(o.outside);
    qb_loop_destroy(o.loop);
}

static void refused(const char *const *words, const char *part)
{
    char line[HW_ERROR_LINE_BYTES];

    CU_ASSERT_EQUAL(options(words), -EINVAL);
    (void)hw_error_line(&o.error, line, sizeof(line));
    CU_ASSERT_EQUAL(o.error.kind, HW_ERROR_USAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(line, part));
    if (strstr(line, part) == NULL)
        printf("# %s\n", line);
}

static void words_that_mean_nothing(void)
{
    begin();
    refused(WORDS("--console", "tty"), "--console: is none of");
    refused(WORDS("--console", "file:"), "--console: is none of");
    refused(WORDS("--balloon", "4096"), "balloon");
    refused(WORDS("--net", "tap=x"), "--net: needs both");
    refused(WORDS("--net", NET("1"), "--net", NET("1")), "--net: has the MAC address of another");
    refused(WORDS("--net", NET("1"), "--net", NET("2"), "--net", NET("3"), "--net", NET("4"),
                  "--net", NET("5"), "--net", NET("6"), "--net", NET("7"), "--net", NET("8"),
                  "--net", NET("9")),
            "--net: is given more than 8 times");
    CU_ASSERT_EQUAL(options(WORDS("--net", NET("1"), "--net", NET("2"), "--balloon", "5M")), 0);
    CU_ASSERT_EQUAL(o.options.net_count, 2);
    CU_ASSERT_EQUAL(o.options.nets[1].mac[5], 2);
    CU_ASSERT_EQUAL(o.options.balloon_bytes, 5 << 20);
    refused(WORDS("--serial", "tty"), "--serial: is none of");
    refused(WORDS("--console", "stdio", "--serial", "stdio"), "--console: is stdio, and so is");
    CU_ASSERT_EQUAL(options(WORDS("--console", "stdio", "--serial", "none")), 0);
    CU_ASSERT_EQUAL(options(WORDS("--console", "none", "--serial", "stdio")), 0);
    end();
}

static void nothing_outside(void)
{
    begin();
    CU_ASSERT_EQUAL(options(WORDS("--no-state")), 0);
    CU_ASSERT_EQUAL(make(), 0);
    CU_ASSERT_PTR_NULL(o.config.console);
    vmm_outside_set_machine(o.outside, NULL);
    vmm_outside_flush(o.outside);
    vmm_outside_free(NULL);
    end();
}

/* Appended to what is there already, and for its owner alone. */
static void a_console_in_a_file(void)
{
    char path[] = "/tmp/test_vmm_outside.XXXXXX", word[64], text[16] = "";
    int fd = mkstemp(path);
    struct stat status;

    begin();
    CU_ASSERT_EQUAL(write(fd, "old ", 4), 4);
    (void)snprintf(word, sizeof(word), "file:%s", path);
    CU_ASSERT_EQUAL(options(WORDS("--console", word, "--serial", word)), 0);
    CU_ASSERT_EQUAL(make(), 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(o.config.console);
    CU_ASSERT_TRUE(vmm_console_put(vmm_outside_serial(o.outside), 'o'));
    CU_ASSERT_EQUAL(o.config.console->write(o.config.console->context, "new", 3), 3);
    o.config.console->has_room(o.config.console->context);
    vmm_outside_flush(o.outside);
    CU_ASSERT_EQUAL(pread(fd, text, sizeof(text), 0), 8);
    CU_ASSERT_STRING_EQUAL(text, "old onew");
    vmm_outside_free(o.outside);
    o.outside = NULL;
    (void)unlink(path);
    CU_ASSERT_EQUAL(make(), 0);
    CU_ASSERT_EQUAL(stat(path, &status), 0);
    CU_ASSERT_EQUAL(status.st_mode & 07777, 0600);
    (void)unlink(path);
    (void)close(fd);
    end();
}

static void a_file_that_cannot_be(void)
{
    begin();
    CU_ASSERT_EQUAL(options(WORDS("--console", "file:/nowhere/there")), 0);
    CU_ASSERT_EQUAL(make(), -ENOENT);
    CU_ASSERT_STRING_EQUAL(o.error.object, "/nowhere/there");
    CU_ASSERT_PTR_NULL(o.outside);
    end();
}

static void an_interface_that_is_none(void)
{
    begin();
    CU_ASSERT_EQUAL(options(WORDS("--net", NET("1"))), 0);
    CU_ASSERT_EQUAL(make(), -EBADF);
    CU_ASSERT_STRING_EQUAL(o.error.object, "descriptor 900");
    end();
}

static void without_memory(void)
{
    begin();
    CU_ASSERT_EQUAL(options(WORDS("--console", "file:/dev/null", "--serial", "file:/dev/null")), 0);
    (void)fail_alloc_each(make);
    end();
}

const struct unit_case unit_cases[] = {
    { "words that mean nothing", words_that_mean_nothing },
    { "nothing outside", nothing_outside },
    { "a console in a file", a_console_in_a_file },
    { "a file that cannot be", a_file_that_cannot_be },
    { "an interface that is none", an_interface_that_is_none },
    { "without memory", without_memory },
    { 0 },
};
