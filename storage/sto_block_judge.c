/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the answers of the Linux SCSI stack mean. Errs to the careful side: only what is known not
 * to have been executed reads so. Pure.
 */
#include <config.h>

#include "storage/sto_block_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "storage/sto_sense.h"

/* errno values by which the kernel says that nothing will ever reach the device this way. */
static bool means_gone(int error)
{
    return error == ENODEV || error == ENXIO || error == ENOLINK || error == EIO ||
           error == ESHUTDOWN;
}

static void say_errno(struct sto_result *result, const char *what, int error)
{
    snprintf(result->detail, sizeof(result->detail), "%s: %s", what, strerrordesc_np(error));
}

void sto_block_judge_command(int rc, const struct sto_sg *sg, struct sto_result *result,
                             bool *ret_lost)
{
    *ret_lost = false;
    if (rc < 0) {
        say_errno(result, "SG_IO", -rc);
        if (rc == -EPERM || rc == -EACCES || rc == -ENOTTY || rc == -EINVAL)
            result->rc = STO_UNSUPPORTED;
        else if (rc == -EAGAIN || rc == -ENOMEM)
            result->rc = STO_BUSY;
        else
            result->rc = STO_UNKNOWN;
        *ret_lost = means_gone(-rc);
        return;
    }
    /* Older kernels add a host status to a reservation conflict: the target's word comes first. */
    if (sg->status != STO_STATUS_GOOD || sg->host_status == STO_SG_HOST_OK) {
        sto_sense_judge(sg->status, sg->sense, sg->sense_bytes, result);
        return;
    }
    result->rc = STO_UNKNOWN;
    *ret_lost = sg->host_status == STO_SG_HOST_NO_CONNECT ||
                sg->host_status == STO_SG_HOST_TRANSPORT_DISRUPTED ||
                sg->host_status == STO_SG_HOST_TRANSPORT_FAILFAST;
    snprintf(result->detail, sizeof(result->detail), "the host adapter ended it, status %02xh",
             sg->host_status);
}

/* What the block layer makes of a command's end (blk_status_t to errno). */
static enum sto_rc judge_errno(int error)
{
    switch (error) {
    case EBADE: /* reservation conflict */
        return STO_CONFLICT;
    case ENOSPC:
        return STO_NO_SPACE;
    case ENODATA: /* medium error */
    case EILSEQ:  /* protection information */
        return STO_MEDIUM;
    case EREMOTEIO: /* the target refused it for good */
    case EINVAL:
        return STO_ILLEGAL;
    case EOPNOTSUPP:
        return STO_UNSUPPORTED;
    case EROFS:
    case EPERM:
        return STO_READ_ONLY;
    case EAGAIN:
    case EBUSY:
    case ENOMEM:
        return STO_BUSY;
    default: /* EIO, ENOLINK, ETIMEDOUT ...: it may be executed, now or later */
        return STO_UNKNOWN;
    }
}

void sto_block_judge_data(int64_t moved, uint64_t asked_bytes, struct sto_result *result,
                          bool *ret_lost)
{
    *ret_lost = false;
    if (moved < 0) {
        int error = (int)-moved;

        result->rc = judge_errno(error);
        say_errno(result, "the kernel ended it", error);
        *ret_lost = result->rc == STO_UNKNOWN && means_gone(error);
        return;
    }
    result->transferred_bytes = (uint64_t)moved;
    result->rc = result->transferred_bytes < asked_bytes ? STO_SHORT : STO_OK;
}

void sto_block_judge_reset(int rc, struct sto_result *result, bool *ret_lost)
{
    *ret_lost = false;
    if (rc == 0) {
        result->rc = STO_OK;
        result->tmf_response = 0;
        return;
    }
    say_errno(result, "SG_SCSI_RESET", -rc);
    result->tmf_response = UINT8_MAX; /* no answer that proves anything */
    if (rc == -EPERM || rc == -EACCES || rc == -EINVAL || rc == -ENOTTY || rc == -EOPNOTSUPP)
        result->rc = STO_UNSUPPORTED;
    else if (rc == -EBUSY || rc == -EAGAIN)
        result->rc = STO_BUSY;
    else
        result->rc = STO_UNKNOWN;
    *ret_lost = rc == -ENODEV || rc == -ENXIO;
}
