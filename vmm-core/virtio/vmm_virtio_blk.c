/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The disk's function. Whether the server is to have the rings, and which signals go past this
 * process, follows from what the guest has written and from whether the machine stands: changed()
 * looks at all of it anew.
 */
#include "config.h"

#include "vmm-core/virtio/vmm_virtio_blk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/hw_le.h"
#include "vmm-core/machine/vmm_dev_ids.h"

enum { BLOCK_DEVICE = 2, STORAGE_CLASS = 0x010000, CAPACITY_BYTES = 8 };

/* What of a queue's signals goes past this process. */
struct wire {
    bool kicks, calls;
    uint64_t kick_at;
    uint64_t address; /* of the message */
    uint32_t data;
    unsigned number;
};

struct vmm_virtio_blk {
    struct vmm_virtio_kind kind;
    struct vmm_virtio *virtio;
    struct vmm_vhost *link;
    struct vmm_virtio_blk_memory memory;
    struct vmm_virtio_wires wires;
    bool has_wires;
    struct vmm_virtio_blk_callbacks callbacks;
    bool stands; /* the machine does */
    bool asked;  /* the server is to have the rings */
    bool missed; /* the guest may have missed signals */
    struct wire wire[VH_QUEUES];
};

/* --- signals --- */

static void wire_kick(struct vmm_virtio_blk *blk, unsigned i, uint64_t at)
{
    struct wire *wire = &blk->wire[i];
    const int fd = vmm_vhost_kick_fd(blk->link, i);

    if (wire->kicks && wire->kick_at != at) {
        (void)blk->wires.kick(blk->wires.context, fd, wire->kick_at, false);
        wire->kicks = false;
    }
    if (!wire->kicks && at != 0) {
        wire->kicks = blk->wires.kick(blk->wires.context, fd, at, true) == 0;
        wire->kick_at = at;
    }
}

static void wire_call(struct vmm_virtio_blk *blk, unsigned i, bool wanted, uint64_t address,
                      uint32_t data)
{
    struct wire *wire = &blk->wire[i];
    const int fd = vmm_vhost_call_fd(blk->link, i);

    if (wire->calls && (!wanted || wire->address != address || wire->data != data)) {
        blk->wires.end_call(blk->wires.context, fd, wire->number);
        wire->calls = false;
    }
    if (!wire->calls && wanted) {
        wire->calls = blk->wires.call(blk->wires.context, fd, address, data, &wire->number) == 0;
        wire->address = address;
        wire->data = data;
    }
    vmm_vhost_take_calls(blk->link, i, !wire->calls);
}

static void rewire(struct vmm_virtio_blk *blk)
{
    for (unsigned i = 0; blk->has_wires && i < blk->kind.queues; i++) {
        uint64_t address = 0;
        uint32_t data = 0;
        const bool wanted = blk->asked && vmm_virtio_message(blk->virtio, i, &address, &data);

        wire_kick(blk, i, blk->asked ? vmm_virtio_notify_at(blk->virtio, i) : 0);
        wire_call(blk, i, wanted, address, data);
    }
}

static void unwire(struct vmm_virtio_blk *blk)
{
    for (unsigned i = 0; blk->has_wires && i < blk->kind.queues; i++) {
        wire_kick(blk, i, 0);
        wire_call(blk, i, false, 0, 0);
    }
}

/* --- what the guest does --- */

/* Queues that the driver uses; they are the first ones. */
static unsigned count_queues(const struct vmm_virtio_blk *blk, bool *ret_gap)
{
    struct vh_front_queue queue;
    unsigned count = 0;

    while (count < blk->kind.queues && vmm_virtio_ring(blk->virtio, count, &queue))
        count++;
    *ret_gap = false;
    for (unsigned i = count; i < blk->kind.queues; i++)
        *ret_gap = *ret_gap || vmm_virtio_ring(blk->virtio, i, &queue);
    return count;
}

static void changed(void *dev)
{
    struct vmm_virtio_blk *blk = dev;
    const bool runs = !blk->stands && vmm_virtio_runs(blk->virtio);
    bool gap;

    if (runs && !blk->asked) {
        blk->asked = count_queues(blk, &gap) > 0;
        if (gap) {
            blk->asked = false;
            vmm_virtio_break(blk->virtio); /* vhost-user knows no queue behind one that is not */
            return;
        }
        if (blk->asked)
            vmm_vhost_start(blk->link);
    } else if (!runs && blk->asked) {
        blk->asked = false;
        vmm_vhost_stop(blk->link);
    }
    rewire(blk);
}

static bool reset_by_driver(void *dev)
{
    struct vmm_virtio_blk *blk = dev;

    blk->asked = blk->missed = false;
    return vmm_vhost_reset(blk->link);
}

static const struct vmm_virtio_remote remote = { changed, reset_by_driver };

static void serve(void *dev, unsigned queue)
{
    struct vmm_virtio_blk *blk = dev;

    if (blk->asked)
        vmm_vhost_kick(blk->link, queue);
}

/* --- what the server does --- */

static bool set_up(void *context, struct vh_front_setup *ret_setup)
{
    const struct vmm_virtio_blk *blk = context;
    struct vh_front_setup setup = { .region_count = blk->memory.count };
    bool gap;

    for (unsigned bit = 0; bit < 64; bit++)
        if (vmm_virtio_has(blk->virtio, UINT64_C(1) << bit))
            setup.features |= UINT64_C(1) << bit;
    memcpy(setup.regions, blk->memory.regions, sizeof(setup.regions));
    memcpy(setup.region_fds, blk->memory.fds, sizeof(setup.region_fds));
    setup.queue_count = count_queues(blk, &gap);
    for (unsigned i = 0; i < setup.queue_count; i++)
        (void)vmm_virtio_ring(blk->virtio, i, &setup.queues[i]);
    *ret_setup = setup;
    return setup.queue_count > 0 && !gap;
}

/* What it, or the server before, may have told meanwhile, or before a save. */
static void running(void *context)
{
    struct vmm_virtio_blk *blk = context;

    for (unsigned i = 0; blk->missed && i < blk->kind.queues; i++)
        vmm_virtio_call(blk->virtio, i);
    blk->missed = true;
}

static void stopped(void *context)
{
    struct vmm_virtio_blk *blk = context;
    struct vh_front_queue queue;

    for (unsigned i = 0; i < blk->kind.queues && vmm_virtio_ring(blk->virtio, i, &queue); i++)
        vmm_virtio_set_next(blk->virtio, i, vmm_vhost_base(blk->link, i));
}

static void was_reset(void *context)
{
    struct vmm_virtio_blk *blk = context;

    vmm_virtio_reset_done(blk->virtio);
}

static void called(void *context, unsigned i)
{
    struct vmm_virtio_blk *blk = context;

    if (i < blk->kind.queues)
        vmm_virtio_call(blk->virtio, i);
}

static void configured(void *context)
{
    struct vmm_virtio_blk *blk = context;

    vmm_virtio_configure(blk->virtio, 0, vmm_vhost_config(blk->link), VMM_VHOST_CONFIG_BYTES);
}

static void lost(void *context, const char *text)
{
    const struct vmm_virtio_blk *blk = context;

    blk->callbacks.lost(blk->callbacks.context, text);
}

static void tell(void *context, const char *text)
{
    const struct vmm_virtio_blk *blk = context;

    blk->callbacks.tell(blk->callbacks.context, text);
}

static void attach(struct vmm_virtio_blk *blk)
{
    const struct vmm_vhost_callbacks callbacks = { .setup = set_up,
                                                   .running = running,
                                                   .stopped = stopped,
                                                   .was_reset = was_reset,
                                                   .called = called,
                                                   .configured = configured,
                                                   .lost = lost,
                                                   .tell = tell,
                                                   .context = blk };

    vmm_vhost_attach(blk->link, &callbacks);
}

/* --- for the machine --- */

static void blk_reset(void *dev)
{
    struct vmm_virtio_blk *blk = dev;

    blk->asked = blk->missed = false;
    unwire(blk);
    vmm_vhost_attach(blk->link, NULL); /* what was asked of it goes with the connection */
    attach(blk);
    vmm_virtio_reset(blk->virtio);
}

static void blk_pause(void *dev)
{
    struct vmm_virtio_blk *blk = dev;

    blk->stands = true;
    changed(blk);
}

static bool blk_drained(void *dev)
{
    const struct vmm_virtio_blk *blk = dev;

    return vmm_vhost_idle(blk->link);
}

static void blk_resume(void *dev)
{
    struct vmm_virtio_blk *blk = dev;

    blk->stands = false;
    configured(blk); /* what it is here */
    changed(blk);
    vmm_virtio_resume(blk->virtio);
}

static uint64_t capacity(const struct vmm_virtio_blk *blk)
{
    return hw_le_load(vmm_vhost_config(blk->link), CAPACITY_BYTES);
}

/* The guest knows the disk by this size. */
static void blk_state(void *dev, struct vmm_state *state)
{
    struct vmm_virtio_blk *blk = dev;
    uint64_t sectors = capacity(blk);
    uint8_t bytes[CAPACITY_BYTES];

    vmm_state_u64(state, &sectors);
    vmm_state_require(state, sectors <= capacity(blk));
    vmm_virtio_state(blk->virtio, state);
    if (!state->loading || state->wrong)
        return;
    hw_le_store(bytes, CAPACITY_BYTES, sectors);
    vmm_virtio_configure(blk->virtio, 0, bytes, sizeof(bytes));
    blk->missed = true;
}

static void blk_fini(void *dev)
{
    struct vmm_virtio_blk *blk = dev;

    unwire(blk);
    blk->has_wires = false; /* its vectors are gone */
    vmm_vhost_attach(blk->link, NULL);
    vmm_virtio_free(blk->virtio);
    free(blk);
}

static const struct vmm_dev_ops dev_ops = {
    .name = "virtio block device",
    .id = VMM_DEV_VIRTIO_BLK,
    .version = 1,
    .reset = blk_reset,
    .pause = blk_pause,
    .drained = blk_drained,
    .resume = blk_resume,
    .state = blk_state,
    .fini = blk_fini,
};

int vmm_virtio_blk_new(struct vmm_pci *pci, unsigned slot, struct vmm_vhost *link,
                       struct vh_mem *mem, const struct vmm_virtio_blk_memory *memory,
                       const struct vmm_virtio_wires *wires,
                       const struct vmm_virtio_blk_callbacks *callbacks, struct vmm_dev *ret_dev,
                       struct vmm_dev *ret_msix)
{
    struct vmm_virtio_blk *blk = calloc(1, sizeof(*blk));
    int rc;

    if (blk == NULL)
        return -ENOMEM;
    blk->kind = (struct vmm_virtio_kind) { .type = BLOCK_DEVICE,
                                           .class_code = STORAGE_CLASS,
                                           .features = vmm_vhost_features(link),
                                           .queues = vmm_vhost_queues(link),
                                           .queue_size = VMM_VIRTIO_BLK_QUEUE_SIZE,
                                           .config_bytes = VMM_VHOST_CONFIG_BYTES,
                                           .serve = serve,
                                           .remote = &remote };
    blk->link = link;
    blk->memory = *memory;
    blk->has_wires = wires != NULL;
    if (wires != NULL)
        blk->wires = *wires;
    blk->callbacks = *callbacks;
    blk->stands = true;
    rc = vmm_virtio_new(pci, slot, &blk->kind, mem, blk, ret_msix, &blk->virtio);
    if (rc < 0) {
        free(blk);
        return rc;
    }
    attach(blk);
    configured(blk);
    *ret_dev = (struct vmm_dev) { .ops = &dev_ops, .dev = blk };
    return 0;
}
