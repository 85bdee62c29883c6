/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/vhost/vh_ring, storage/vhost/vh_inflight: a driver of the test's own, honest and not.
 */
#include <config.h>

#include "storage/vhost/vh_ring.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "storage/vhost/vh_proto.h"
#include "tests/unit/unit.h"

enum { SIZE = 8, MEMORY = 64 * 1024, DESC = 0, AVAIL = 4096, USED = 8192, DATA = 16384 };
enum { INDIRECT = 12288 };
#define USER_ADDR UINT64_C(0x7f0000000000)

static int memory_fd;
static uint8_t *memory; /* the driver's view */
static struct vh_mem *mem;
static struct vh_ring ring;
static struct vh_chain chain;

static void desc(unsigned table, unsigned i, uint64_t addr, uint32_t len, uint16_t flags,
                 uint16_t next)
{
    const struct vh_desc one = { addr, len, flags, next };

    memcpy(memory + table + i * sizeof(one), &one, sizeof(one));
}

static uint16_t word(unsigned at)
{
    uint16_t value;

    memcpy(&value, memory + at, 2);
    return value;
}

static void set_word(unsigned at, uint16_t value)
{
    memcpy(memory + at, &value, 2);
}

static void offer(uint16_t head)
{
    const uint16_t index = word(AVAIL + 2);

    set_word(AVAIL + 4 + 2u * (index % SIZE), head);
    set_word(AVAIL + 2, (uint16_t)(index + 1));
}

static void begin(void)
{
    const struct vh_region region = { .bytes = MEMORY, .user_addr = USER_ADDR };

    memory_fd = memfd_create("unit", MFD_CLOEXEC);
    CU_ASSERT_EQUAL_FATAL(ftruncate(memory_fd, MEMORY), 0);
    memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
    CU_ASSERT_EQUAL_FATAL(vh_mem_new(&region, &memory_fd, 1, &mem), 0);
    memset(&ring, 0, sizeof(ring));
    ring.size = SIZE;
    ring.indirect = true;
    CU_ASSERT_EQUAL_FATAL(
        vh_ring_place(&ring, mem, USER_ADDR + DESC, USER_ADDR + AVAIL, USER_ADDR + USED), 0);
    vh_ring_start(&ring, 0);
}

static void end(void)
{
    vh_mem_unref(mem);
    munmap(memory, MEMORY);
    close(memory_fd);
}

static void serves(void)
{
    begin();
    CU_ASSERT_EQUAL(vh_ring_pop(&ring, &chain), 0);
    desc(DESC, 0, DATA, 16, VH_DESC_F_NEXT, 3);
    desc(DESC, 3, DATA + 512, 1024, VH_DESC_F_NEXT | VH_DESC_F_WRITE, 5);
    desc(DESC, 5, DATA + 4096, 1, VH_DESC_F_WRITE, 0);
    desc(DESC, 6, INDIRECT, 32, VH_DESC_F_INDIRECT, 0);
    desc(INDIRECT, 0, DATA, 16, VH_DESC_F_NEXT, 1);
    desc(INDIRECT, 1, DATA + 100, 1, VH_DESC_F_WRITE, 0);
    offer(0);
    offer(6);
    CU_ASSERT_TRUE(vh_ring_has_more(&ring));
    CU_ASSERT_EQUAL(vh_ring_pop(&ring, &chain), 1);
    CU_ASSERT_EQUAL(chain.head, 0);
    CU_ASSERT_EQUAL(chain.out_count, 1);
    CU_ASSERT_EQUAL(chain.in_count, 2);
    CU_ASSERT_EQUAL(chain.pieces[1].iov_len, 1024);
    CU_ASSERT_EQUAL(vh_ring_pop(&ring, &chain), 1);
    CU_ASSERT_EQUAL(chain.head, 6);
    CU_ASSERT_EQUAL(chain.out_count + chain.in_count, 2);
    CU_ASSERT_EQUAL(vh_ring_pop(&ring, &chain), 0);
    vh_ring_push(&ring, 6, 1);
    vh_ring_push(&ring, 0, 1025);
    CU_ASSERT_EQUAL(word(USED + 2), 2);
    CU_ASSERT_EQUAL(word(USED + 4), 6);
    CU_ASSERT_EQUAL(word(USED + 12), 0);
    CU_ASSERT_EQUAL(word(USED + 16), 1025);
    CU_ASSERT_EQUAL(ring.in_use, 0);
    end();
}

/* Each wrong chain costs the driver that request only: the next one is served. */
static void refuse_chain(void)
{
    const uint16_t used = word(USED + 2);

    offer(0);
    CU_ASSERT_EQUAL(vh_ring_pop(&ring, &chain), -EBADMSG);
    CU_ASSERT_EQUAL(chain.head, 0);
    vh_ring_push(&ring, chain.head, 0);
    CU_ASSERT_EQUAL(word(USED + 2), (uint16_t)(used + 1));
    desc(DESC, 7, DATA, 16, 0, 0);
    offer(7);
    CU_ASSERT_EQUAL(vh_ring_pop(&ring, &chain), 1);
    vh_ring_push(&ring, 7, 0);
}

static void hostile_chains(void)
{
    begin();
    desc(DESC, 0, DATA, 16, VH_DESC_F_NEXT, 0); /* a loop of one */
    refuse_chain();
    desc(DESC, 0, DATA, 16, VH_DESC_F_NEXT, 1); /* a loop of two */
    desc(DESC, 1, DATA, 16, VH_DESC_F_NEXT, 0);
    refuse_chain();
    desc(DESC, 0, DATA, 16, VH_DESC_F_NEXT, SIZE); /* out of the table */
    refuse_chain();
    desc(DESC, 0, MEMORY - 1, 2, 0, 0); /* out of memory */
    refuse_chain();
    desc(DESC, 0, UINT64_MAX - 1, 16, 0, 0); /* wraps */
    refuse_chain();
    desc(DESC, 0, DATA, 16, VH_DESC_F_WRITE | VH_DESC_F_NEXT, 1); /* out behind in */
    desc(DESC, 1, DATA, 16, 0, 0);
    refuse_chain();
    desc(DESC, 0, INDIRECT, 32, VH_DESC_F_INDIRECT | VH_DESC_F_NEXT, 1);
    refuse_chain();
    desc(DESC, 0, INDIRECT, 31, VH_DESC_F_INDIRECT, 0); /* no whole descriptors */
    refuse_chain();
    desc(DESC, 0, INDIRECT, 0, VH_DESC_F_INDIRECT, 0);
    refuse_chain();
    desc(DESC, 0, INDIRECT, 16 * (SIZE + 1), VH_DESC_F_INDIRECT, 0); /* larger than the queue */
    refuse_chain();
    desc(DESC, 0, MEMORY - 8, 16, VH_DESC_F_INDIRECT, 0);
    refuse_chain();
    desc(DESC, 0, INDIRECT, 16, VH_DESC_F_INDIRECT, 0); /* indirect within indirect */
    desc(INDIRECT, 0, INDIRECT, 16, VH_DESC_F_INDIRECT, 0);
    refuse_chain();
    ring.indirect = false; /* not negotiated */
    desc(INDIRECT, 0, DATA, 16, 0, 0);
    refuse_chain();
    end();
}

static void hostile_indices(void)
{
    begin();
    set_word(AVAIL + 2, SIZE + 1); /* more than the queue holds */
    CU_ASSERT_EQUAL(vh_ring_pop(&ring, &chain), -EPROTO);
    set_word(AVAIL + 2, 1);
    CU_ASSERT_EQUAL(vh_ring_pop(&ring, &chain), -EPROTO); /* for good */
    vh_ring_start(&ring, 0);
    set_word(AVAIL + 4, SIZE); /* a head that is none */
    CU_ASSERT_EQUAL(vh_ring_pop(&ring, &chain), -EPROTO);
    vh_ring_start(&ring, 0);
    set_word(AVAIL + 2, 0);
    desc(DESC, 1, DATA, 16, 0, 0);
    for (unsigned i = 0; i < SIZE; i++) { /* the same head again and again */
        offer(1);
        CU_ASSERT_EQUAL(vh_ring_pop(&ring, &chain), 1);
    }
    offer(1);
    CU_ASSERT_EQUAL(vh_ring_pop(&ring, &chain), -EPROTO);
    end();
}

static void bad_places(void)
{
    begin();
    CU_ASSERT_EQUAL(vh_ring_place(&ring, mem, USER_ADDR + 8, USER_ADDR + AVAIL, USER_ADDR + USED),
                    -EINVAL);
    CU_ASSERT_EQUAL(vh_ring_place(&ring, mem, USER_ADDR, USER_ADDR + AVAIL + 1, USER_ADDR + USED),
                    -EINVAL);
    CU_ASSERT_EQUAL(vh_ring_place(&ring, mem, USER_ADDR, USER_ADDR + AVAIL, USER_ADDR + USED + 2),
                    -EINVAL);
    CU_ASSERT_EQUAL(vh_ring_place(&ring, mem, USER_ADDR + MEMORY - 64, USER_ADDR, USER_ADDR),
                    -EFAULT);
    CU_ASSERT_EQUAL(vh_ring_pop(&ring, &chain), -EPROTO); /* and not there at all then */
    ring.size = 7;
    CU_ASSERT_EQUAL(vh_ring_place(&ring, mem, USER_ADDR, USER_ADDR, USER_ADDR), -EINVAL);
    ring.size = 2048;
    CU_ASSERT_EQUAL(vh_ring_place(&ring, mem, USER_ADDR, USER_ADDR, USER_ADDR), -EINVAL);
    end();
}

static void signals(void)
{
    begin();
    desc(DESC, 0, DATA, 16, 0, 0);
    for (unsigned i = 0; i < 4; i++) {
        offer(0);
        vh_ring_pop(&ring, &chain);
    }
    vh_ring_push(&ring, 0, 0);
    CU_ASSERT_TRUE(vh_ring_wants_signal(&ring));
    set_word(AVAIL, VH_AVAIL_F_NO_INTERRUPT);
    CU_ASSERT_FALSE(vh_ring_wants_signal(&ring));
    vh_ring_want_kicks(&ring, false);
    CU_ASSERT_EQUAL(word(USED), VH_USED_F_NO_NOTIFY);
    vh_ring_want_kicks(&ring, true);
    CU_ASSERT_EQUAL(word(USED), 0);
    ring.event_idx = true;
    set_word(AVAIL + 4 + 2 * SIZE, 2);           /* tell me of the third */
    CU_ASSERT_TRUE(vh_ring_wants_signal(&ring)); /* the first time always */
    vh_ring_push(&ring, 0, 0);
    CU_ASSERT_FALSE(vh_ring_wants_signal(&ring));
    vh_ring_push(&ring, 0, 0);
    CU_ASSERT_TRUE(vh_ring_wants_signal(&ring));
    CU_ASSERT_FALSE(vh_ring_wants_signal(&ring)); /* told already */
    vh_ring_want_kicks(&ring, true);
    CU_ASSERT_EQUAL(word(USED + 4 + 8 * SIZE), 4);
    end();
}

static void comes_back(void)
{
    struct vh_inflight inflight = { 0 };
    int fd = vh_inflight_create(2, SIZE);
    struct vh_inflight_queue *queue;

    begin();
    CU_ASSERT_EQUAL(vh_inflight_map(&inflight, fd, 0, 8, 2, SIZE), -EINVAL);
    CU_ASSERT_EQUAL(vh_inflight_map(&inflight, fd, 0, 1 << 20, 2, SIZE), -ENOSPC);
    CU_ASSERT_EQUAL_FATAL(vh_inflight_map(&inflight, fd, 0, vh_inflight_bytes(2, SIZE), 2, SIZE),
                          0);
    CU_ASSERT_PTR_NULL(vh_inflight_queue(&inflight, 2));
    ring.inflight = queue = vh_inflight_queue(&inflight, 1);
    vh_ring_start(&ring, 0);
    for (unsigned i = 0; i < 5; i++)
        desc(DESC, i, DATA, 16, 0, 0);
    offer(3), offer(1), offer(4), offer(0);
    for (unsigned i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(vh_ring_pop(&ring, &chain), 1);
    vh_ring_push(&ring, 1, 0);
    /* it dies: 3 and 4 were taken, 0 was not */
    vh_ring_start(&ring, 77);
    CU_ASSERT_EQUAL(vh_ring_pop(&ring, &chain), 1);
    CU_ASSERT_EQUAL(chain.head, 3);
    CU_ASSERT_EQUAL(vh_ring_pop(&ring, &chain), 1);
    CU_ASSERT_EQUAL(chain.head, 4);
    CU_ASSERT_EQUAL(vh_ring_pop(&ring, &chain), 1);
    CU_ASSERT_EQUAL(chain.head, 0);
    CU_ASSERT_EQUAL(vh_ring_pop(&ring, &chain), 0);
    /* it dies between the used index and its own mark: that one is not done again */
    vh_inflight_answer(queue, 4);
    set_word(USED + 2, 2);
    vh_ring_start(&ring, 0);
    CU_ASSERT_EQUAL(vh_ring_pop(&ring, &chain), 1);
    CU_ASSERT_EQUAL(chain.head, 3);
    CU_ASSERT_EQUAL(vh_ring_pop(&ring, &chain), 1);
    CU_ASSERT_EQUAL(chain.head, 0);
    CU_ASSERT_EQUAL(vh_ring_pop(&ring, &chain), 0);
    vh_inflight_unmap(&inflight);
    close(fd);
    end();
}

static void logs_its_used_ring(void)
{
    struct vh_log log = { 0 };
    uint8_t bits[8] = { 0 };
    int fd = memfd_create("log", MFD_CLOEXEC);

    begin();
    CU_ASSERT_EQUAL(ftruncate(fd, 4096), 0);
    CU_ASSERT_EQUAL_FATAL(vh_log_map(&log, fd, 0, 8), 0);
    ring.log = &log;
    ring.log_used = true;
    ring.log_addr = USED;
    desc(DESC, 0, DATA, 16, 0, 0);
    offer(0);
    vh_ring_pop(&ring, &chain);
    vh_ring_push(&ring, 0, 0);
    CU_ASSERT_EQUAL(pread(fd, bits, 8, 0), 8);
    CU_ASSERT_EQUAL(bits[0], 1 << (USED / 4096));
    vh_log_unmap(&log);
    close(fd);
    end();
}

const struct unit_case unit_cases[] = {
    { "chains, direct and indirect, go out and come back", serves },
    { "a wrong chain costs its request and no more", hostile_chains },
    { "a wrong index breaks its queue and no more", hostile_indices },
    { "rings that are not wholly in memory are refused", bad_places },
    { "signals and kicks by flags and by event index", signals },
    { "what was in flight is done again, in order, and once", comes_back },
    { "the used ring is logged when that is wanted", logs_its_used_ring },
    { 0 },
};
