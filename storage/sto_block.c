/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The block backend: a SCSI disk of the Linux kernel, most often of a kernel iSCSI session. Reads
 * and writes go by io_uring, everything else by SG_IO in worker threads, since an ioctl may hang.
 * One I_T nexus serves both sessions of the LUN.
 *
 * The kernel sends again by itself, so a LUN reset is complete here only when the target has
 * answered it and everything handed to the kernel before has ended: else an old write could land
 * after a newer one. For the same reason buffers of an operation that ended as STO_UNKNOWN may
 * still be read, and those of a READ still be written, until the next LUN reset is answered or
 * the process ends. Decides nothing about ownership, logs in only when asked.
 */
#include <config.h>

#include "storage/sto_block_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { CONNECT_MS = 5000, EVENTS = 4 };

static struct sto_block *block_of(struct sto_lun *lun)
{
    return (struct sto_block *)lun;
}

static int block_submit(struct sto_lun *lun, struct sto_op *op)
{
    struct sto_block *block = block_of(lun);

    if (op->kind == STO_OP_LOGIN)
        return sto_block_submit_login(block, op);
    if (op->kind == STO_OP_LOGOUT)
        return sto_block_submit_logout(block, op);
    if (!block->up[op->session]) {
        sto_pump_end_with(&block->pump, op, STO_NOT_SENT, "not logged in");
        return 0;
    }
    return sto_block_submit_io(block, op);
}

static void block_service(struct sto_lun *lun, short revents)
{
    struct sto_block *block = block_of(lun);
    struct epoll_event events[EVENTS];
    uint64_t count;

    (void)revents;
    sto_pump_begin(&block->pump);
    (void)sto_pump_events(&block->pump, events, EVENTS);
    (void)!read(block->event_fd, &count, sizeof(count)); /* empty is no error: it does not block */
    sto_block_collect(block);
    sto_block_expire(block);
    sto_pump_deliver(&block->pump);
    if (block->uring)
        sto_uring_flush(block->uring);
    sto_pump_end_service(&block->pump);
}

static void block_drop(struct sto_lun *lun, enum sto_session session)
{
    struct sto_block *block = block_of(lun);

    block->up[session] = false;
    sto_block_end_session(block, session, "dropped");
    if (!block->up[STO_SESSION_DATA] && !block->up[STO_SESSION_CONTROL])
        sto_block_close_device(block);
}

static void free_block(struct sto_block *block)
{
    sto_pump_close(&block->pump);
    if (block->event_fd >= 0)
        close(block->event_fd);
    free(block);
}

static void block_close(struct sto_lun *lun)
{
    struct sto_block *block = block_of(lun);

    for (struct sto_op *op = sto_op_list_take(&block->entering); op;
         op = sto_op_list_take(&block->entering))
        sto_pump_end_with(&block->pump, op, STO_NOT_SENT, "closed");
    for (enum sto_session session = 0; session < STO_SESSIONS; session++) {
        sto_block_end_session(block, session, "closed");
        sto_block_lane_close(&block->lanes[session]);
    }
    sto_uring_close(block->uring);
    sto_block_close_device(block);
    sto_pump_deliver_all(&block->pump);
    free_block(block);
}

static int block_fd(const struct sto_lun *lun)
{
    return ((const struct sto_block *)lun)->pump.epoll_fd;
}

static short block_events(const struct sto_lun *lun)
{
    (void)lun;
    return POLLIN;
}

static int block_facts(struct sto_lun *lun, struct sto_facts *ret_facts, struct hw_error *error)
{
    (void)lun;
    (void)ret_facts;
    (void)error;
    return -ENOTSUP;
}

static int make_descriptors(struct sto_block *block)
{
    int rc = sto_pump_open(&block->pump, &block->lun);

    if (rc < 0)
        return rc;
    block->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (block->event_fd < 0)
        return -errno;
    return sto_pump_watch(&block->pump, block->event_fd, EPOLLIN, STO_BLOCK_TAG_WORKERS);
}

/* Refuse at once what can be seen without a session. A device that is not there may come with
 * the login. */
static int judge_path(const struct sto_block_sys *sys, const char *path, struct hw_error *error)
{
    char disk[STO_BLOCK_DISK_BYTES];
    enum sto_block_kind kind;
    dev_t number;
    int rc = sys->device_number(sys->context, path, &number);

    if (rc == -ENOTBLK)
        return hw_error_set(error, HW_ERROR_REFUSED, ENOTBLK, path, "is not a block device",
                            "use file: for a file");
    if (rc < 0 || sto_block_sysfs_classify(sys->sysfs, number, &kind, disk) < 0)
        return 0;
    if (kind == STO_BLOCK_SCSI)
        return 0;
    return hw_error_set(error, HW_ERROR_REFUSED, ENOTSUP, path, sto_block_kind_reason(kind),
                        "name a whole SCSI disk with a single path");
}

static int fill_place(const struct sto_url *url, const struct sto_lun_options *options,
                      struct sto_block_place *place, struct hw_error *error)
{
    int rc = sto_block_name_parse(url->path, &place->name);

    if (rc == -EINVAL)
        return hw_error_set(error, HW_ERROR_USAGE, EINVAL, url->path,
                            "is not the name of a whole iSCSI disk",
                            "the form is /dev/disk/by-path/ip-HOST:PORT-iscsi-TARGET-lun-N");
    place->named = rc == 0;
    place->read_only = options->read_only;
    memcpy(place->path, url->path, sizeof(place->path));
    return 0;
}

int sto_block_open_with(const struct sto_url *url, const struct sto_lun_options *options,
                        const struct sto_block_sys *sys, struct sto_lun **ret_lun,
                        struct hw_error *error)
{
    struct sto_block *block;
    int rc = judge_path(sys, url->path, error);

    if (rc < 0)
        return rc;
    block = calloc(1, sizeof(*block));
    if (!block)
        return -ENOMEM;
    block->lun.ops = &sto_block_ops;
    block->sys = sys;
    block->connect_ms = options->connect_ms ? options->connect_ms : CONNECT_MS;
    block->lun.clock = options->clock ? options->clock : hw_clock_boottime();
    block->login.fd = -1;
    block->event_fd = -1;
    block->pump.epoll_fd = block->pump.timer_fd = -1;
    rc = fill_place(url, options, &block->place, error);
    if (rc == 0)
        rc = make_descriptors(block);
    if (rc < 0) {
        free_block(block);
        return rc;
    }
    for (enum sto_session session = 0; session < STO_SESSIONS; session++)
        sto_block_lane_init(&block->lanes[session], block->event_fd);
    *ret_lun = &block->lun;
    return 0;
}

static int block_open(const struct sto_url *url, const struct sto_lun_options *options,
                      struct sto_lun **ret_lun, struct hw_error *error)
{
    return sto_block_open_with(url, options, &sto_block_sys_linux, ret_lun, error);
}

const struct sto_lun_ops sto_block_ops = {
    .scheme = "block",
    .open = block_open,
    .close = block_close,
    .drop = block_drop,
    .submit = block_submit,
    .fd = block_fd,
    .events = block_events,
    .service = block_service,
    .hand_over = sto_lun_handed_over,
    .facts = block_facts,
};
