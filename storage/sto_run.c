/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Waiting for operations, for tools and tests that have no event loop of their own. The only
 * calls of storage/ that block, each as long as its deadline says.
 */
#include "config.h"

#include "storage/sto_lun_priv.h"

#include <poll.h>

enum { POLL_SLICE_MS = 1000 };

static void wait_once(struct sto_lun *lun)
{
    struct pollfd poll_fd = { .fd = sto_lun_fd(lun), .events = sto_lun_events(lun) };
    int rc = poll(&poll_fd, 1, POLL_SLICE_MS);

    sto_lun_service(lun, rc > 0 ? poll_fd.revents : 0);
}

struct waiter {
    void (*done)(struct sto_op *op);
    void *context;
    bool ended;
};

static void waited_op_done(struct sto_op *op)
{
    struct waiter *waiter = op->context;

    waiter->ended = true;
}

int sto_run_op(struct sto_lun *lun, struct sto_op *op)
{
    struct waiter waiter = { .done = op->done, .context = op->context };
    int rc;

    op->done = waited_op_done;
    op->context = &waiter;
    rc = sto_lun_submit(lun, op);
    while (rc == 0 && !waiter.ended)
        wait_once(lun);
    op->done = waiter.done;
    op->context = waiter.context;
    return rc;
}

struct identify_waiter {
    bool ended;
    int rc;
    struct sto_facts *facts;
    struct hw_error *error;
};

static void waited_identify_done(void *context, int rc, const struct sto_facts *facts,
                                 const struct hw_error *error)
{
    struct identify_waiter *waiter = context;

    waiter->ended = true;
    waiter->rc = rc;
    if (rc == 0 && waiter->facts != NULL)
        *waiter->facts = *facts;
    if (rc < 0 && waiter->error != NULL)
        *waiter->error = *error;
}

int sto_run_identify(struct sto_lun *lun, uint32_t timeout_ms, struct sto_facts *ret_facts,
                     struct hw_error *error)
{
    struct identify_waiter waiter = { .facts = ret_facts, .error = error };
    int rc = sto_identify(lun, timeout_ms, waited_identify_done, &waiter);

    if (rc < 0)
        return hw_error_set(error, HW_ERROR_FAILED, -rc, lun->name, "cannot be asked for its facts",
                            NULL);
    while (!waiter.ended)
        wait_once(lun);
    return waiter.rc;
}

void sto_lun_set_notify(struct sto_lun *lun, const struct sto_lun_notify *notify)
{
    lun->notify = *notify;
}
