/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A state area in a file, to be read only. Requests are carried out by a job of the loop, since
 * none may end from within submit().
 */
#include "config.h"

#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

#include "vmm-core/run/vmm_inspect_priv.h"

static int read_op(const struct inspect_file *file, const struct vmm_save_op *op)
{
    uint64_t at = op->offset_bytes;

    for (unsigned i = 0; i < op->iov_count; i++) {
        const struct iovec *piece = &op->iov[i];
        size_t have = 0;

        if (at > file->bytes || piece->iov_len > file->bytes - at)
            return -EIO;
        while (have < piece->iov_len) {
            const ssize_t got =
                pread(file->fd, (uint8_t *)piece->iov_base + have, piece->iov_len - have,
                      (off_t)(file->offset_bytes + at + have));

            if (got < 0 && errno == EINTR)
                continue;
            if (got <= 0)
                return got < 0 ? -errno : -EIO;
            have += (size_t)got;
        }
        at += piece->iov_len;
    }
    return 0;
}

static void carry_out(void *data)
{
    struct inspect_file *file = data;
    struct vmm_save_op *ops[VMM_SAVE_DEPTH_MAX * 2];
    const unsigned count = file->count;

    for (unsigned i = 0; i < count; i++)
        ops[i] = file->ops[i];
    file->count = 0; /* what is submitted meanwhile comes next */
    for (unsigned i = 0; i < count; i++)
        ops[i]->done(ops[i], ops[i]->io == VMM_SAVE_READ ? read_op(file, ops[i]) : -EROFS);
}

static int submit(void *context, struct vmm_save_op *op)
{
    struct inspect_file *file = context;

    if (file->count == VMM_SAVE_DEPTH_MAX * 2)
        return -EAGAIN;
    if (file->count == 0 && qb_loop_job_add(file->loop, QB_LOOP_MED, file, carry_out) < 0)
        return -ENOMEM;
    file->ops[file->count++] = op;
    return 0;
}

static uint64_t restarts(void *context)
{
    (void)context;
    return 0;
}

void inspect_file_queue(struct inspect_file *file, struct vmm_save_queue *ret_queue)
{
    *ret_queue = (struct vmm_save_queue) { .submit = submit,
                                           .restarts = restarts,
                                           .context = file,
                                           .depth = VMM_SAVE_DEPTH_MAX,
                                           .iov_max = VMM_SAVE_IOV_MAX };
}
