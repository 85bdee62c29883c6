/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The real calls, as far as a machine without SCSI disks can show them: programs and their end. */
#include <config.h>

#include "storage/sto_block_sys.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/hw_clock.h"
#include "tests/unit/unit.h"

enum { NS_PER_MS = 1000000 };

static const struct sto_block_sys *const sys = &sto_block_sys_linux;

static int run(const char *command, int64_t within_ms, char output[STO_RUN_OUTPUT_BYTES])
{
    const char *const argv[] = { "/bin/sh", "-c", command, NULL };

    return sys->run(sys->context, argv,
                    hw_clock_now_ns(hw_clock_boottime()) + within_ms * NS_PER_MS, output);
}

static void ends_by_itself(void)
{
    char output[STO_RUN_OUTPUT_BYTES];

    CU_ASSERT_EQUAL(run("exit 24", 60000, output), 24);
    CU_ASSERT_STRING_EQUAL(output, "");
    CU_ASSERT_EQUAL(run("echo first; echo last >&2", 60000, output), 0);
    CU_ASSERT_STRING_EQUAL(output, "last");
    CU_ASSERT_EQUAL(run("kill -TERM $$", 60000, output), 128 + SIGTERM);
    CU_ASSERT_EQUAL(run("i=0; while [ $i -lt 500 ]; do printf x; i=$((i+1)); done", 60000, output),
                    0);
    CU_ASSERT_EQUAL(strlen(output), STO_RUN_OUTPUT_BYTES - 1);
}

/* The program and its child are gone: nobody holds the pipe's writing end any more. */
static void killed_at_deadline(void)
{
    char output[STO_RUN_OUTPUT_BYTES], command[64], byte;
    int ends[2];

    CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
    snprintf(command, sizeof(command), "echo begun; sleep 1000 >&%d & wait", ends[1]);
    CU_ASSERT_EQUAL(run(command, 300, output), -ETIMEDOUT);
    CU_ASSERT_STRING_EQUAL(output, "begun");
    close(ends[1]);
    CU_ASSERT_EQUAL(read(ends[0], &byte, 1), 0);
    close(ends[0]);
}

static void not_there(void)
{
    char output[STO_RUN_OUTPUT_BYTES];
    const char *const argv[] = { "/nonexistent/program", NULL };

    CU_ASSERT_EQUAL(sys->run(sys->context, argv, INT64_MAX, output), -ENOENT);
}

static void devices(void)
{
    uint64_t size;
    dev_t number;
    int fd;

    CU_ASSERT_EQUAL(sys->device_number(sys->context, "/dev/null", &number), -ENOTBLK);
    CU_ASSERT_EQUAL(sys->device_number(sys->context, "/nonexistent", &number), -ENOENT);
    CU_ASSERT_EQUAL(sys->open(sys->context, "/nonexistent", O_RDONLY), -ENOENT);
    fd = sys->open(sys->context, "/dev/null", O_RDONLY);
    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CU_ASSERT_TRUE(sys->size(sys->context, fd, &size) < 0);
    CU_ASSERT_TRUE(sys->lun_reset(sys->context, fd) < 0);
    close(fd);
}

static void command_too_long(void)
{
    uint8_t cdb[17] = { 0 };
    struct sto_sg sg = { .cdb = cdb, .cdb_bytes = sizeof(cdb) };

    CU_ASSERT_EQUAL(sys->sg_io(sys->context, -1, &sg), -EINVAL);
    sg.cdb_bytes = 16;
    CU_ASSERT_EQUAL(sys->sg_io(sys->context, -1, &sg), -EBADF);
}

const struct unit_case unit_cases[] = { { "a program's end and last words", ends_by_itself },
                                        { "a program with its children ends at its deadline",
                                          killed_at_deadline },
                                        { "a program that is not there", not_there },
                                        { "devices", devices },
                                        { "commands that do not fit", command_too_long },
                                        { 0 } };
