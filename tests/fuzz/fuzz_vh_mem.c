/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes storage/vhost/vh_mem: any memory table of a front end over one memory of a few pages, and
 * any address. What is translated must be mapped and lie in a region, to its last byte.
 */
#include <config.h>

#include "storage/vhost/vh_mem.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MEMORY_BYTES = 64 * 1024, PIECES = 4 };

struct input {
    const uint8_t *data;
    size_t size;
};

/* A number: small ones and ones near the end of the range are as likely as any. */
static uint64_t number(struct input *input)
{
    uint8_t kind = 0;
    uint64_t value = 0;
    size_t bytes;

    if (input->size > 0) {
        kind = *input->data++;
        input->size--;
    }
    bytes = kind % 4 == 0 ? 8 : 2;
    if (bytes > input->size)
        bytes = input->size;
    memcpy(&value, input->data, bytes);
    input->data += bytes;
    input->size -= bytes;
    return kind % 4 == 1 ? UINT64_MAX - value : value;
}

/* Read and write first and last byte: what is not there ends the run. */
static void touch(void *at, uint64_t bytes)
{
    volatile uint8_t *first = at;

    if (bytes == 0)
        return;
    first[0] = 1;
    first[bytes - 1] = 1;
}

static void translate(const struct vh_mem *mem, uint64_t addr, uint64_t bytes)
{
    struct iovec pieces[PIECES];
    void *guest = vh_mem_guest(mem, addr, bytes);
    void *user = vh_mem_user(mem, addr, bytes);
    int count = vh_mem_pieces(mem, addr, bytes, pieces, PIECES);
    uint64_t sum = 0;

    if (guest != NULL) {
        touch(guest, bytes);
        fuzz_require(vh_mem_guest_addr(mem, guest) == addr);
        fuzz_require(bytes == 0 ||
                     vh_mem_guest(mem, addr + bytes - 1, 1) == (uint8_t *)guest + bytes - 1);
        fuzz_require(bytes == 0 ? count == 0 : count == 1);
    }
    if (user != NULL)
        touch(user, bytes);
    for (int i = 0; i < count; i++) {
        touch(pieces[i].iov_base, pieces[i].iov_len);
        sum += pieces[i].iov_len;
    }
    fuzz_require(count <= PIECES && (count < 0 || sum == bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = { data, size };
    struct vh_region regions[VH_REGIONS + 1];
    int fds[VH_REGIONS + 1];
    struct vh_mem *mem;
    const unsigned count = (unsigned)(number(&input) % (VH_REGIONS + 2));
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    fuzz_require(fd >= 0 && ftruncate(fd, MEMORY_BYTES) == 0);
    for (unsigned i = 0; i < count; i++) {
        regions[i].guest_addr = number(&input);
        regions[i].bytes = number(&input);
        regions[i].user_addr = number(&input);
        regions[i].file_offset = number(&input);
        fds[i] = fd;
    }
    if (vh_mem_new(regions, fds, count, &mem) == 0) {
        while (input.size > 0) {
            uint64_t addr = number(&input);

            translate(mem, addr, number(&input));
        }
        vh_mem_unref(mem);
    }
    close(fd);
    return 0;
}
