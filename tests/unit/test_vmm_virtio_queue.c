/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/virtio/vmm_virtio_queue, vmm-core/virtio/vmm_virtio_state: chains go through a device's
 * queues when they may, and no longer when the driver has spoilt them; and all of it moves.
 */
#include <config.h>

#include <errno.h>

#include "tests/unit/virtio_card.h"

enum { SIZE = 8, QUEUES_AT = VMM_PCI_STATE_BYTES + 25 };

static struct card card;
static struct virtio_world *const w = &card.world;

static void begin(uint64_t features)
{
    card_begin(&card);
    virtio_drive(w, VERSION_1 | features, CARD_QUEUES, SIZE);
}

/* A chain of `i` pieces in queue 0, from descriptor 0 on. */
static void chain_of(unsigned pieces)
{
    for (unsigned i = 0; i < pieces; i++) {
        const struct vh_desc desc = { .addr = DATA + i * 64,
                                      .len = 64,
                                      .flags = i + 1 < pieces ? VH_DESC_F_NEXT | VH_DESC_F_WRITE
                                                              : VH_DESC_F_WRITE,
                                      .next = (uint16_t)(i + 1) };

        descriptor(w, 0, i, &desc);
    }
    offer(w, 0, SIZE, 0);
}

static unsigned status(void)
{
    return (unsigned)reg(w, DEVICE_STATUS, 1);
}

/* --- chains --- */

static void a_chain_is_served(void)
{
    begin(0);
    chain_of(3);
    CU_ASSERT_EQUAL(card.chains, 0);
    kick(w, 1);
    CU_ASSERT_EQUAL(card.chains, 0);
    kick(w, 2); /* there is no such one */
    set(w, NOTIFY_PAGE + 2, 2, 0);
    CU_ASSERT_EQUAL(card.chains, 0);
    kick(w, 0);
    CU_ASSERT_EQUAL(card.chains, 1);
    CU_ASSERT_EQUAL(card.pieces, 3);
    CU_ASSERT_EQUAL(word(w, USED + 2), 1);
    CU_ASSERT_EQUAL(word(w, USED + 4), 0);
    CU_ASSERT_EQUAL(word(w, USED + 8), WRITTEN);
    CU_ASSERT_EQUAL(w->pirqs, 1);
    CU_ASSERT_EQUAL(reg(w, ISR_PAGE, 1), 1);
    CU_ASSERT_EQUAL(w->pirqs, 0);
    CU_ASSERT_EQUAL(reg(w, ISR_PAGE, 1), 0);
    set_word(w, AVAIL, VH_AVAIL_F_NO_INTERRUPT);
    chain_of(1);
    kick(w, 0);
    CU_ASSERT_EQUAL(card.chains, 2);
    CU_ASSERT_EQUAL(w->pirqs, 0);
    card_end(&card);
}

static void by_vectors(void)
{
    begin(0);
    chain_of(1);
    kick(w, 0);
    CU_ASSERT_EQUAL(w->pirqs, 1);
    virtio_use_vectors(w, 3);
    CU_ASSERT_EQUAL(w->pirqs, 0);
    CU_ASSERT_EQUAL(reg(w, ISR_PAGE, 1), 1);
    chain_of(1);
    kick(w, 0); /* none was chosen */
    CU_ASSERT_EQUAL(card.chains, 2);
    CU_ASSERT_EQUAL(w->count, 0);
    set(w, QUEUE_SELECT, 2, 0);
    set(w, QUEUE_VECTOR, 2, 1);
    chain_of(1);
    kick(w, 0);
    CU_ASSERT_EQUAL(w->count, 1);
    CU_ASSERT_EQUAL(w->messages[0], 1);
    CU_ASSERT_EQUAL(w->pirqs, 0);
    CU_ASSERT_EQUAL(reg(w, ISR_PAGE, 1), 0);
    card_end(&card);
}

static void not_before_it_may(void)
{
    card_begin(&card);
    virtio_map(w);
    virtio_accept(w, VERSION_1);
    set(w, DEVICE_STATUS, 1, 11);
    virtio_queue(w, 0, SIZE);
    chain_of(1);
    kick(w, 0);
    CU_ASSERT_EQUAL(card.serves, 0);
    pci_write(w->bus, VIRTIO_SLOT, 0, VMM_PCI_COMMAND, 2, VMM_PCI_MEMORY);
    set(w, DEVICE_STATUS, 1, VIRTIO_OK);
    kick(w, 0);
    CU_ASSERT_EQUAL(card.serves, 0);
    pci_write(w->bus, VIRTIO_SLOT, 0, VMM_PCI_COMMAND, 2, VMM_PCI_MEMORY | VMM_PCI_MASTER);
    CU_ASSERT_EQUAL(card.chains, 1);
    set(w, DEVICE_STATUS, 1, 0);
    chain_of(1);
    kick(w, 0);
    CU_ASSERT_EQUAL(card.serves, 1);
    CU_ASSERT_FALSE(vmm_virtio_pop(card.virtio, 0, &card.chain));
    memset(w->memory, 0, GUEST_BYTES);
    chain_of(1);
    virtio_drive(w, VERSION_1, 1, SIZE); /* it waits already when the driver is there */
    CU_ASSERT_EQUAL(card.chains, 2);
    card_end(&card);
}

/* A table of descriptors elsewhere is followed only if they agreed to it. */
static void indirect_ones(void)
{
    static const struct vh_desc outer = { DATA, 32, VH_DESC_F_INDIRECT, 0 };
    static const struct vh_desc inner = { DATA + 64, 8, VH_DESC_F_NEXT, 1 };
    static const struct vh_desc last = { DATA + 64, 8, 0, 0 };

    for (unsigned agreed = 0; agreed < 2; agreed++) {
        begin(agreed != 0 ? INDIRECT : 0);
        descriptor(w, 0, 0, &outer);
        descriptor(w, DATA, 0, &inner);
        descriptor(w, DATA, 1, &last);
        offer(w, 0, SIZE, 0);
        kick(w, 0);
        CU_ASSERT_EQUAL(card.chains, 1);
        CU_ASSERT_EQUAL(card.pieces, agreed * 2); /* a wrong one has none */
        CU_ASSERT_EQUAL(word(w, USED + 2), 1);
        CU_ASSERT_EQUAL(status(), VIRTIO_OK);
        card_end(&card);
    }
}

/* --- spoilt --- */

static void a_broken_ring(void)
{
    begin(0);
    set_word(w, AVAIL + 2, SIZE + 1);
    kick(w, 0);
    CU_ASSERT_EQUAL(status(), VIRTIO_OK | NEEDS_RESET);
    CU_ASSERT_EQUAL(reg(w, ISR_PAGE, 1), 2);
    offer(w, 1, SIZE, 0);
    kick(w, 1); /* the whole device stands */
    CU_ASSERT_EQUAL(card.chains, 0);
    CU_ASSERT_EQUAL(card.serves, 3); /* both when the driver came, and the broken one */
    memset(w->memory, 0, GUEST_BYTES);
    virtio_drive(w, VERSION_1, CARD_QUEUES, SIZE);
    CU_ASSERT_EQUAL(status(), VIRTIO_OK);
    chain_of(1);
    kick(w, 0);
    CU_ASSERT_EQUAL(card.chains, 1);
    card_end(&card);
}

static void rings_that_are_nowhere(void)
{
    static const struct {
        unsigned part;
        uint64_t at;
    } wrong[] = {
        { 0, 8 },
        { 0, GUEST_BYTES - 16 },
        { 0, UINT64_MAX - 15 },
        { 1, GUEST_BYTES - 16 },
        { 1, 1025 },
        { 2, GUEST_BYTES - 64 },
        { 2, 2050 },
        { 2, UINT64_C(1) << 63 },
    };

    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        card_begin(&card);
        virtio_drive(w, VERSION_1, 1, SIZE);
        set(w, QUEUE_SELECT, 2, 1);
        set(w, QUEUE_PARTS + wrong[i].part * 8, 8, wrong[i].at);
        set(w, QUEUE_ENABLE, 2, 1);
        CU_ASSERT_EQUAL(reg(w, QUEUE_ENABLE, 2), 0);
        CU_ASSERT_EQUAL(status(), VIRTIO_OK | NEEDS_RESET);
        CU_ASSERT_EQUAL(w->pirqs, 1);
        kick(w, 1);
        CU_ASSERT_EQUAL(card.serves, 1); /* queue 0, when the driver came */
        card_end(&card);
    }
}

/* --- one queue anew (2.6.1) --- */

static void a_queue_is_reset(void)
{
    begin(RESETS);
    set(w, QUEUE_SELECT, 2, 0);
    set(w, QUEUE_VECTOR, 2, 1);
    chain_of(1);
    kick(w, 0);
    set(w, QUEUE_RESET, 2, 1);
    CU_ASSERT_EQUAL(reg(w, QUEUE_RESET, 2), 0);
    CU_ASSERT_EQUAL(reg(w, QUEUE_ENABLE, 2), 0);
    CU_ASSERT_EQUAL(reg(w, QUEUE_SIZE, 2), CARD_SIZE);
    CU_ASSERT_EQUAL(reg(w, QUEUE_VECTOR, 2), 0xffff);
    chain_of(1);
    kick(w, 0);
    CU_ASSERT_EQUAL(card.chains, 1);
    memset(w->memory, 0, QUEUE_STEP);
    virtio_queue(w, 0, SIZE);
    chain_of(1);
    kick(w, 0);
    CU_ASSERT_EQUAL(card.chains, 2);
    set(w, QUEUE_SELECT, 2, 1);
    CU_ASSERT_EQUAL(reg(w, QUEUE_ENABLE, 2), 1);
    card_end(&card);
    begin(0);
    set(w, QUEUE_RESET, 2, 1); /* not agreed to */
    CU_ASSERT_EQUAL(reg(w, QUEUE_ENABLE, 2), 1);
    card_end(&card);
}

/* --- state --- */

static int state_of(struct card *one, uint8_t *bytes, size_t size, bool load)
{
    struct hw_writer writer = hw_writer_over(bytes, size);
    struct vmm_state state =
        load ? vmm_state_loading(bytes, size, 1) : vmm_state_saving(&writer, 1);

    if (load)
        vmm_virtio_reset(one->virtio);
    vmm_virtio_state(one->virtio, &state);
    CU_ASSERT_TRUE(load || writer.at == size);
    return vmm_state_end(&state);
}

/* With a chain that was served, an interrupt that nobody took, and a chain that waits. */
static void it_moves(void)
{
    uint8_t bytes[CARD_STATE_BYTES], again[CARD_STATE_BYTES], memory[GUEST_BYTES];
    struct card other;

    begin(RESETS);
    chain_of(2);
    kick(w, 0);
    chain_of(3);
    CU_ASSERT_EQUAL(state_of(&card, bytes, sizeof(bytes), false), 0);
    memcpy(memory, w->memory, GUEST_BYTES);
    card_end(&card);
    card_begin(&other);
    CU_ASSERT_EQUAL(state_of(&other, bytes, sizeof(bytes), true), 0);
    CU_ASSERT_EQUAL(other.world.pirqs, 1);
    memcpy(other.world.memory, memory, GUEST_BYTES); /* comes later */
    CU_ASSERT_EQUAL(state_of(&other, again, sizeof(again), false), 0);
    CU_ASSERT_EQUAL(memcmp(bytes, again, sizeof(bytes)), 0);
    CU_ASSERT_EQUAL(other.serves, 0);
    vmm_virtio_resume(other.virtio);
    CU_ASSERT_EQUAL(other.chains, 1);
    CU_ASSERT_EQUAL(other.pieces, 3);
    CU_ASSERT_EQUAL(word(&other.world, USED + 2), 2);
    CU_ASSERT_EQUAL(reg(&other.world, ISR_PAGE, 1), 1);
    CU_ASSERT_EQUAL(reg(&other.world, DEVICE_STATUS, 1), VIRTIO_OK);
    card_end(&other);
}

static void a_wrong_state_is_refused(void)
{
    static const struct {
        unsigned at;
        uint8_t bits;
    } wrong[] = {
        { 0, 1 },                           /* vendor */
        { VMM_PCI_STATE_BYTES + 8, 1 },     /* a feature that is not offered */
        { VMM_PCI_STATE_BYTES + 12, 1 },    /* no VERSION_1 */
        { VMM_PCI_STATE_BYTES + 17, 0x80 }, /* vector of the configuration */
        { VMM_PCI_STATE_BYTES + 18, 16 },   /* a status that there is not */
        { VMM_PCI_STATE_BYTES + 18, 8 },    /* ready, and nothing agreed */
        { VMM_PCI_STATE_BYTES + 20, 4 },    /* interrupt status */
        { VMM_PCI_STATE_BYTES + 23, 1 },    /* number of queues */
        { QUEUES_AT, 1 },                   /* size */
        { QUEUES_AT + 1, 1 },               /* a larger one */
        { QUEUES_AT + 3, 0x80 },            /* vector */
        { QUEUES_AT + 4, 2 },               /* neither enabled nor not */
        { QUEUES_AT + 5, 1 },               /* where nothing can be enabled */
        { QUEUES_AT + 31 + 12, 0x80 },      /* likewise */
        { CARD_STATE_BYTES - 31 - 27, 1 },  /* disabled, and has gone on */
    };
    uint8_t bytes[CARD_STATE_BYTES];

    begin(0);
    chain_of(1);
    kick(w, 0);
    CU_ASSERT_EQUAL(state_of(&card, bytes, sizeof(bytes), false), 0);
    for (size_t size = 0; size < sizeof(bytes); size++)
        CU_ASSERT_EQUAL(state_of(&card, bytes, size, true), -EBADMSG);
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        bytes[wrong[i].at] ^= wrong[i].bits;
        CU_ASSERT_EQUAL(state_of(&card, bytes, sizeof(bytes), true), -EBADMSG);
        bytes[wrong[i].at] ^= wrong[i].bits;
        virtio_map(w);
        CU_ASSERT_EQUAL(status(), 0); /* nothing of it is used */
    }
    CU_ASSERT_EQUAL(state_of(&card, bytes, sizeof(bytes), true), 0);
    CU_ASSERT_EQUAL(status(), VIRTIO_OK);
    card_end(&card);
}

const struct unit_case unit_cases[] = {
    { "a chain is served", a_chain_is_served },
    { "by vectors", by_vectors },
    { "not before it may", not_before_it_may },
    { "indirect ones", indirect_ones },
    { "a broken ring", a_broken_ring },
    { "rings that are nowhere", rings_that_are_nowhere },
    { "a queue is reset", a_queue_is_reset },
    { "it moves", it_moves },
    { "a wrong state is refused", a_wrong_state_is_refused },
    { 0 },
};
