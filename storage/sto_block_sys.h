/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The seam under the block backend: the calls into the kernel and to iscsiadm that may block, as
 * a table that tests replace with recorded answers. All of them run in a worker thread, never in
 * the event loop. Nothing here judges an answer.
 */
#ifndef STO_BLOCK_SYS_H
#define STO_BLOCK_SYS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "storage/sto_lun.h"

enum { STO_SG_SENSE_BYTES = 96 };

/* One command by SG_IO: the caller fills the first half, the kernel the second. */
struct sto_sg {
    const uint8_t *cdb;
    uint8_t cdb_bytes;
    enum sto_direction direction;
    void *data;
    uint32_t data_bytes;
    uint32_t timeout_ms;

    uint8_t status;       /* SCSI status */
    uint16_t host_status; /* what the transport made of it, enum sto_sg_host */
    uint16_t driver_status;
    uint8_t sense[STO_SG_SENSE_BYTES];
    uint8_t sense_bytes;
    uint32_t residual_bytes; /* data_bytes less what was moved */
};

/* Host status of a command (the kernel's scsi_status.h, DID_...). */
enum sto_sg_host {
    STO_SG_HOST_OK = 0x00,
    STO_SG_HOST_NO_CONNECT = 0x01,
    STO_SG_HOST_TIME_OUT = 0x03,
    STO_SG_HOST_TRANSPORT_DISRUPTED = 0x0e,
    STO_SG_HOST_TRANSPORT_FAILFAST = 0x0f,
};

enum { STO_RUN_OUTPUT_BYTES = 256 };

struct sto_block_sys {
    void *context;
    /* "/sys" */
    const char *sysfs;
    /* "/dev": where the kernel makes its own names of disks */
    const char *dev;
    /* open(2) of a device. Descriptor or -errno. */
    int (*open)(void *context, const char *path, int flags);
    /* st_rdev of a block device; -ENOTBLK for anything else, or -errno. */
    int (*device_number)(void *context, const char *path, dev_t *ret_number);
    /* Size in bytes (BLKGETSIZE64). 0 or -errno. */
    int (*size)(void *context, int fd, uint64_t *ret_bytes);
    /* ioctl(SG_IO). 0: the second half of `sg` is filled; or -errno: nothing is known. */
    int (*sg_io)(void *context, int fd, struct sto_sg *sg);
    /* ioctl(SG_SCSI_RESET) with LOGICAL UNIT RESET and nothing stronger. 0 when the target answered
     * that it is complete, else -errno. */
    int (*lun_reset)(void *context, int fd);
    /* Run a program, its output (the end of it, one line) in `output`; killed with all its children
     * at `deadline_ns` of CLOCK_BOOTTIME. Exit status, 128 + signal, or -errno (-ETIMEDOUT). */
    int (*run)(void *context, const char *const argv[], int64_t deadline_ns,
               char output[STO_RUN_OUTPUT_BYTES]);
};

/* The real one. */
extern const struct sto_block_sys sto_block_sys_linux;

#endif
