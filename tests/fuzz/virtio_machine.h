/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine for fuzz_vmm_virtio.c: PCI bus, memory in two pieces that adjoin for the guest only, a
 * card with two queues in slot 1, and the entropy device in slot 2.
 */
#ifndef VIRTIO_MACHINE_H
#define VIRTIO_MACHINE_H

#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "vmm-core/virtio/vmm_virtio_priv.h"
#include "vmm-core/virtio/vmm_virtio_rng.h"

enum { PIECES = 2, PIECE_BYTES = 8192, GUEST_BYTES = PIECES * PIECE_BYTES };
enum { CARD_SLOT = 1, RNG_SLOT = 2, CARD_QUEUES = 2, CARD_SIZE = 8, CARD_CONFIG_BYTES = 10 };

struct world {
    struct vmm_bus *bus;
    struct vmm_dev pci_dev, rng, msix[2];
    struct vmm_pci *pci;
    void *memory[PIECES];
    struct vh_mem *mem;
    struct vmm_virtio *card;
    struct vh_chain chain;
    unsigned pirqs, configured;
    uint8_t entropy; /* how much there is */
};

/* The bus's callback: nobody listens. */
static inline void send_msi(void *context, uint64_t address, uint32_t data)
{
    (void)context;
    (void)address;
    (void)data;
}

/* Likewise. */
static inline void no_reset(void *context)
{
    (void)context;
}

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

/* Every piece of a chain lies wholly in one piece of memory. */
static inline void check_piece(const struct world *world, const struct iovec *piece)
{
    const uint8_t *at = piece->iov_base;
    bool inside = piece->iov_len == 0;

    for (unsigned i = 0; i < PIECES; i++) {
        const uint8_t *first = world->memory[i];

        inside = inside || (at >= first && at < first + PIECE_BYTES &&
                            piece->iov_len <= (size_t)(first + PIECE_BYTES - at));
    }
    fuzz_require(inside);
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
            check_piece(world, &chain->pieces[i]);
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
    const struct vmm_pci_callbacks callbacks = { send_msi, no_reset, world };
    const struct vmm_entropy entropy = { fill, world };
    struct vh_region regions[PIECES];

    memset(world, 0, sizeof(*world));
    world->entropy = UINT8_MAX;
    for (unsigned i = 0; i < PIECES; i++) {
        regions[i] = (struct vh_region) { .guest_addr = i * PIECE_BYTES,
                                          .bytes = PIECE_BYTES,
                                          .user_addr = i * PIECE_BYTES };
        world->memory[i] = calloc(1, PIECE_BYTES);
    }
    world->bus = vmm_bus_new();
    fuzz_require(vh_mem_over(regions, world->memory, PIECES, &world->mem) == 0);
    fuzz_require(vmm_pci_new(world->bus, &callbacks, &world->pci_dev, &world->pci) == 0);
    vmm_pci_set_router(world->pci, set_pirq, world);
    fuzz_require(vmm_virtio_new(world->pci, CARD_SLOT, &card_kind, world->mem, world,
                                &world->msix[0], &world->card) == 0);
    fuzz_require(vmm_virtio_rng_new(world->pci, RNG_SLOT, world->mem, &entropy, &world->rng,
                                    &world->msix[1]) == 0);
}

/* End all of it. */
static inline void end(struct world *world)
{
    world->msix[1].ops->fini(world->msix[1].dev);
    world->rng.ops->fini(world->rng.dev);
    world->msix[0].ops->fini(world->msix[0].dev);
    vmm_virtio_free(world->card);
    fuzz_require(world->pirqs == 0);
    world->pci_dev.ops->fini(world->pci_dev.dev);
    vmm_bus_free(world->bus);
    vh_mem_unref(world->mem);
    for (unsigned i = 0; i < PIECES; i++)
        free(world->memory[i]);
}

#endif
