/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * diskwrite: numbered blocks in an order that jumps over the disk, several under way, flushes while
 * others are; whoever reads the serial line knows which are durable. diskverify: reads them back,
 * after whatever happened. Each block holds a write that is not older than the durable one.
 */
#include "tests/guest/block.h"
#include "tests/guest/call.h"
#include "tests/guest/disk.h"
#include "tests/guest/program.h"

static struct block block; /* the first processor's alone */

struct disk_work {
    uint64_t disk, first, blocks, seed, flush_every;
    unsigned sectors; /* of a block */
    /* writing */
    uint64_t issued, last, durable; /* sequences; last 0: until it is told to stop */
    uint64_t flushes, errors;
    bool stop;
    /* reading */
    uint64_t bad, stale, newest, first_bad, first_is, first_wanted;
    enum disk_sector first_state;
};

static void say_failed(const struct disk_work *work, const char *why)
{
    struct line line;

    line_begin(&line, "diskfailed");
    line_number(&line, "disk", work->disk);
    line_text(&line, "why", why);
    say(&line);
}

/* The disk, and what of it is used: first and blocks are in blocks. */
static bool begin(const char *command, struct disk_work *work)
{
    const unsigned depth = (unsigned)word_number(command, "depth", 8);
    const uint32_t bytes = (uint32_t)word_number(command, "kb", 4) * 1024;
    const char *why;

    *work = (struct disk_work) { .disk = word_number(command, "disk", 0),
                                 .first = word_number(command, "first", 0),
                                 .blocks = word_number(command, "blocks", 256),
                                 .seed = word_number(command, "seed", 1),
                                 .flush_every = word_number(command, "flush", 32),
                                 .sectors = bytes / SECTOR_BYTES };
    why = block_begin(&block, (unsigned)work->disk, depth, bytes,
                      word_number(command, "indirect", 0) != 0);
    if (why == NULL && (work->blocks == 0 || work->blocks > UINT32_MAX / 2 ||
                        work->first > block.sectors / work->sectors ||
                        work->blocks > block.sectors / work->sectors - work->first))
        why = "disk-too-small";
    if (why == NULL)
        return true;
    say_failed(work, why);
    return false;
}

static uint64_t sector_of(const struct disk_work *work, uint64_t sequence)
{
    return (work->first + disk_block_of(sequence, work->blocks)) * work->sectors;
}

/* --- writing --- */

/* All up to this one are written. */
static uint64_t written(const struct disk_work *work)
{
    uint64_t least = work->issued + 1;

    for (unsigned i = 0; i < block.count; i++)
        if (block.requests[i].busy && block.requests[i].number < least)
            least = block.requests[i].number;
    return least - 1;
}

static void say_durable(struct disk_work *work, uint64_t sequence)
{
    struct line line;

    if (sequence <= work->durable || work->errors != 0)
        return;
    work->durable = sequence;
    line_begin(&line, "durable");
    line_number(&line, "disk", work->disk);
    line_number(&line, "sequence", sequence);
    say(&line);
}

static void issue_write(struct disk_work *work, struct block_request *request)
{
    const uint64_t sequence = work->issued + 1, at = disk_block_of(sequence, work->blocks);
    uint64_t *data = request->data;

    for (unsigned i = 0; i < work->sectors; i++)
        disk_stamp(data + (size_t)i * SECTOR_WORDS, work->seed, at, sequence, i);
    block_order(&block, request, BLOCK_WRITE, sector_of(work, sequence), sequence);
    if (request->busy)
        work->issued = sequence;
}

/* Never two writes of one block at once: which of them stays is not said by virtio. */
static void issue_writes(struct disk_work *work)
{
    const uint64_t done = written(work);

    while (work->issued < work->last && work->issued + 1 - done < work->blocks) {
        struct block_request *request = block_free(&block);
        const uint64_t before = work->issued;

        if (request == NULL)
            return;
        issue_write(work, request);
        if (work->issued == before)
            return;
    }
}

/* With what is written now; others are under way beside it. */
static void issue_flush(struct disk_work *work)
{
    struct block_request *request = block_free_flush(&block);
    const uint64_t done = written(work);

    if (request == NULL || done == work->durable ||
        (done - work->durable < work->flush_every && done < work->last))
        return;
    if ((block.virtio.features & BLOCK_CAN_FLUSH) == 0) {
        say_durable(work, done);
        return;
    }
    block_order(&block, request, BLOCK_FLUSH, 0, done);
    work->flushes += request->busy;
}

static void answered(struct disk_work *work, const struct block_request *request)
{
    struct line line;

    if (request->status == 0) {
        if (request->head.order == BLOCK_FLUSH)
            say_durable(work, request->number);
        return;
    }
    if (work->errors++ != 0)
        return;
    work->last = work->issued;
    line_begin(&line, "diskerror");
    line_number(&line, "disk", work->disk);
    line_number(&line, "order", request->head.order);
    line_number(&line, "sector", request->head.sector);
    line_number(&line, "status", request->status);
    say(&line);
}

static bool goes_on(struct disk_work *work)
{
    if (was_told_to_stop())
        work->last = work->issued;
    return work->errors == 0 && (work->issued < work->last || work->durable < work->last);
}

/* diskwrite [disk=N] [first=BLOCK] [blocks=N] [kb=N] [start=SEQUENCE] [count=N] [depth=N] [flush=N]
 * [seed=N] [indirect=0|1]; count=0: until a line comes */
void program_diskwrite(const char *command)
{
    const uint64_t count = word_number(command, "count", 1024), began = tsc_read();
    const uint64_t start = word_number(command, "start", 1);
    struct disk_work work;
    struct line line;

    if (!begin(command, &work))
        return;
    work.issued = work.durable = start == 0 ? 0 : start - 1;
    work.last = count == 0 ? UINT64_MAX / 2 : work.issued + count;
    if (count == 0)
        say_running("diskwrite");
    while (goes_on(&work) || block.busy > 0) {
        const struct block_request *request;

        if (work.errors == 0) {
            issue_writes(&work);
            issue_flush(&work);
            block_go(&block);
        }
        request = block.busy > 0 ? block_wait(&block) : NULL;
        if (request != NULL)
            answered(&work, request);
    }
    block_end(&block);
    line_begin(&line, "diskwritten");
    line_number(&line, "disk", work.disk);
    line_number(&line, "written", work.issued);
    line_number(&line, "durable", work.durable);
    line_number(&line, "flushes", work.flushes);
    line_number(&line, "errors", work.errors);
    line_number(&line, "interrupts", guest.interrupts[block.virtio.queues[0].vector]);
    line_number(&line, "late", block.virtio.queues[0].late);
    line_number(&line, "us", us_of_tsc(tsc_read() - began));
    say(&line);
}

/* --- reading --- */

static void found(struct disk_work *work, enum disk_sector state, uint64_t wanted, uint64_t is)
{
    if (state == DISK_GOOD && is > work->newest)
        work->newest = is;
    if (state == DISK_GOOD && is >= wanted)
        return;
    if (work->bad == 0 && work->stale == 0) {
        work->first_bad = disk_block_of(wanted, work->blocks);
        work->first_state = state;
        work->first_wanted = wanted;
        work->first_is = is;
    }
    if (state == DISK_GOOD)
        work->stale++;
    else
        work->bad++;
}

static void judge(struct disk_work *work, const struct block_request *request)
{
    const uint64_t *data = request->data;
    const uint64_t at = disk_block_of(request->number, work->blocks);

    if (request->status != 0) {
        work->errors++;
        return;
    }
    for (unsigned i = 0; i < work->sectors; i++) {
        uint64_t sequence = 0;
        enum disk_sector state =
            disk_judge(data + (size_t)i * SECTOR_WORDS, work->seed, at, i, &sequence);

        if (state == DISK_GOOD && disk_block_of(sequence, work->blocks) != at)
            state = DISK_MOVED;
        found(work, state, request->number, sequence);
    }
}

static void say_verified(const struct disk_work *work)
{
    static const char *const states[] = { "old", "empty", "foreign", "moved", "damaged" };
    struct line line;

    line_begin(&line, "diskverified");
    line_number(&line, "disk", work->disk);
    line_number(&line, "blocks", work->last - work->issued);
    line_number(&line, "durable", work->last);
    line_number(&line, "bad", work->bad);
    line_number(&line, "stale", work->stale);
    line_number(&line, "errors", work->errors);
    line_number(&line, "newest", work->newest);
    if (work->bad + work->stale > 0) {
        line_number(&line, "first_block", work->first_bad);
        line_text(&line, "state", states[work->first_state]);
        line_number(&line, "wanted", work->first_wanted);
        line_number(&line, "is", work->first_is);
    }
    say(&line);
}

/* diskverify durable=SEQUENCE, and the words that diskwrite had */
void program_diskverify(const char *command)
{
    uint64_t next;
    struct disk_work work;

    if (!begin(command, &work))
        return;
    work.last = word_number(command, "durable", 0);
    work.issued = work.last > work.blocks ? work.last - work.blocks : 0;
    next = work.issued + 1;
    while (next <= work.last || block.busy > 0) {
        struct block_request *request = NULL;

        while (next <= work.last && (request = block_free(&block)) != NULL) {
            block_order(&block, request, BLOCK_READ, sector_of(&work, next), next);
            if (!request->busy)
                break;
            next++;
        }
        block_go(&block);
        request = block_wait(&block);
        if (request != NULL)
            judge(&work, request);
    }
    block_end(&block);
    say_verified(&work);
}
