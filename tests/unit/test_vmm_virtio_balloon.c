/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/virtio/vmm_virtio_balloon: pages that a guest gives up are dropped, none that it did not
 * name and no more than a call may cost; what it says of its memory is known.
 */
#include <config.h>

#include "vmm-core/virtio/vmm_virtio_balloon.h"

#include <errno.h>

#include "tests/unit/fail_alloc.h"
#include "tests/unit/virtio_world.h"
#include "vmm-core/machine/vmm_dev_ids.h"

enum { INFLATE, DEFLATE, STATS, REPORT, QUEUES = 5, SIZE = 8, DROPS = 64 };
enum { STATE_BYTES = 8 + VMM_PCI_STATE_BYTES + 25 + QUEUES * 31, FREE_AT = 32768 };
#define HAS_STATS (UINT64_C(1) << 1)
#define REPORTS   (UINT64_C(1) << 5)
#define PAGE      UINT64_C(4096)

struct host {
    struct virtio_world world;
    struct vmm_virtio_balloon *balloon;
    unsigned count;
    uint64_t bytes;
    struct {
        uint64_t at, bytes;
    } drops[DROPS];
};

static struct host h;
static struct virtio_world *const w = &h.world;

static void drop(void *context, uint64_t guest_at, uint64_t bytes)
{
    struct host *host = context;

    CU_ASSERT_TRUE(bytes > 0 && bytes % PAGE == 0 && guest_at % PAGE == 0);
    if (host->count < DROPS) {
        host->drops[host->count].at = guest_at;
        host->drops[host->count].bytes = bytes;
    }
    host->count++;
    host->bytes += bytes;
}

static int make(void)
{
    const struct vmm_virtio_balloon_port port = { drop, &h };

    return vmm_virtio_balloon_new(w->pci, VIRTIO_SLOT, w->mem, &port, &w->dev, &w->msix,
                                  &h.balloon);
}

static void begin(uint64_t features)
{
    memset(&h, 0, sizeof(h));
    virtio_world_begin(w);
    CU_ASSERT_EQUAL_FATAL(make(), 0);
    virtio_drive(w, VERSION_1 | features, 4, SIZE);
}

static void end(void)
{
    w->msix.ops->fini(w->msix.dev);
    w->dev.ops->fini(w->dev.dev);
    virtio_world_end(w);
}

/* One chain of one piece, at once. */
static void give(unsigned queue, unsigned at, unsigned bytes, unsigned flags)
{
    const struct vh_desc desc = { at, bytes, (uint16_t)flags, 0 };

    descriptor(w, queue * QUEUE_STEP, 0, &desc);
    offer(w, queue, SIZE, 0);
    kick(w, queue);
}

static unsigned used(unsigned queue)
{
    return word(w, queue * QUEUE_STEP + USED + 2);
}

static void name_page(unsigned i, uint32_t page)
{
    for (unsigned n = 0; n < 4; n++)
        w->memory[DATA + i * 4 + n] = (uint8_t)(page >> (n * 8));
}

static bool dropped(unsigned i, uint64_t at, uint64_t bytes)
{
    return i < h.count && h.drops[i].at == at && h.drops[i].bytes == bytes;
}

static void it_is_found(void)
{
    begin(0);
    CU_ASSERT_EQUAL(pci_read(w->bus, VIRTIO_SLOT, 0, 0, 4), 0x10451af4);
    CU_ASSERT_EQUAL(pci_read(w->bus, VIRTIO_SLOT, 0, 10, 2), 0x00ff);
    CU_ASSERT_EQUAL(reg(w, DEVICE_FEATURES, 4) & 0x3f, 0x26);
    CU_ASSERT_EQUAL(reg(w, CONFIG_PAGE, 8), 0);
    CU_ASSERT_EQUAL(w->dev.ops->id, VMM_DEV_VIRTIO_BALLOON);
    end();
}

static void pages_are_given_up(void)
{
    static const uint32_t pages[] = { 7, 20, 19, 18, 30, 31, 32, 30, UINT32_MAX };

    begin(0);
    for (unsigned i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
        name_page(i, pages[i]);
    give(INFLATE, DATA, sizeof(pages) + 3, 0); /* and a part of one */
    CU_ASSERT_EQUAL(h.count, 5);
    CU_ASSERT_TRUE(dropped(0, 7 * PAGE, PAGE));
    CU_ASSERT_TRUE(dropped(1, 18 * PAGE, 3 * PAGE));
    CU_ASSERT_TRUE(dropped(2, 30 * PAGE, 3 * PAGE));
    CU_ASSERT_TRUE(dropped(3, 30 * PAGE, PAGE));
    CU_ASSERT_TRUE(dropped(4, UINT32_MAX * PAGE, PAGE));
    CU_ASSERT_EQUAL(used(INFLATE), 1);
    CU_ASSERT_EQUAL(reg(w, ISR_PAGE, 1), 1);
    give(DEFLATE, DATA, sizeof(pages), 0);
    CU_ASSERT_EQUAL(used(DEFLATE), 1);
    give(INFLATE, DATA, sizeof(pages), VH_DESC_F_WRITE); /* nothing to be read */
    CU_ASSERT_EQUAL(used(INFLATE), 2);
    CU_ASSERT_EQUAL(h.count, 5);
    end();
}

/* What is more than that stays the guest's, and is given back all the same. */
static void no_more_than_a_call_may_cost(void)
{
    begin(REPORTS);
    for (unsigned i = 0; i < 6000; i++)
        name_page(i, i * 2);
    give(INFLATE, DATA, 24000, 0);
    CU_ASSERT_EQUAL(h.count, VMM_VIRTIO_BALLOON_TURN_PAGES);
    CU_ASSERT_EQUAL(used(INFLATE), 1);
    give(INFLATE, DATA, 24000, 0);
    CU_ASSERT_EQUAL(h.count, 2 * VMM_VIRTIO_BALLOON_TURN_PAGES);
    end();
}

/* Pages and neighbours in several pieces are found, too. */
static void numbers_in_pieces(void)
{
    const struct vh_desc first = { DATA, 6, VH_DESC_F_NEXT, 1 }, second = { DATA + 6, 1194, 0, 0 };

    begin(0);
    for (unsigned i = 0; i < 300; i++)
        name_page(i, 100 + i);
    descriptor(w, 0, 0, &first);
    descriptor(w, 0, 1, &second);
    offer(w, INFLATE, SIZE, 0);
    kick(w, INFLATE);
    CU_ASSERT_EQUAL(h.count, 1);
    CU_ASSERT_TRUE(dropped(0, 100 * PAGE, 300 * PAGE));
    end();
}

static void free_pages_are_reported(void)
{
    begin(REPORTS | HAS_STATS);
    give(REPORT, FREE_AT, 8192, VH_DESC_F_WRITE);
    CU_ASSERT_TRUE(dropped(0, FREE_AT, 8192));
    give(REPORT, FREE_AT + 1, 3 * 4096, VH_DESC_F_WRITE); /* whole pages only */
    CU_ASSERT_TRUE(dropped(1, FREE_AT + 4096, 8192));
    give(REPORT, FREE_AT + 100, 5000, VH_DESC_F_WRITE);
    give(REPORT, FREE_AT, 4096, 0);                          /* not to be written */
    give(REPORT, GUEST_BYTES - 4096, 8192, VH_DESC_F_WRITE); /* not all of it is memory */
    CU_ASSERT_EQUAL(h.count, 2);
    CU_ASSERT_EQUAL(used(REPORT), 5);
    end();
    begin(REPORTS); /* without statistics its queue comes before */
    give(STATS, FREE_AT, 4096, VH_DESC_F_WRITE);
    CU_ASSERT_EQUAL(h.count, 1);
    end();
    begin(0); /* it was not agreed to */
    give(REPORT, FREE_AT, 4096, VH_DESC_F_WRITE);
    CU_ASSERT_EQUAL(h.count, 0);
    end();
}

static void say(unsigned i, unsigned tag, uint64_t value)
{
    uint8_t *at = w->memory + DATA + i * 10;

    at[0] = (uint8_t)tag;
    at[1] = (uint8_t)(tag >> 8);
    for (unsigned n = 0; n < 8; n++)
        at[2 + n] = (uint8_t)(value >> (n * 8));
}

/* Its buffer waits in the queue until new ones are asked for. */
static void what_it_says_of_itself(void)
{
    struct vmm_virtio_balloon_status status;

    begin(HAS_STATS);
    vmm_virtio_balloon_ask(h.balloon); /* there is no buffer yet */
    say(0, VMM_VIRTIO_BALLOON_FREE, UINT64_C(0x1122334455667788));
    say(1, 300, 1); /* not known */
    say(2, VMM_VIRTIO_BALLOON_TOTAL, 5);
    give(STATS, DATA, 30, 0);
    vmm_virtio_balloon_status(h.balloon, &status);
    CU_ASSERT_EQUAL(status.known, 1 << VMM_VIRTIO_BALLOON_FREE | 1 << VMM_VIRTIO_BALLOON_TOTAL);
    CU_ASSERT_EQUAL(status.stats[VMM_VIRTIO_BALLOON_FREE], UINT64_C(0x1122334455667788));
    CU_ASSERT_EQUAL(status.stats[VMM_VIRTIO_BALLOON_TOTAL], 5);
    CU_ASSERT_EQUAL(used(STATS), 0);
    vmm_virtio_balloon_ask(h.balloon);
    CU_ASSERT_EQUAL(used(STATS), 1);
    CU_ASSERT_EQUAL(reg(w, ISR_PAGE, 1), 1);
    vmm_virtio_balloon_ask(h.balloon);
    CU_ASSERT_EQUAL(used(STATS), 1);
    say(0, VMM_VIRTIO_BALLOON_FREE, 9);
    give(STATS, DATA, 10, 0);
    vmm_virtio_balloon_status(h.balloon, &status);
    CU_ASSERT_EQUAL(status.known, 1 << VMM_VIRTIO_BALLOON_FREE);
    CU_ASSERT_EQUAL(status.stats[VMM_VIRTIO_BALLOON_FREE], 9);
    set(w, DEVICE_STATUS, 1, 0);
    vmm_virtio_balloon_status(h.balloon, &status);
    CU_ASSERT_EQUAL(status.known, 0);
    end();
}

static void what_it_is_asked_for(void)
{
    struct vmm_virtio_balloon_status status;

    begin(0);
    vmm_virtio_balloon_set_target(h.balloon, 5 * PAGE + 1);
    CU_ASSERT_EQUAL(reg(w, CONFIG_PAGE, 4), 5);
    CU_ASSERT_EQUAL(reg(w, ISR_PAGE, 1), 2);
    set(w, CONFIG_PAGE + 4, 4, 3);
    set(w, CONFIG_PAGE, 4, 77); /* not its to say */
    vmm_virtio_balloon_status(h.balloon, &status);
    CU_ASSERT_EQUAL(status.target_bytes, 5 * PAGE);
    CU_ASSERT_EQUAL(status.actual_bytes, 3 * PAGE);
    CU_ASSERT_EQUAL(status.known, 0);
    set(w, DEVICE_STATUS, 1, 0); /* another driver has it all, and is asked likewise */
    vmm_virtio_balloon_status(h.balloon, &status);
    CU_ASSERT_EQUAL(status.target_bytes, 5 * PAGE);
    CU_ASSERT_EQUAL(status.actual_bytes, 0);
    vmm_virtio_balloon_set_target(h.balloon, UINT64_MAX);
    CU_ASSERT_EQUAL(reg(w, CONFIG_PAGE, 4), UINT32_MAX);
    end();
}

static void it_goes_on_elsewhere(void)
{
    uint8_t bytes[STATE_BYTES], again[STATE_BYTES];
    struct vmm_virtio_balloon_status status;

    begin(HAS_STATS);
    say(0, VMM_VIRTIO_BALLOON_FREE, 9);
    give(STATS, DATA, 10, 0);
    vmm_virtio_balloon_set_target(h.balloon, 5 * PAGE);
    set(w, CONFIG_PAGE + 4, 4, 3);
    dev_save(&w->dev, bytes, sizeof(bytes));
    vmm_virtio_balloon_ask(h.balloon); /* it stands */
    CU_ASSERT_EQUAL(used(STATS), 0);
    CU_ASSERT_EQUAL(dev_load(&w->dev, bytes, sizeof(bytes) - 1), -EBADMSG);
    CU_ASSERT_EQUAL(dev_load(&w->dev, bytes, sizeof(bytes)), 0);
    dev_save(&w->dev, again, sizeof(again));
    CU_ASSERT_EQUAL(memcmp(bytes, again, sizeof(bytes)), 0);
    vmm_dev_resume(&w->dev);
    vmm_virtio_balloon_status(h.balloon, &status);
    CU_ASSERT_EQUAL(status.target_bytes, 5 * PAGE);
    CU_ASSERT_EQUAL(status.actual_bytes, 3 * PAGE);
    CU_ASSERT_EQUAL(status.known, 1 << VMM_VIRTIO_BALLOON_FREE);
    vmm_dev_reset(&w->dev);
    virtio_map(w);
    CU_ASSERT_EQUAL(reg(w, DEVICE_STATUS, 1), 0);
    end();
}

static void without_memory(void)
{
    memset(&h, 0, sizeof(h));
    virtio_world_begin(w);
    (void)fail_alloc_each(make);
    end();
}

const struct unit_case unit_cases[] = {
    { "it is found", it_is_found },
    { "pages are given up", pages_are_given_up },
    { "no more than a call may cost", no_more_than_a_call_may_cost },
    { "numbers in pieces", numbers_in_pieces },
    { "free pages are reported", free_pages_are_reported },
    { "what it says of itself", what_it_says_of_itself },
    { "what it is asked for", what_it_is_asked_for },
    { "it goes on elsewhere", it_goes_on_elsewhere },
    { "without memory", without_memory },
    { 0 },
};
