/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An old owner's writes that do not stop: flood DEVICE NODE GENERATION THREADS [LBA] keeps one
 * write a thread in flight, all over the device, each block stamped (../lab/stamp.h) as if the
 * device began at LBA, and ignores every error. Every second it says how many were good, conflicts,
 * and other failures. It runs until it is killed. Nothing of hawser's is linked in.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/lab/stamp.h"

enum { WRITE_BYTES = 4096, THREADS = 256, WRITE_BLOCKS = WRITE_BYTES / LAB_STAMP_BYTES };

struct flood {
    int fd;
    uint16_t node;
    uint64_t generation;
    uint64_t slots; /* places of WRITE_BYTES on the device */
    uint64_t first_lba;
    atomic_ullong number, good, conflicts, failed;
};

static void *write_on(void *context)
{
    struct flood *flood = context;
    uint64_t state = (uint64_t)(uintptr_t)&state;
    void *block;

    if (posix_memalign(&block, WRITE_BYTES, WRITE_BYTES) != 0)
        return NULL;
    for (;;) {
        uint64_t slot = lab_random(&state) % flood->slots;
        struct lab_stamp stamp = { .node = flood->node,
                                   .generation = flood->generation,
                                   .number = atomic_fetch_add(&flood->number, 1),
                                   .lba = flood->first_lba + slot * WRITE_BLOCKS };

        lab_stamp_put_run(block, WRITE_BLOCKS, &stamp);
        if (pwrite(flood->fd, block, WRITE_BYTES, (off_t)(slot * WRITE_BYTES)) == WRITE_BYTES)
            atomic_fetch_add(&flood->good, 1);
        else
            atomic_fetch_add(errno == EBADE ? &flood->conflicts : &flood->failed, 1);
    }
    return NULL;
}

int main(int argc, char *argv[])
{
    static struct flood flood;
    unsigned threads;
    off_t size;

    if (argc != 5 && argc != 6) {
        fprintf(stderr, "usage: flood DEVICE NODE GENERATION THREADS [LBA]\n");
        return 2;
    }
    flood.fd = open(argv[1], O_RDWR | O_DIRECT);
    size = flood.fd < 0 ? -1 : lseek(flood.fd, 0, SEEK_END);
    flood.node = (uint16_t)strtoul(argv[2], NULL, 0);
    flood.generation = strtoull(argv[3], NULL, 0);
    flood.slots = size < 0 ? 0 : (uint64_t)size / WRITE_BYTES;
    flood.first_lba = argc == 6 ? strtoull(argv[5], NULL, 0) : 0;
    threads = (unsigned)strtoul(argv[4], NULL, 0);
    if (flood.slots == 0 || threads == 0 || threads > THREADS) {
        perror(argv[1]);
        return 1;
    }
    for (unsigned at = 0; at < threads; at++) {
        pthread_t thread;

        if (pthread_create(&thread, NULL, write_on, &flood) != 0)
            return 1;
    }
    for (;;) {
        sleep(1);
        printf("good %llu conflicts %llu failed %llu\n", atomic_load(&flood.good),
               atomic_load(&flood.conflicts), atomic_load(&flood.failed));
        (void)fflush(stdout);
    }
}
