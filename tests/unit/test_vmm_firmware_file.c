/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/run/vmm_firmware_file: what is said to the log has a bound. What it refuses is in
 * test_vmm_run.c.
 */
#include <config.h>

#include "vmm-core/run/vmm_firmware_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static off_t size_of(int fd)
{
    struct stat status;

    return fstat(fd, &status) == 0 ? status.st_size : -1;
}

static void a_log_has_a_bound(void)
{
    char name[] = "/tmp/hawser-log.XXXXXX", text[16];
    struct firmware_file file = { .log_fd = mkstemp(name), .log_bytes = 11 };
    const int fd = dup(file.log_fd);

    CU_ASSERT_TRUE_FATAL(fd >= 0);
    firmware_file_line(&file, "1234");
    CU_ASSERT_EQUAL(size_of(fd), 5);
    firmware_file_line(&file, "12345");
    CU_ASSERT_EQUAL(size_of(fd), 11);
    firmware_file_line(&file, "");
    CU_ASSERT_EQUAL(size_of(fd), 11);
    CU_ASSERT_EQUAL(pread(fd, text, sizeof(text), 0), 11);
    CU_ASSERT_EQUAL(memcmp(text, "1234\n12345\n", 11), 0);
    file.log_bytes = 3;
    firmware_file_line(&file, "123"); /* does not fit: nothing comes behind it, either */
    firmware_file_line(&file, "1");
    CU_ASSERT_EQUAL(size_of(fd), 11);
    firmware_file_close(&file);
    firmware_file_close(&file);
    firmware_file_line(&file, "1");
    CU_ASSERT_EQUAL(size_of(fd), 11);
    close(fd);
    (void)unlink(name);
}

/* It is full: that is no error, and is not tried again. */
static void a_log_that_is_full(void)
{
    struct firmware_file file = { .log_fd = open("/dev/full", O_WRONLY | O_CLOEXEC),
                                  .log_bytes = 100 };

    CU_ASSERT_TRUE(file.log_fd >= 0);
    firmware_file_line(&file, "1");
    CU_ASSERT_EQUAL(file.log_bytes, 0);
    firmware_file_close(&file);
}

const struct unit_case unit_cases[] = {
    { "a log has a bound", a_log_has_a_bound },
    { "a log that is full", a_log_that_is_full },
    { 0 },
};
