/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine for fuzz_vmm_virtio.c: PCI bus, memory in two pieces that adjoin for the guest only, a
 * card with two queues in slot 1, and the entropy device in slot 2.
 */
#ifndef VIRTIO_MACHINE_H
#define VIRTIO_MACHINE_H

#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/guest_bus.h"
#include "vmm-core/virtio/vmm_virtio_priv.h"
#include "vmm-core/virtio/vmm_virtio_rng.h"

enum { PIECE_BYTES = 8192, GUEST_BYTES = PIECES * PIECE_BYTES };
enum { CARD_SLOT = 1, RNG_SLOT = 2, CARD_QUEUES = 2, CARD_SIZE = 8, CARD_CONFIG_BYTES = 10 };

struct world {
    struct guest_bus guest;
    struct vmm_dev rng, msix[2];
    struct vmm_virtio *card;
    struct vh_chain chain;
    unsigned pirqs, configured;
    uint8_t entropy; /* how much there is */
};

/* It is told of changes only. */
static inline void set_pirq(void *context, unsigned pirq, bool active)
{
    struct world *world = context;

    fuzz_require(pirq < VMM_PCI_PIRQS && (world->pirqs >> pirq & 1) != active);
    world->pirqs ^= 1U << pirq;
}

/* Some, or none. */
static inline size_t fill(void *context, void *bytes, size_t count)
{
    const struct world *world = context;
    const size_t there = (size_t)world->entropy * 64;

    fuzz_require(count > 0 && count <= VMM_VIRTIO_RNG_CHAIN_BYTES);
    count = count < there ? count : there;
    memset(bytes, 0xa5, count);
    return count;
}

/* The card: writes all over what it may, once for each place in its queue. */
static inline void serve(void *dev, unsigned queue)
{
    struct world *world = dev;
    struct vh_chain *chain = &world->chain;

    fuzz_require(queue < CARD_QUEUES);
    for (unsigned n = 0; n < CARD_SIZE && vmm_virtio_pop(world->card, queue, chain); n++) {
        uint32_t written = 0;

        if (world->entropy % 8 == 7) {
            vmm_virtio_unpop(world->card, queue, 1); /* no time */
            return;
        }
        fuzz_require(chain->out_count + chain->in_count <= VH_SEGMENTS);
        for (unsigned i = 0; i < chain->out_count + chain->in_count; i++)
            guest_check(&world->guest, chain->pieces[i].iov_base, chain->pieces[i].iov_len);
        for (unsigned i = chain->out_count; i < chain->out_count + chain->in_count; i++) {
            memset(chain->pieces[i].iov_base, (int)n, chain->pieces[i].iov_len);
            written += (uint32_t)chain->pieces[i].iov_len;
        }
        vmm_virtio_push(world->card, queue, chain->head, written);
        vmm_virtio_signal(world->card, queue);
    }
}

/* The card is told of what is written to its configuration, and of nothing else. */
static inline void configured(void *dev)
{
    ((struct world *)dev)->configured++;
}

static const struct vmm_virtio_kind card_kind = { .type = 9,
                                                  .features = 3 | VMM_VIRTIO_EVENT_IDX,
                                                  .queues = CARD_QUEUES,
                                                  .queue_size = CARD_SIZE,
                                                  .config_bytes = CARD_CONFIG_BYTES,
                                                  .serve = serve,
                                                  .writable_at = 4,
                                                  .writable_bytes = 4,
                                                  .configured = configured };

/* All of it, as after power-on. */
static inline void begin(struct world *world)
{
    const struct vmm_entropy entropy = { fill, world };

    memset(world, 0, sizeof(*world));
    world->entropy = UINT8_MAX;
    guest_begin(&world->guest, PIECE_BYTES);
    vmm_pci_set_router(world->guest.pci, set_pirq, world);
    fuzz_require(vmm_virtio_new(world->guest.pci, CARD_SLOT, &card_kind, world->guest.mem, world,
                                &world->msix[0], &world->card) == 0);
    fuzz_require(vmm_virtio_rng_new(world->guest.pci, RNG_SLOT, world->guest.mem, &entropy,
                                    &world->rng, &world->msix[1]) == 0);
}

/* End all of it. */
static inline void end(struct world *world)
{
    world->msix[1].ops->fini(world->msix[1].dev);
    world->rng.ops->fini(world->rng.dev);
    world->msix[0].ops->fini(world->msix[0].dev);
    vmm_virtio_free(world->card);
    fuzz_require(world->pirqs == 0);
    guest_end(&world->guest);
}

#endif
