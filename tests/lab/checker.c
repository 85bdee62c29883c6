/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lab's oracle: reads a LUN's backing file directly, outside iSCSI, and judges every 512-byte
 * block by its stamp. It opens read-only and knows nothing of hawser. O_DIRECT where the file
 * system offers it, else the page cache, which is what the target writes to as well.
 *
 * checker scan FILE: counts by class. snapshot FILE: a hash. save FILE COPY: a copy for diff.
 * diff FILE COPY: lists the blocks that changed since. stale FILE NODE:GENERATION: lists every
 * block with another stamp or a torn one. fill-expect FILE NODE:GENERATION: lists every block that
 * is not that owner's, whole, in its place. GENERATION may be FIRST-LAST. numbers FILE NODE: "LBA
 * NUMBER" of that node's blocks. All take --first LBA --count BLOCKS, in 512-byte units. Status 0,
 * 1 if something was listed, 2 if it could not judge.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "stamp.h"

#define CHUNK_BYTES   (1u << 20)
#define MAX_WRITERS   64u
#define MAX_REPORTED  20u
#define STATUS_BROKEN 2

struct writer {
    uint16_t node;
    uint64_t generation;
    uint64_t blocks;
};

struct job {
    const char *verb, *path, *copy;
    uint64_t first, count; /* count 0: to the end */
    uint16_t node;
    uint64_t generation, last_generation;
    /* results */
    struct writer writers[MAX_WRITERS];
    size_t writer_count;
    uint64_t zero, torn, other, stamped, bad, read_blocks;
    XXH64_state_t *hash;
    int copy_fd;
};

static const char *class_name(enum lab_block_class class)
{
    static const char *const names[] = { "stamp", "zero", "torn", "other" };
    return names[class];
}

static void count_writer(struct job *job, const struct lab_stamp *stamp)
{
    size_t i = 0;
    while (i < job->writer_count &&
           (job->writers[i].node != stamp->node || job->writers[i].generation != stamp->generation))
        i++;
    if (i == job->writer_count) {
        if (i == MAX_WRITERS)
            return;
        job->writer_count++;
        job->writers[i] = (struct writer) { .node = stamp->node, .generation = stamp->generation };
    }
    job->writers[i].blocks++;
}

static void report(struct job *job, uint64_t lba, enum lab_block_class class,
                   const struct lab_stamp *stamp)
{
    if (job->bad++ >= MAX_REPORTED)
        return;
    printf("{\"lba\":%" PRIu64 ",\"class\":\"%s\"", lba, class_name(class));
    if (class == LAB_BLOCK_STAMP)
        printf(",\"node\":%u,\"generation\":%" PRIu64 ",\"number\":%" PRIu64
               ",\"kind\":%u,\"stamp_lba\":%" PRIu64,
               stamp->node, stamp->generation, stamp->number, stamp->kind, stamp->lba);
    printf("}\n");
}

static void judge_block(struct job *job, const uint8_t *block, uint64_t lba)
{
    struct lab_stamp stamp = { .node = 0 };
    enum lab_block_class class = lab_stamp_get(block, &stamp);
    bool mine =
        class == LAB_BLOCK_STAMP && stamp.node == job->node && stamp.generation == job->generation;

    job->read_blocks++;
    switch (class) {
    case LAB_BLOCK_STAMP:
        job->stamped++;
        count_writer(job, &stamp);
        break;
    case LAB_BLOCK_ZERO:
        job->zero++;
        break;
    case LAB_BLOCK_TORN:
        job->torn++;
        break;
    case LAB_BLOCK_OTHER:
        job->other++;
        break;
    }
    if (strcmp(job->verb, "stale") == 0 &&
        ((class == LAB_BLOCK_STAMP && !mine) || class == LAB_BLOCK_TORN))
        report(job, lba, class, &stamp);
    if (strcmp(job->verb, "fill-expect") == 0 &&
        (!mine || (stamp.lba != lba && stamp.lba != lba - job->first)))
        report(job, lba, class, &stamp);
    if (strcmp(job->verb, "numbers") == 0 && class == LAB_BLOCK_STAMP && stamp.node == job->node)
        printf("%" PRIu64 " %" PRIu64 "\n", lba, stamp.number);
}

static int compare_chunk(struct job *job, const uint8_t *chunk, size_t bytes, uint64_t lba)
{
    uint8_t *old = malloc(bytes);
    int rc = 0;

    if (old == NULL || read(job->copy_fd, old, bytes) != (ssize_t)bytes) {
        fprintf(stderr, "checker: %s: shorter than the range\n", job->copy);
        rc = -EIO;
    }
    for (size_t at = 0; rc == 0 && at < bytes; at += LAB_STAMP_BYTES) {
        struct lab_stamp stamp = { .node = 0 };
        if (memcmp(old + at, chunk + at, LAB_STAMP_BYTES) != 0)
            report(job, lba + at / LAB_STAMP_BYTES, lab_stamp_get(chunk + at, &stamp), &stamp);
    }
    free(old);
    return rc;
}

static int judge_chunk(struct job *job, const uint8_t *chunk, size_t bytes, uint64_t lba)
{
    if (strcmp(job->verb, "snapshot") == 0)
        return XXH64_update(job->hash, chunk, bytes) == XXH_OK ? 0 : -EIO;
    if (strcmp(job->verb, "save") == 0)
        return write(job->copy_fd, chunk, bytes) == (ssize_t)bytes ? 0 : -EIO;
    if (strcmp(job->verb, "diff") == 0)
        return compare_chunk(job, chunk, bytes, lba);
    for (size_t at = 0; at < bytes; at += LAB_STAMP_BYTES)
        judge_block(job, chunk + at, lba + at / LAB_STAMP_BYTES);
    return 0;
}

static int open_backing(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
    if (fd < 0 && errno == EINVAL)
        fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd;
}

static int walk(struct job *job, int fd, uint8_t *chunk, uint64_t end)
{
    uint64_t at = job->first * LAB_STAMP_BYTES;

    while (at < end) {
        /* O_DIRECT wants aligned offsets: begin at the aligned byte before the range */
        uint64_t aligned = at & ~(uint64_t)4095;
        ssize_t got = pread(fd, chunk, CHUNK_BYTES, (off_t)aligned);
        if (got < 0)
            return -errno;
        uint64_t stop = aligned + (uint64_t)got < end ? aligned + (uint64_t)got : end;
        if (stop <= at)
            return -EIO;
        int rc =
            judge_chunk(job, chunk + (at - aligned), (size_t)(stop - at), at / LAB_STAMP_BYTES);
        if (rc < 0)
            return rc;
        at = stop;
    }
    return 0;
}

static int read_all(struct job *job)
{
    struct stat facts;
    uint8_t *chunk = NULL;
    int fd = open_backing(job->path);
    int rc = -ENOMEM;

    if (fd < 0 || fstat(fd, &facts) != 0)
        rc = -errno;
    else if (posix_memalign((void **)&chunk, 4096, CHUNK_BYTES) == 0) {
        uint64_t size = (uint64_t)facts.st_size / LAB_STAMP_BYTES;
        uint64_t count =
            job->count != 0 ? job->count : size - (job->first < size ? job->first : size);
        rc = job->first > size || count > size - job->first || count == 0
                 ? -ERANGE
                 : walk(job, fd, chunk, (job->first + count) * LAB_STAMP_BYTES);
    }
    if (rc < 0)
        fprintf(stderr, "checker: %s: %s\n", job->path, strerror(-rc));
    free(chunk);
    if (fd >= 0)
        close(fd);
    return rc;
}

static void print_result(const struct job *job)
{
    if (strcmp(job->verb, "snapshot") == 0) {
        printf("%016" PRIx64 "\n", (uint64_t)XXH64_digest(job->hash));
        return;
    }
    if (strcmp(job->verb, "numbers") == 0 || strcmp(job->verb, "save") == 0)
        return;
    printf("{\"blocks\":%" PRIu64 ",\"stamped\":%" PRIu64 ",\"zero\":%" PRIu64 ",\"torn\":%" PRIu64
           ",\"other\":%" PRIu64 ",\"bad\":%" PRIu64 ",\"writers\":[",
           job->read_blocks, job->stamped, job->zero, job->torn, job->other, job->bad);
    for (size_t i = 0; i < job->writer_count; i++)
        printf("%s{\"node\":%u,\"generation\":%" PRIu64 ",\"blocks\":%" PRIu64 "}", i ? "," : "",
               job->writers[i].node, job->writers[i].generation, job->writers[i].blocks);
    printf("]}\n");
}

static int parse_number(const char *word, uint64_t *ret_number)
{
    char *end = NULL;
    uint64_t number = strtoull(word, &end, 0);
    if (*word == '\0' || *end != '\0')
        return -EINVAL;
    *ret_number = number;
    return 0;
}

static int parse_owner(struct job *job, const char *word)
{
    unsigned node;
    int used = 0;
    if (strcmp(job->verb, "numbers") == 0) {
        uint64_t number;
        if (parse_number(word, &number) < 0 || number > UINT16_MAX)
            return -EINVAL;
        job->node = (uint16_t)number;
        return 0;
    }
    if (sscanf(word, "%u:%" SCNu64 "%n", &node, &job->generation, &used) != 2 || node > UINT16_MAX)
        return -EINVAL;
    job->node = (uint16_t)node;
    job->last_generation = job->generation;
    if (word[used] == '-')
        return parse_number(word + used + 1, &job->last_generation);
    if (word[used] != '\0')
        return -EINVAL;
    return 0;
}

static bool is_one_of(const char *word, const char *const *words)
{
    while (*words != NULL && strcmp(*words, word) != 0)
        words++;
    return *words != NULL;
}

static int parse(struct job *job, int argc, char **argv)
{
    static const char *const plain[] = { "scan", "snapshot", NULL };
    static const char *const with_copy[] = { "save", "diff", NULL };
    static const char *const with_owner[] = { "stale", "fill-expect", "numbers", NULL };
    int at = 3;

    if (argc < 3)
        return -EINVAL;
    job->verb = argv[1];
    job->path = argv[2];
    if (is_one_of(job->verb, with_copy) && argc > 3)
        job->copy = argv[at++];
    else if (is_one_of(job->verb, with_owner) && argc > 3) {
        if (parse_owner(job, argv[at++]) < 0)
            return -EINVAL;
    } else if (!is_one_of(job->verb, plain))
        return -EINVAL;
    for (; at + 1 < argc; at += 2) {
        uint64_t *into = strcmp(argv[at], "--first") == 0   ? &job->first
                         : strcmp(argv[at], "--count") == 0 ? &job->count
                                                            : NULL;
        if (into == NULL || parse_number(argv[at + 1], into) < 0)
            return -EINVAL;
    }
    return at == argc ? 0 : -EINVAL;
}

int main(int argc, char **argv)
{
    struct job job = { .copy_fd = -1 };
    int rc = STATUS_BROKEN;

    if (parse(&job, argc, argv) < 0) {
        fprintf(stderr, "usage: checker scan|snapshot|save|diff|stale|fill-expect|numbers FILE "
                        "[COPY|NODE:GENERATION] "
                        "[--first LBA --count BLOCKS]\n");
        return STATUS_BROKEN;
    }
    job.hash = XXH64_createState();
    if (job.copy != NULL)
        job.copy_fd = open(job.copy,
                           strcmp(job.verb, "save") == 0 ? O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC
                                                         : O_RDONLY | O_CLOEXEC,
                           0600);
    if (job.copy != NULL && job.copy_fd < 0)
        fprintf(stderr, "checker: %s: %s\n", job.copy, strerror(errno));
    else if (job.hash != NULL && XXH64_reset(job.hash, 0) == XXH_OK && read_all(&job) == 0) {
        print_result(&job);
        rc = job.bad != 0 ? 1 : 0;
    }
    if (job.copy_fd >= 0)
        close(job.copy_fd);
    XXH64_freeState(job.hash);
    return rc;
}
