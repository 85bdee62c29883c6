/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets and reads the page that steers the shim inside the lab's target (shim_control.h).
 *   shimctl FILE init                    make the page, no delay
 *   shimctl FILE set NAME=NUMBER...      e.g. mode=1 delay_us=50000 permille=1000 node=1 seed=7
 *   shimctl FILE release                 let stuck writes go and catch no more
 *   shimctl FILE get NAME                print one field
 *   shimctl FILE show                    print all, NAME=NUMBER a line
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shim_control.h"

struct field {
    const char *name;
    size_t offset;
};

#define FIELD(name)                                    \
    {                                                  \
#name, offsetof(struct lab_shim_control, name) \
    }
static const struct field fields[] = {
    FIELD(mode),
    FIELD(delay_us),
    FIELD(permille),
    FIELD(node),
    FIELD(seed),
    FIELD(stuck_left),
    FIELD(released),
    FIELD(seen),
    FIELD(delayed),
    FIELD(stuck_now),
    FIELD(waiting),
    FIELD(landed),
    FIELD(unstamped),
    FIELD(punched),
    FIELD(last_land_ns),
    FIELD(last_kind),
    FIELD(read_fails_below),
    FIELD(sync_fails),
};
#define FIELDS (sizeof(fields) / sizeof(fields[0]))

static uint64_t *field_at(struct lab_shim_control *page, const char *name, size_t length)
{
    for (size_t i = 0; i < FIELDS; i++) {
        if (strlen(fields[i].name) == length && strncmp(fields[i].name, name, length) == 0)
            return (uint64_t *)(void *)((char *)page + fields[i].offset);
    }
    return NULL;
}

static struct lab_shim_control *map_page(const char *path, bool make)
{
    int fd = open(path, make ? O_RDWR | O_CREAT | O_CLOEXEC : O_RDWR | O_CLOEXEC, 0600);
    void *page = MAP_FAILED;

    if (fd >= 0 && (!make || ftruncate(fd, sizeof(struct lab_shim_control)) == 0))
        page =
            mmap(NULL, sizeof(struct lab_shim_control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd >= 0)
        close(fd);
    if (page != MAP_FAILED)
        return page;
    fprintf(stderr, "shimctl: %s: %s\n", path, strerror(errno));
    return NULL;
}

static int set_fields(struct lab_shim_control *page, char **words)
{
    for (; *words != NULL; words++) {
        const char *equals = strchr(*words, '=');
        uint64_t *field = equals ? field_at(page, *words, (size_t)(equals - *words)) : NULL;
        char *end = NULL;
        if (field == NULL) {
            fprintf(stderr, "shimctl: what is \"%s\"?\n", *words);
            return 2;
        }
        uint64_t value = strtoull(equals + 1, &end, 0);
        if (end == equals + 1 || *end != '\0') {
            fprintf(stderr, "shimctl: not a number: \"%s\"\n", *words);
            return 2;
        }
        __atomic_store_n(field, value, __ATOMIC_SEQ_CST);
    }
    return 0;
}

static int run(struct lab_shim_control *page, char **words)
{
    if (strcmp(words[0], "init") == 0) {
        memset(page, 0, sizeof(*page));
        page->permille = 1000;
        __atomic_store_n(&page->magic, LAB_SHIM_MAGIC, __ATOMIC_SEQ_CST);
        return 0;
    }
    if (strcmp(words[0], "set") == 0)
        return set_fields(page, words + 1);
    if (strcmp(words[0], "release") == 0) {
        __atomic_store_n(&page->stuck_left, 0, __ATOMIC_SEQ_CST);
        __atomic_fetch_add(&page->released, 1, __ATOMIC_SEQ_CST);
        return 0;
    }
    if (strcmp(words[0], "get") == 0 && words[1] != NULL) {
        uint64_t *field = field_at(page, words[1], strlen(words[1]));
        if (field == NULL)
            return 2;
        printf("%" PRIu64 "\n", __atomic_load_n(field, __ATOMIC_SEQ_CST));
        return 0;
    }
    if (strcmp(words[0], "show") == 0) {
        for (size_t i = 0; i < FIELDS; i++) {
            uint64_t *field = field_at(page, fields[i].name, strlen(fields[i].name));
            printf("%s=%" PRIu64 "\n", fields[i].name, __atomic_load_n(field, __ATOMIC_SEQ_CST));
        }
        return 0;
    }
    return 2;
}

int main(int argc, char **argv)
{
    struct lab_shim_control *page;
    int rc;

    if (argc < 3) {
        fprintf(stderr, "usage: shimctl FILE init|set NAME=NUMBER...|release|get NAME|show\n");
        return 2;
    }
    page = map_page(argv[1], strcmp(argv[2], "init") == 0);
    if (page == NULL)
        return 1;
    rc = run(page, argv + 2);
    munmap(page, sizeof(*page));
    return rc;
}
