/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * entropy: reads from virtio-rng (virtio 1.2 5.4) and says how many bits of it are set, which are
 * about half.
 */
#include "tests/guest/program.h"
#include "tests/guest/virtio.h"

enum { PART_BYTES = 64, WAIT_US = 5000000 };

static struct virtio_rings rings;

/* Of one part: its bits; false: it did not come. */
static bool read_part(struct virtio *virtio, uint64_t *bytes, uint64_t *ones)
{
    uint8_t part[PART_BYTES] = { 0 };
    const struct virtio_piece piece = { part, sizeof(part) };
    const uint64_t until = tsc_read() + tsc_of_us(WAIT_US);
    uint32_t got = 0;
    int head = -1;

    if (virtio_offer(&virtio->queues[0], &piece, 0, 1) < 0)
        return false;
    virtio_notify(&virtio->queues[0]);
    while (head < 0 && tsc_read() < until) {
        virtio_wait(&virtio->queues[0], until);
        head = virtio_take(&virtio->queues[0], &got);
    }
    if (head < 0 || got > sizeof(part))
        return false;
    *bytes += got;
    for (uint32_t i = 0; i < got; i++)
        for (unsigned bit = 0; bit < 8; bit++)
            *ones += *((volatile uint8_t *)part + i) >> bit & 1;
    return got > 0;
}

/* entropy [bytes=N] [masked=0|1] */
void program_entropy(const char *command)
{
    const uint64_t wanted = word_number(command, "bytes", 256);
    uint64_t bytes = 0, ones = 0;
    struct virtio virtio;
    struct line line;
    const char *why = virtio_begin(&virtio, VIRTIO_ENTROPY, 0, 0);

    if (why == NULL)
        why = virtio_add_queue(&virtio, &rings, 8);
    line_begin(&line, "entropy");
    if (why == NULL) {
        virtio_ready(&virtio);
        if (word_number(command, "masked", 0) != 0)
            virtio_mask(&virtio, 0);
        while (bytes < wanted && read_part(&virtio, &bytes, &ones))
            ;
        line_number(&line, "interrupts", guest.interrupts[virtio.queues[0].vector]);
        line_number(&line, "late", virtio.queues[0].late);
        virtio_end(&virtio);
    } else {
        line_text(&line, "why", why);
    }
    line_number(&line, "bytes", bytes);
    line_number(&line, "ones", ones);
    say(&line);
}
