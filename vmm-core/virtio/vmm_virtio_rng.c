/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Entropy. A request is answered within the guest's own call, with a bounded part of what it has
 * room for (5.4.6.2); so nothing is ever under way.
 */
#include "config.h"

#include "vmm-core/virtio/vmm_virtio_rng.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm-core/machine/vmm_dev_ids.h"

struct vmm_virtio_rng {
    struct vmm_virtio *virtio;
    struct vmm_entropy entropy;
    struct vh_chain chain;
    uint8_t bytes[VMM_VIRTIO_RNG_CHAIN_BYTES];
};

static size_t room(const struct vh_chain *chain)
{
    size_t bytes = 0;

    for (unsigned i = 0; i < chain->in_count && bytes < VMM_VIRTIO_RNG_CHAIN_BYTES; i++)
        bytes += chain->pieces[chain->out_count + i].iov_len; /* each less than 4 GiB */
    return bytes < VMM_VIRTIO_RNG_CHAIN_BYTES ? bytes : VMM_VIRTIO_RNG_CHAIN_BYTES;
}

/* Into the chain. Nothing of it stays here: what the guest makes of it is its secret. */
static uint32_t answer(struct vmm_virtio_rng *rng)
{
    const struct vh_chain *chain = &rng->chain;
    const size_t wanted = room(chain);
    const size_t bytes =
        wanted > 0 ? rng->entropy.fill(rng->entropy.context, rng->bytes, wanted) : 0;
    size_t done = 0;

    for (unsigned i = 0; done < bytes; i++) {
        const struct iovec *piece = &chain->pieces[chain->out_count + i];
        const size_t count = piece->iov_len < bytes - done ? piece->iov_len : bytes - done;

        memcpy(piece->iov_base, rng->bytes + done, count);
        vmm_virtio_wrote(rng->virtio, piece->iov_base, count);
        done += count;
    }
    memset(rng->bytes, 0, bytes);
    return (uint32_t)bytes;
}

static void serve(void *dev, unsigned queue)
{
    struct vmm_virtio_rng *rng = dev;
    unsigned count = 0;

    while (count < VMM_VIRTIO_RNG_QUEUE_SIZE && vmm_virtio_pop(rng->virtio, queue, &rng->chain)) {
        vmm_virtio_push(rng->virtio, queue, rng->chain.head, answer(rng));
        count++;
    }
    if (count > 0)
        vmm_virtio_signal(rng->virtio, queue);
}

static const struct vmm_virtio_kind kind = {
    .type = 4,
    .class_code = 0x00ff00,
    .queues = 1,
    .queue_size = VMM_VIRTIO_RNG_QUEUE_SIZE,
    .serve = serve,
};

/* --- for the machine --- */

static void rng_reset(void *dev)
{
    struct vmm_virtio_rng *rng = dev;

    vmm_virtio_reset(rng->virtio);
}

static void rng_resume(void *dev)
{
    struct vmm_virtio_rng *rng = dev;

    vmm_virtio_resume(rng->virtio);
}

static void rng_state(void *dev, struct vmm_state *state)
{
    struct vmm_virtio_rng *rng = dev;

    vmm_virtio_state(rng->virtio, state);
}

static void rng_fini(void *dev)
{
    struct vmm_virtio_rng *rng = dev;

    vmm_virtio_free(rng->virtio);
    free(rng);
}

static const struct vmm_dev_ops dev_ops = {
    .name = "virtio entropy device",
    .id = VMM_DEV_VIRTIO_RNG,
    .version = 1,
    .reset = rng_reset,
    .resume = rng_resume,
    .state = rng_state,
    .fini = rng_fini,
};

int vmm_virtio_rng_new(struct vmm_pci *pci, unsigned slot, struct vh_mem *mem,
                       const struct vmm_entropy *entropy, struct vmm_dev *ret_dev,
                       struct vmm_dev *ret_msix)
{
    struct vmm_virtio_rng *rng = calloc(1, sizeof(*rng));
    int rc;

    if (rng == NULL)
        return -ENOMEM;
    rng->entropy = *entropy;
    rc = vmm_virtio_new(pci, slot, &kind, mem, rng, ret_msix, &rng->virtio);
    if (rc < 0) {
        free(rng);
        return rc;
    }
    *ret_dev = (struct vmm_dev) { .ops = &dev_ops, .dev = rng };
    return 0;
}
