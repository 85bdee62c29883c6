/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest whose memory is filled by its disks alone. `dmaread make FILE MIB` writes a disk whose
 * every word tells its offset. `dmaread MIB DISK...` keeps a buffer a disk and takes orders, a line
 * each, answered by a line "@ORDER NUMBER...":
 *
 * - read: fill each buffer from its disk, past the page cache
 * - check: count the pages of each buffer that are not what the disk holds
 * - clear: make all buffers zero
 * - calm: stop the thread that dirties memory all the time, so that a migration cannot end
 *
 * The processor never touches a buffer between clear and check: what is right in it after a
 * migration was written by the device and logged as dirty.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MIB = 1 << 20, PAGE = 4096, PIECE = 64 * 1024, DISKS_MAX = 4, DIRTY_BYTES = 32 * MIB };

struct reader {
    size_t bytes; /* of each buffer */
    unsigned count;
    int disks[DISKS_MAX];
    uint8_t *buffers[DISKS_MAX];
    atomic_bool calm;
};

static uint64_t word_at(uint64_t offset)
{
    return offset * 0x9e3779b97f4a7c15u + 1;
}

static void fill(uint64_t *words, size_t bytes, uint64_t offset)
{
    for (size_t i = 0; i < bytes / sizeof(*words); i++)
        words[i] = word_at(offset + i * sizeof(*words));
}

static int make(const char *path, size_t bytes)
{
    static const int flags = O_WRONLY | O_CREAT | O_TRUNC;
    uint64_t piece[PIECE / sizeof(uint64_t)];
    int fd = open(path, flags, 0644);

    for (size_t at = 0; fd >= 0 && at < bytes; at += PIECE) {
        fill(piece, PIECE, at);
        if (write(fd, piece, PIECE) != PIECE)
            fd = -1;
    }
    if (fd < 0 || fsync(fd) < 0 || close(fd) < 0) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

/* Memory that stays where it is, and is there. */
static uint8_t *pinned(size_t bytes)
{
    uint8_t *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED || mlock(memory, bytes) < 0)
        return NULL;
    memset(memory, 0, bytes);
    return memory;
}

static void *dirty(void *context)
{
    struct reader *reader = context;
    uint8_t *memory = pinned(DIRTY_BYTES);

    for (uint8_t round = 1; memory != NULL && !reader->calm; round++)
        for (size_t at = 0; at < DIRTY_BYTES; at += PAGE)
            memory[at] = round;
    return NULL;
}

/* Errors. */
static unsigned read_disk(struct reader *reader, unsigned disk)
{
    unsigned errors = 0;

    for (size_t at = 0; at < reader->bytes; at += PIECE)
        if (pread(reader->disks[disk], reader->buffers[disk] + at, PIECE, (off_t)at) != PIECE)
            errors++;
    return errors;
}

/* Pages that differ. */
static unsigned check_disk(struct reader *reader, unsigned disk)
{
    uint64_t wanted[PAGE / sizeof(uint64_t)];
    unsigned differ = 0;

    for (size_t at = 0; at < reader->bytes; at += PAGE) {
        fill(wanted, PAGE, at);
        if (memcmp(reader->buffers[disk] + at, wanted, PAGE) != 0)
            differ++;
    }
    return differ;
}

static unsigned clear_disk(struct reader *reader, unsigned disk)
{
    memset(reader->buffers[disk], 0, reader->bytes);
    return 0;
}

static unsigned calm_down(struct reader *reader, unsigned disk)
{
    (void)disk;
    reader->calm = true;
    return 0;
}

static void obey(struct reader *reader, const char *order)
{
    static const struct {
        const char *word;
        unsigned (*act)(struct reader *reader, unsigned disk);
    } orders[] = { { "read", read_disk },
                   { "check", check_disk },
                   { "clear", clear_disk },
                   { "calm", calm_down } };

    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        if (strcmp(order, orders[i].word) != 0)
            continue;
        printf("@%s", order);
        for (unsigned disk = 0; disk < reader->count; disk++)
            printf(" %u", orders[i].act(reader, disk));
        putchar('\n');
        fflush(stdout);
        return;
    }
}

int main(int argc, char **argv)
{
    static struct reader reader;
    pthread_t thread;
    char line[64];

    if (argc == 4 && strcmp(argv[1], "make") == 0)
        return make(argv[2], strtoul(argv[3], NULL, 10) * MIB);
    if (argc < 3 || argc > 2 + DISKS_MAX) {
        fprintf(stderr, "usage: dmaread make FILE MIB | MIB DISK...\n");
        return 2;
    }
    reader.bytes = strtoul(argv[1], NULL, 10) * MIB;
    for (int i = 2; i < argc; i++) {
        reader.disks[reader.count] = open(argv[i], O_RDONLY | O_DIRECT | O_CLOEXEC);
        reader.buffers[reader.count] = pinned(reader.bytes);
        if (reader.disks[reader.count] < 0 || reader.buffers[reader.count] == NULL) {
            fprintf(stderr, "%s: %s\n", argv[i], strerror(errno));
            return EXIT_FAILURE;
        }
        reader.count++;
    }
    if (pthread_create(&thread, NULL, dirty, &reader) != 0)
        return EXIT_FAILURE;
    printf("@ready %u\n", reader.count);
    fflush(stdout);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        line[strcspn(line, "\r\n")] = '\0';
        obey(&reader, line);
    }
    return EXIT_SUCCESS;
}
