/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The balloon. What the guest gives up is dropped in its own call; what is more than a call may
 * cost is kept, for that is always allowed. A buffer of statistics stays in its queue until new
 * ones are asked for. So nothing is ever under way.
 */
#include "config.h"

#include "vmm-core/virtio/vmm_virtio_balloon.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/hw_le.h"
#include "vmm-core/machine/vmm_dev_ids.h"

/* The queues behind STATISTICS count by what was agreed to (5.5.2), and there is one use of them.
 */
enum { INFLATE, DEFLATE, STATISTICS, QUEUES = 5 };
/* struct virtio_balloon_config (5.5.4): pages that are wanted, pages that there are */
enum { TARGET_AT = 0, ACTUAL_AT = 4, CONFIG_BYTES = 8 };
enum { BATCH = 256, NUMBER_BYTES = 4, STAT_BYTES = 10, TAGS = 64 };
enum { PAGE = VMM_VIRTIO_BALLOON_PAGE_BYTES };
#define FEATURE_STATS     (UINT64_C(1) << 1)
#define FEATURE_OOM       (UINT64_C(1) << 2)
#define FEATURE_REPORTING (UINT64_C(1) << 5)

struct vmm_virtio_balloon {
    struct vmm_virtio *virtio; /* NULL: it is being made */
    struct vmm_virtio_balloon_port port;
    bool paused;
    unsigned known;
    uint64_t stats[VMM_VIRTIO_BALLOON_STATS];
    struct vh_chain chain;
};

/* `size` bytes of what the driver gives, from `at` on, or how many there are. */
static size_t copy_out(const struct vh_chain *chain, size_t at, uint8_t *bytes, size_t size)
{
    size_t done = 0;

    for (unsigned i = 0; i < chain->out_count && done < size; i++) {
        const struct iovec *piece = &chain->pieces[i];

        if (at < piece->iov_len) {
            const size_t left = piece->iov_len - at;
            const size_t part = left < size - done ? left : size - done;

            memcpy(bytes + done, (const uint8_t *)piece->iov_base + at, part);
            done += part;
            at = 0;
        } else {
            at -= piece->iov_len;
        }
    }
    return done;
}

/* --- pages --- */

/* Neighbours as one. */
struct run {
    uint64_t first, count;
};

static void drop_run(const struct vmm_virtio_balloon *balloon, struct run *run)
{
    if (run->count > 0)
        balloon->port.drop(balloon->port.context, run->first * PAGE, run->count * PAGE);
    run->count = 0;
}

static void add_page(const struct vmm_virtio_balloon *balloon, struct run *run, uint64_t page)
{
    if (run->count > 0 && page + 1 == run->first) {
        run->first = page;
    } else if (run->count == 0 || page != run->first + run->count) {
        drop_run(balloon, run);
        run->first = page;
    }
    run->count++;
}

/* The pages that a chain names, at most `most`. How many there were. */
static unsigned drop_named(const struct vmm_virtio_balloon *balloon, unsigned most)
{
    uint8_t numbers[BATCH * NUMBER_BYTES];
    struct run run = { 0 };
    unsigned done = 0, count;

    do {
        count = (unsigned)copy_out(&balloon->chain, (size_t)done * NUMBER_BYTES, numbers,
                                   sizeof(numbers)) /
                NUMBER_BYTES;
        for (unsigned i = 0; i < count && done < most; i++, done++)
            add_page(balloon, &run, hw_le_load(numbers + (size_t)i * NUMBER_BYTES, NUMBER_BYTES));
    } while (count == BATCH && done < most);
    drop_run(balloon, &run);
    return done;
}

/* The whole pages of a piece of memory, at most `most` bytes. How many bytes there were. */
static uint64_t drop_piece(const struct vmm_virtio_balloon *balloon, const struct iovec *piece,
                           uint64_t most)
{
    const uint64_t at = vmm_virtio_guest_at(balloon->virtio, piece->iov_base);
    const uint64_t first = (at + PAGE - 1) / PAGE * PAGE;
    uint64_t bytes = at + piece->iov_len > first ? at + piece->iov_len - first : 0;

    bytes = (bytes < most ? bytes : most) / PAGE * PAGE;
    if (bytes > 0)
        balloon->port.drop(balloon->port.context, first, bytes);
    return bytes;
}

static void inflate(struct vmm_virtio_balloon *balloon)
{
    unsigned count = 0, pages = 0;

    while (count < VMM_VIRTIO_BALLOON_QUEUE_SIZE &&
           vmm_virtio_pop(balloon->virtio, INFLATE, &balloon->chain)) {
        pages += drop_named(balloon, VMM_VIRTIO_BALLOON_TURN_PAGES - pages);
        vmm_virtio_push(balloon->virtio, INFLATE, balloon->chain.head, 0);
        count++;
    }
    if (count > 0)
        vmm_virtio_signal(balloon->virtio, INFLATE);
}

/* There is nothing to do: the guest touches them. */
static void deflate(struct vmm_virtio_balloon *balloon)
{
    unsigned count = 0;

    while (count < VMM_VIRTIO_BALLOON_QUEUE_SIZE &&
           vmm_virtio_pop(balloon->virtio, DEFLATE, &balloon->chain)) {
        vmm_virtio_push(balloon->virtio, DEFLATE, balloon->chain.head, 0);
        count++;
    }
    if (count > 0)
        vmm_virtio_signal(balloon->virtio, DEFLATE);
}

/* Pages that are free now, as buffers (5.5.6.7); they read as zero when the guest uses them. */
static void report(struct vmm_virtio_balloon *balloon, unsigned queue)
{
    const struct vh_chain *chain = &balloon->chain;
    uint64_t left = VMM_VIRTIO_BALLOON_TURN_BYTES;
    unsigned count = 0;

    while (count < VMM_VIRTIO_BALLOON_QUEUE_SIZE &&
           vmm_virtio_pop(balloon->virtio, queue, &balloon->chain)) {
        for (unsigned i = 0; i < chain->in_count; i++)
            left -= drop_piece(balloon, &chain->pieces[chain->out_count + i], left);
        vmm_virtio_push(balloon->virtio, queue, chain->head, 0);
        count++;
    }
    if (count > 0)
        vmm_virtio_signal(balloon->virtio, queue);
}

/* --- statistics --- */

/* What the driver has put there; it stays. */
static void read_stats(struct vmm_virtio_balloon *balloon)
{
    uint8_t bytes[TAGS * STAT_BYTES];
    size_t count;

    if (!vmm_virtio_pop(balloon->virtio, STATISTICS, &balloon->chain))
        return;
    count = copy_out(&balloon->chain, 0, bytes, sizeof(bytes)) / STAT_BYTES;
    vmm_virtio_unpop(balloon->virtio, STATISTICS, 1);
    balloon->known = 0;
    for (size_t i = 0; i < count; i++) {
        const uint64_t tag = hw_le_load(bytes + i * STAT_BYTES, 2);

        if (tag >= VMM_VIRTIO_BALLOON_STATS)
            continue;
        balloon->stats[tag] = hw_le_load(bytes + i * STAT_BYTES + 2, 8);
        balloon->known |= 1U << tag;
    }
}

void vmm_virtio_balloon_ask(struct vmm_virtio_balloon *balloon)
{
    if (balloon->paused || !vmm_virtio_has(balloon->virtio, FEATURE_STATS) ||
        !vmm_virtio_pop(balloon->virtio, STATISTICS, &balloon->chain))
        return;
    vmm_virtio_push(balloon->virtio, STATISTICS, balloon->chain.head, 0);
    vmm_virtio_signal(balloon->virtio, STATISTICS);
}

/* --- its configuration --- */

static uint64_t pages_at(const struct vmm_virtio_balloon *balloon, unsigned at)
{
    uint8_t le[4];

    vmm_virtio_config(balloon->virtio, at, le, sizeof(le));
    return hw_le_load(le, sizeof(le));
}

static void set_pages(struct vmm_virtio_balloon *balloon, unsigned at, uint64_t pages)
{
    const uint8_t le[4] = { (uint8_t)pages, (uint8_t)(pages >> 8), (uint8_t)(pages >> 16),
                            (uint8_t)(pages >> 24) };

    vmm_virtio_configure(balloon->virtio, at, le, sizeof(le));
}

void vmm_virtio_balloon_set_target(struct vmm_virtio_balloon *balloon, uint64_t bytes)
{
    const uint64_t pages = bytes / PAGE;

    set_pages(balloon, TARGET_AT, pages < UINT32_MAX ? pages : UINT32_MAX);
}

void vmm_virtio_balloon_status(const struct vmm_virtio_balloon *balloon,
                               struct vmm_virtio_balloon_status *ret_status)
{
    ret_status->target_bytes = pages_at(balloon, TARGET_AT) * PAGE;
    ret_status->actual_bytes = pages_at(balloon, ACTUAL_AT) * PAGE;
    ret_status->known = balloon->known;
    memcpy(ret_status->stats, balloon->stats, sizeof(balloon->stats));
}

/* It is looked at when somebody asks. */
static void configured(void *dev)
{
    (void)dev;
}

/* What the next driver should give up is the same; what this one gave up it has taken back. */
static void forget(void *dev)
{
    struct vmm_virtio_balloon *balloon = dev;

    balloon->known = 0;
    if (balloon->virtio != NULL)
        set_pages(balloon, ACTUAL_AT, 0);
}

static void serve(void *dev, unsigned queue)
{
    struct vmm_virtio_balloon *balloon = dev;

    if (queue == INFLATE)
        inflate(balloon);
    else if (queue == DEFLATE)
        deflate(balloon);
    else if (queue == STATISTICS && vmm_virtio_has(balloon->virtio, FEATURE_STATS))
        read_stats(balloon);
    else if (vmm_virtio_has(balloon->virtio, FEATURE_REPORTING))
        report(balloon, queue);
}

static const struct vmm_virtio_kind kind = {
    .type = 5,
    .class_code = 0x00ff00,
    .features = FEATURE_STATS | FEATURE_OOM | FEATURE_REPORTING,
    .queues = QUEUES,
    .queue_size = VMM_VIRTIO_BALLOON_QUEUE_SIZE,
    .config_bytes = CONFIG_BYTES,
    .serve = serve,
    .writable_at = ACTUAL_AT,
    .writable_bytes = CONFIG_BYTES - ACTUAL_AT,
    .configured = configured,
    .forget = forget,
};

/* --- for the machine --- */

static void balloon_reset(void *dev)
{
    struct vmm_virtio_balloon *balloon = dev;

    balloon->paused = false;
    vmm_virtio_reset(balloon->virtio);
}

static void balloon_pause(void *dev)
{
    ((struct vmm_virtio_balloon *)dev)->paused = true;
}

static void balloon_resume(void *dev)
{
    struct vmm_virtio_balloon *balloon = dev;

    balloon->paused = false;
    vmm_virtio_resume(balloon->virtio);
}

/* What the driver reads comes first: until the function's own fields are loaded there is no driver
 * that would be told of it. */
static void balloon_state(void *dev, struct vmm_state *state)
{
    struct vmm_virtio_balloon *balloon = dev;
    uint8_t config[CONFIG_BYTES];

    vmm_virtio_config(balloon->virtio, 0, config, sizeof(config));
    vmm_state_bytes(state, config, sizeof(config));
    if (state->loading && !state->wrong)
        vmm_virtio_configure(balloon->virtio, 0, config, sizeof(config));
    vmm_virtio_state(balloon->virtio, state);
}

static void balloon_fini(void *dev)
{
    struct vmm_virtio_balloon *balloon = dev;

    vmm_virtio_free(balloon->virtio);
    free(balloon);
}

static const struct vmm_dev_ops dev_ops = {
    .name = "virtio balloon",
    .id = VMM_DEV_VIRTIO_BALLOON,
    .version = 1,
    .reset = balloon_reset,
    .pause = balloon_pause,
    .resume = balloon_resume,
    .state = balloon_state,
    .fini = balloon_fini,
};

int vmm_virtio_balloon_new(struct vmm_pci *pci, unsigned slot, struct vh_mem *mem,
                           const struct vmm_virtio_balloon_port *port, struct vmm_dev *ret_dev,
                           struct vmm_dev *ret_msix, struct vmm_virtio_balloon **ret_balloon)
{
    struct vmm_virtio_balloon *balloon = calloc(1, sizeof(*balloon));
    int rc;

    if (balloon == NULL)
        return -ENOMEM;
    balloon->port = *port;
    rc = vmm_virtio_new(pci, slot, &kind, mem, balloon, ret_msix, &balloon->virtio);
    if (rc < 0) {
        free(balloon);
        return rc;
    }
    *ret_dev = (struct vmm_dev) { .ops = &dev_ops, .dev = balloon };
    *ret_balloon = balloon;
    return 0;
}
