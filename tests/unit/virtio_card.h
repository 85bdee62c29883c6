/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A virtio device for tests of what all have in common: two queues, 12 bytes of configuration, and
 * chains that it gives back at once, having written 7 bytes.
 */
#ifndef VIRTIO_CARD_H
#define VIRTIO_CARD_H

#include "tests/unit/virtio_world.h"

enum { CARD_QUEUES = 2, CARD_SIZE = 16, CARD_FEATURE = 32, CARD_CONFIG_BYTES = 12, WRITTEN = 7 };
enum { CARD_STATE_BYTES = VMM_PCI_STATE_BYTES + 25 + CARD_QUEUES * 31 };

struct card {
    struct virtio_world world;
    struct vmm_virtio *virtio;
    struct vh_chain chain;
    unsigned serves, chains, pieces;
};

/* Its queue: all there is, once. */
static inline void card_serve(void *dev, unsigned queue)
{
    struct card *card = dev;

    card->serves++;
    while (vmm_virtio_pop(card->virtio, queue, &card->chain)) {
        card->chains++;
        card->pieces += card->chain.out_count + card->chain.in_count;
        vmm_virtio_push(card->virtio, queue, card->chain.head, WRITTEN);
        vmm_virtio_signal(card->virtio, queue);
    }
}

static const struct vmm_virtio_kind card_kind = {
    .type = 9,
    .class_code = 0x00ff00,
    .features = CARD_FEATURE,
    .queues = CARD_QUEUES,
    .queue_size = CARD_SIZE,
    .config_bytes = CARD_CONFIG_BYTES,
    .serve = card_serve,
};

/* A card on a bus of its own, not mapped yet. */
static inline void card_begin(struct card *card)
{
    memset(card, 0, sizeof(*card));
    virtio_world_begin(&card->world);
    CU_ASSERT_EQUAL_FATAL(vmm_virtio_new(card->world.pci, VIRTIO_SLOT, &card_kind, card->world.mem,
                                         card, &card->world.msix, &card->virtio),
                          0);
}

/* End both. */
static inline void card_end(struct card *card)
{
    card->world.msix.ops->fini(card->world.msix.dev);
    vmm_virtio_free(card->virtio);
    virtio_world_end(&card->world);
}

#endif
