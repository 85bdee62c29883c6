/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/run/vmm_run, vmm-core/run/vmm_run_options, vmm-core/run/vmm_run_disks,
 * vmm-core/run/vmm_ctl, vmm-core/run/vmm_attach, vmm-core/run/vmm_client and
 * vmm-core/run/vmm_words: what the command line refuses, each in one line with a remedy, before any
 * machine is made or asked. A machine that runs, and its orders (vmm-core/run/vmm_run_orders,
 * vmm-core/run/vmm_run_console), are in test_vmm_run.sh.
 */
#include <config.h>

#include "vmm-core/run/vmm_words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hw_call.h"
#include "common/hw_main.h"
#include "tests/unit/unit.h"

static char text[4096];

/* The exit status of these words; what it prints is in `text`. */
static int run(const char *const *words)
{
    FILE *err = fmemopen(text, sizeof(text), "w");
    struct hw_error error = { 0 };
    struct hw_call call = { 0 };
    int count = 0, status;

    while (words[count] != NULL)
        count++;
    memset(text, 0, sizeof(text));
    status = hw_call_parse(&vmm_program, count, (char *const *)words, &call, &error);
    call.out = call.err = err;
    status = status < 0 ? 2 : call.verb->run(&call);
    hw_call_free(&call);
    (void)fclose(err);
    return status;
}

static void refused(const char *const *words, int status, const char *part)
{
    const char *line;

    CU_ASSERT_EQUAL(run(words), status);
    line = strchr(text, '\n');
    CU_ASSERT_PTR_NOT_NULL(line);
    CU_ASSERT_TRUE(line != NULL && line[1] == '\0'); /* one line */
    CU_ASSERT_PTR_NOT_NULL(strstr(text, part));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "; "));
    if (strstr(text, part) == NULL)
        printf("# %s", text);
}

#define WORDS(...) ((const char *const[]) { __VA_ARGS__, NULL })

static void refuses_wrong_words(void)
{
    refused(WORDS("run", "--no-state", "--append", "quiet"), 2, "--kernel: is missing");
    refused(WORDS("run", "--no-state", "--initrd", "i"), 2, "--kernel: is missing");
    refused(WORDS("run", "--no-state", "--kernel", "k", "--boot", "net"), 2, "without firmware");
    refused(WORDS("run", "--no-state", "--firmware", "f", "--boot", "floppy"), 2, "--boot");
    refused(WORDS("run", "--kernel", "/dev/null"), 2, "--state: is missing");
    refused(WORDS("restore", "--kernel", "/dev/null"), 2, "--state: is missing");
    refused(WORDS("restore", "--kernel", "k", "--no-state"), 2, "restore: takes neither");
    refused(WORDS("run", "--kernel", "k", "--state", "vhost:s", "--no-state"), 2, "contradicts");
    refused(WORDS("run", "--kernel", "k", "--state", "/run/s"), 2, "--state: is no vhost:SOCKET");
    refused(WORDS("run", "--kernel", "k", "--state", "vhost:s", "--uuid", "1"), 2, "--uuid: is no");
    refused(WORDS("run", "--kernel", "k", "--state", "vhost:s", "--node", "0"), 2, "node");
    refused(WORDS("restore", "--kernel", "k", "--state", "vhost:s", "--generation", "x"), 2,
            "generation");
    refused(WORDS("run", "--no-state", "--kernel", "k", "--memory", "1M"), 2, "memory");
    refused(WORDS("run", "--no-state", "--kernel", "k", "--memory", "lots"), 2, "memory");
    refused(WORDS("run", "--no-state", "--kernel", "k", "--cpus", "0"), 2, "cpus");
    refused(WORDS("run", "--no-state", "--kernel", "k", "--cpus", "17"), 2, "cpus");
    refused(WORDS("run", "--no-state", "--kernel", "k", "--serial", "pty"), 2, "--serial");
    refused(WORDS("run", "--no-state", "--kernel", "k", "--on-panic", "scream"), 2,
            "--on-panic: is none of");
}

static void refuses_wrong_orders(void)
{
    refused(WORDS("run", "--no-state", "--kernel", "k", "--api", "/run/x"), 2, "--api: is no unix");
    refused(WORDS("run", "--no-state", "--kernel", "k", "--api", "unix:"), 2, "--api: is no path");
    refused(WORDS("ctl", "status"), 2, "--api: is missing");
    refused(WORDS("ctl", "status", "--api", "/run/x"), 2, "--api: is no unix:PATH");
    refused(WORDS("ctl", "status", "--api", "unix:/nowhere/x", "--timeout", "soon"), 2, "timeout");
    refused(WORDS("console"), 2, "--api: is missing");
    refused(WORDS("console", "--api", "unix:/nowhere/x"), 1, "/nowhere/x: nobody answers");
    refused(WORDS("ctl", "status", "--api", "unix:/nowhere/x"), 1, "/nowhere/x: nobody answers");
}

static void refuses_wrong_disks(void)
{
    refused(WORDS("run", "--no-state", "--kernel", "k", "--disk", "/tmp/disk.img"), 2,
            "--disk: \"/tmp/disk.img\" is no disk");
    refused(WORDS("run", "--no-state", "--kernel", "k", "--disk", "vhost:"), 2, "--disk");
    refused(WORDS("run", "--no-state", "--kernel", "k", "--disk", "vhost:/a", "--disk", "vhost:/b",
                  "--disk", "vhost:/a"),
            2, "\"vhost:/a\" is there twice");
    refused(
        WORDS("run", "--no-state", "--kernel", "/proc/self/exe", "--disk", "vhost:/nowhere/socket"),
        1, "/nowhere/socket: cannot be connected to: No such file");
    refused(WORDS("run", "--no-state", "--kernel", "/proc/self/exe", "--disk", "vhost:/dev/null"),
            3, "/dev/null: is no socket");
}

static void refuses_wrong_files(void)
{
    refused(WORDS("run", "--no-state", "--kernel", "/nowhere/vmlinux"), 1,
            "/nowhere/vmlinux: cannot be read: No such file");
    refused(WORDS("run", "--no-state", "--kernel", "/dev/null"), 3, "/dev/null: is no file");
    refused(WORDS("run", "--no-state", "--kernel", "/proc"), 3, "/proc: is no file");
    refused(WORDS("run", "--no-state", "--kernel", "/proc/self/exe", "--initrd", "/nowhere/i"), 1,
            "/nowhere/i: cannot be read");
    refused(WORDS("run", "--no-state", "--firmware", "/nowhere/bios"), 1,
            "/nowhere/bios: cannot be read");
    refused(WORDS("run", "--no-state", "--firmware", "/proc/self/exe"), 3, "is no firmware");
}

const struct unit_case unit_cases[] = {
    { "wrong words", refuses_wrong_words },
    { "wrong orders", refuses_wrong_orders },
    { "wrong files", refuses_wrong_files },
    { "wrong disks", refuses_wrong_disks },
    { 0 },
};
