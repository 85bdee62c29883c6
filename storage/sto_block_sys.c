/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The block backend's calls as Linux has them: SG_IO, SG_SCSI_RESET, and a program run in its own
 * process group so that it ends with its children at its deadline. Blocks; judges nothing.
 */
#include <config.h>

#include "storage/sto_block_sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <scsi/sg.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/hw_cleanup.h"
#include "common/hw_clock.h"

enum { NS_PER_MS = 1000000 };

#ifndef SG_SCSI_RESET_NO_ESCALATE /* the kernel's scsi/sg.h has it, glibc's has not */
#define SG_SCSI_RESET_NO_ESCALATE 0x100
#endif

static int linux_open(void *context, const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC);

    (void)context;
    return fd < 0 ? -errno : fd;
}

static int linux_device_number(void *context, const char *path, dev_t *ret_number)
{
    struct stat status;

    (void)context;
    if (stat(path, &status) < 0)
        return -errno;
    if (!S_ISBLK(status.st_mode))
        return -ENOTBLK;
    *ret_number = status.st_rdev;
    return 0;
}

static int linux_size(void *context, int fd, uint64_t *ret_bytes)
{
    (void)context;
    return ioctl(fd, BLKGETSIZE64, ret_bytes) < 0 ? -errno : 0;
}

static int sg_direction(enum sto_direction direction)
{
    switch (direction) {
    case STO_DIRECTION_IN:
        return SG_DXFER_FROM_DEV;
    case STO_DIRECTION_OUT:
        return SG_DXFER_TO_DEV;
    case STO_DIRECTION_NONE:
        break;
    }
    return SG_DXFER_NONE;
}

static int linux_sg_io(void *context, int fd, struct sto_sg *sg)
{
    uint8_t cdb[16] = { 0 };
    struct sg_io_hdr header = { 0 };

    (void)context;
    if (sg->cdb_bytes > sizeof(cdb))
        return -EINVAL;
    memcpy(cdb, sg->cdb, sg->cdb_bytes);
    header.interface_id = 'S';
    header.dxfer_direction = sg_direction(sg->direction);
    header.cmd_len = sg->cdb_bytes;
    header.cmdp = cdb;
    header.dxferp = sg->data;
    header.dxfer_len = sg->data_bytes;
    header.sbp = sg->sense;
    header.mx_sb_len = STO_SG_SENSE_BYTES;
    header.timeout = sg->timeout_ms;
    if (ioctl(fd, SG_IO, &header) < 0)
        return -errno;
    sg->status = header.status;
    sg->host_status = header.host_status;
    sg->driver_status = header.driver_status;
    sg->sense_bytes = header.sb_len_wr;
    sg->residual_bytes = header.resid > 0 ? (uint32_t)header.resid : 0;
    return 0;
}

static int linux_lun_reset(void *context, int fd)
{
    int what = SG_SCSI_RESET_DEVICE | SG_SCSI_RESET_NO_ESCALATE;

    (void)context;
    return ioctl(fd, SG_SCSI_RESET, &what) < 0 ? -errno : 0;
}

/* Wait until the child ended or the deadline passed: 0 or -ETIMEDOUT. */
static int wait_until(pid_t child, int64_t deadline_ns)
{
    hw_auto_close int fd = (int)syscall(SYS_pidfd_open, child, 0);
    struct pollfd ended = { .fd = fd, .events = POLLIN };

    if (fd < 0)
        return -errno;
    for (;;) {
        int64_t left_ns = deadline_ns - hw_clock_now_ns(hw_clock_boottime());
        int ready;

        if (left_ns <= 0)
            return -ETIMEDOUT;
        ready = poll(&ended, 1, (int)(left_ns / NS_PER_MS) + 1);
        if (ready > 0)
            return 0;
        if (ready < 0 && errno != EINTR)
            return -errno;
    }
}

/* The last line of what the program wrote, without its end. */
static void last_line(int fd, char output[STO_RUN_OUTPUT_BYTES])
{
    off_t size = lseek(fd, 0, SEEK_END);
    off_t from = size > STO_RUN_OUTPUT_BYTES - 1 ? size - (STO_RUN_OUTPUT_BYTES - 1) : 0;
    ssize_t got = pread(fd, output, STO_RUN_OUTPUT_BYTES - 1, from);
    char *start;

    if (got < 0)
        got = 0;
    while (got > 0 && output[got - 1] == '\n')
        got--;
    output[got] = '\0';
    start = strrchr(output, '\n');
    if (start)
        memmove(output, start + 1, strlen(start + 1) + 1);
}

/* Start the program in a process group of its own, its words going to `output_fd`. */
static int spawn(const char *const argv[], int output_fd, pid_t *ret_child)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none;
    int rc = posix_spawn_file_actions_init(&files);

    if (rc != 0)
        return -rc;
    rc = posix_spawnattr_init(&attributes);
    if (rc != 0) {
        posix_spawn_file_actions_destroy(&files);
        return -rc;
    }
    sigemptyset(&none);
    if ((rc = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0)) == 0 &&
        (rc = posix_spawn_file_actions_adddup2(&files, output_fd, 1)) == 0 &&
        (rc = posix_spawn_file_actions_adddup2(&files, output_fd, 2)) == 0 &&
        (rc = posix_spawnattr_setpgroup(&attributes, 0)) == 0 &&
        (rc = posix_spawnattr_setsigmask(&attributes, &none)) == 0 &&
        (rc = posix_spawnattr_setflags(&attributes,
                                       POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK)) == 0)
        rc = posix_spawnp(ret_child, argv[0], &files, &attributes, (char *const *)argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return -rc;
}

static int linux_run(void *context, const char *const argv[], int64_t deadline_ns,
                     char output[STO_RUN_OUTPUT_BYTES])
{
    hw_auto_close int output_fd = memfd_create("output", MFD_CLOEXEC);
    pid_t child;
    int status, rc;

    (void)context;
    output[0] = '\0';
    if (output_fd < 0)
        return -errno;
    rc = spawn(argv, output_fd, &child);
    if (rc < 0)
        return rc;
    rc = wait_until(child, deadline_ns);
    if (rc < 0)
        kill(-child, SIGKILL);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    last_line(output_fd, output);
    if (rc < 0)
        return rc;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

const struct sto_block_sys sto_block_sys_linux = {
    .sysfs = "/sys",
    .dev = "/dev",
    .open = linux_open,
    .device_number = linux_device_number,
    .size = linux_size,
    .sg_io = linux_sg_io,
    .lun_reset = linux_lun_reset,
    .run = linux_run,
};
