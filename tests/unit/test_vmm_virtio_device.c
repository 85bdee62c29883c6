/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/virtio/vmm_virtio: what a device may have besides its queues: configuration that its
 * driver writes, calls by index, chains that it puts back, an end of what it knows of its driver,
 * and a log of the memory that it writes.
 */
#include <config.h>

#include "vmm-core/virtio/vmm_virtio.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/virtio_world.h"

enum { SIZE = 8, CONFIG_BYTES = 10, WRITABLE_AT = 2, WRITABLE_BYTES = 5 };
enum { USED_EVENT = AVAIL + 4 + 2 * SIZE, AVAIL_EVENT = USED + 4 + 8 * SIZE };

struct device {
    struct virtio_world world;
    struct vmm_virtio *virtio;
    struct vh_chain chain;
    unsigned most; /* chains it takes in one call; the next one is put back */
    unsigned served, configured, forgotten;
};

static struct device device;
static struct virtio_world *const w = &device.world;

static void serve(void *dev, unsigned queue)
{
    struct device *of = dev;
    unsigned count = 0;

    while (vmm_virtio_pop(of->virtio, queue, &of->chain)) {
        if (count++ == of->most) {
            vmm_virtio_unpop(of->virtio, queue, 1);
            return;
        }
        for (unsigned i = 0; i < of->chain.in_count; i++) {
            memset(of->chain.pieces[i].iov_base, 1, of->chain.pieces[i].iov_len);
            vmm_virtio_wrote(of->virtio, of->chain.pieces[i].iov_base, of->chain.pieces[i].iov_len);
        }
        vmm_virtio_push(of->virtio, queue, of->chain.head, 0);
        vmm_virtio_signal(of->virtio, queue);
        of->served++;
    }
}

static void configured(void *dev)
{
    ((struct device *)dev)->configured++;
}

static void forget(void *dev)
{
    ((struct device *)dev)->forgotten++;
}

static const struct vmm_virtio_kind kind = {
    .type = 9,
    .features = VMM_VIRTIO_EVENT_IDX,
    .queues = 1,
    .queue_size = SIZE,
    .config_bytes = CONFIG_BYTES,
    .serve = serve,
    .writable_at = WRITABLE_AT,
    .writable_bytes = WRITABLE_BYTES,
    .configured = configured,
    .forget = forget,
};

static void begin(uint64_t features)
{
    memset(&device, 0, sizeof(device));
    virtio_world_begin(w);
    device.most = SIZE;
    CU_ASSERT_EQUAL_FATAL(
        vmm_virtio_new(w->pci, VIRTIO_SLOT, &kind, w->mem, &device, &w->msix, &device.virtio), 0);
    virtio_drive(w, VERSION_1 | features, 1, SIZE);
    device.forgotten = 0;
}

static void end(void)
{
    w->msix.ops->fini(w->msix.dev);
    vmm_virtio_free(device.virtio);
    virtio_world_end(w);
}

/* A chain of one piece, at `at`. */
static void chain_at(unsigned at, unsigned bytes)
{
    const struct vh_desc desc = { at, bytes, VH_DESC_F_WRITE, 0 };

    descriptor(w, 0, 0, &desc);
    offer(w, 0, SIZE, 0);
}

static void a_driver_configures_it(void)
{
    uint8_t bytes[CONFIG_BYTES];

    begin(0);
    set(w, CONFIG_PAGE + 4, 2, 0xbbaa);
    CU_ASSERT_EQUAL(device.configured, 1);
    CU_ASSERT_EQUAL(reg(w, CONFIG_PAGE, 8), UINT64_C(0xbbaa00000000));
    CU_ASSERT_EQUAL(reg(w, GENERATION, 1), 0); /* it knows */
    CU_ASSERT_EQUAL(reg(w, ISR_PAGE, 1), 0);
    set(w, CONFIG_PAGE, 8, UINT64_C(0x1122334455667788));
    CU_ASSERT_EQUAL(reg(w, CONFIG_PAGE, 8), UINT64_C(0x22334455660000));
    set(w, CONFIG_PAGE + 6, 4, 0xffffffff);
    CU_ASSERT_EQUAL(device.configured, 3);
    set(w, CONFIG_PAGE, 2, 0xffff);
    set(w, CONFIG_PAGE + 7, 4, 0xffffffff);
    set(w, CONFIG_PAGE + 4088, 8, UINT64_MAX);
    CU_ASSERT_EQUAL(device.configured, 3);
    vmm_virtio_config(device.virtio, 0, bytes, CONFIG_BYTES);
    CU_ASSERT_EQUAL(memcmp(bytes, "\0\0\x66\x55\x44\x33\xff\0\0\0", CONFIG_BYTES), 0);
    end();
}

static void a_kind_that_cannot_be(void)
{
    struct vmm_virtio_kind wrong = kind;
    struct vmm_virtio *virtio;
    struct vmm_dev msix;

    begin(0);
    wrong.writable_bytes = CONFIG_BYTES - WRITABLE_AT + 1;
    CU_ASSERT_EQUAL(vmm_virtio_new(w->pci, 2, &wrong, w->mem, &device, &msix, &virtio), -EINVAL);
    wrong.writable_at = CONFIG_BYTES + 1;
    wrong.writable_bytes = 0;
    CU_ASSERT_EQUAL(vmm_virtio_new(w->pci, 2, &wrong, w->mem, &device, &msix, &virtio), -EINVAL);
    end();
}

/* A driver that hears by index is not asked to call for what is found without. */
static void calls_by_index(void)
{
    begin(VMM_VIRTIO_EVENT_IDX);
    set_word(w, USED_EVENT, 2);
    chain_at(DATA, 8);
    chain_at(DATA, 8);
    kick(w, 0);
    CU_ASSERT_EQUAL(device.served, 2);
    CU_ASSERT_EQUAL(word(w, AVAIL_EVENT), 2); /* tell of the third */
    CU_ASSERT_EQUAL(word(w, USED), 0);        /* flags mean nothing */
    CU_ASSERT_EQUAL(reg(w, ISR_PAGE, 1), 1);  /* the first time always */
    chain_at(DATA, 8);
    kick(w, 0);
    CU_ASSERT_EQUAL(reg(w, ISR_PAGE, 1), 1);
    chain_at(DATA, 8);
    kick(w, 0);
    CU_ASSERT_EQUAL(device.served, 4);
    CU_ASSERT_EQUAL(word(w, AVAIL_EVENT), 4);
    CU_ASSERT_EQUAL(reg(w, ISR_PAGE, 1), 0); /* it waits for no more */
    end();
}

static void without_them(void)
{
    begin(0);
    set_word(w, USED_EVENT, 100);
    for (unsigned i = 0; i < 2; i++) {
        chain_at(DATA, 8);
        kick(w, 0);
        CU_ASSERT_EQUAL(reg(w, ISR_PAGE, 1), 1);
    }
    CU_ASSERT_EQUAL(word(w, AVAIL_EVENT), 0);
    end();
}

static void a_chain_is_put_back(void)
{
    begin(0);
    device.most = 2;
    for (unsigned i = 0; i < SIZE; i++)
        chain_at(DATA, 8);
    for (unsigned i = 1; i <= 4; i++) {
        kick(w, 0);
        CU_ASSERT_EQUAL(device.served, i * 2);
        CU_ASSERT_EQUAL(word(w, USED + 2), i * 2);
    }
    chain_at(DATA, 8); /* none is held: there is room for all of the queue again */
    kick(w, 0);
    CU_ASSERT_EQUAL(device.served, SIZE + 1);
    CU_ASSERT_EQUAL(reg(w, DEVICE_STATUS, 1), VIRTIO_OK);
    end();
}

static void it_forgets(void)
{
    begin(0);
    set(w, DEVICE_STATUS, 1, 0);
    CU_ASSERT_EQUAL(device.forgotten, 1);
    vmm_virtio_reset(device.virtio);
    CU_ASSERT_EQUAL(device.forgotten, 2);
    end();
}

/* What it wrote, its used ring, and where it asks to be called; with bits of 4 KiB. */
static void what_it_writes_is_logged(void)
{
    struct vh_log log = { 0 };
    uint8_t bits[8] = { 0 };
    int fd = memfd_create("log", MFD_CLOEXEC);

    begin(0);
    set(w, DEVICE_STATUS, 1, 0);
    CU_ASSERT_EQUAL(ftruncate(fd, 4096), 0);
    CU_ASSERT_EQUAL_FATAL(vh_log_map(&log, fd, 0, sizeof(bits)), 0);
    vh_mem_set_log(w->mem, &log);
    virtio_drive(w, VERSION_1 | VMM_VIRTIO_EVENT_IDX, 1, SIZE);
    chain_at(DATA + 4090, 10);
    kick(w, 0);
    CU_ASSERT_EQUAL(pread(fd, bits, sizeof(bits), 0), 8);
    CU_ASSERT_EQUAL(bits[0], 1 | 1 << DATA / 4096 | 1 << (DATA / 4096 + 1));
    bits[0] = 0;
    CU_ASSERT_EQUAL(pwrite(fd, bits, 1, 0), 1);
    kick(w, 0); /* nothing is there: but it has asked to be called */
    CU_ASSERT_EQUAL(pread(fd, bits, sizeof(bits), 0), 8);
    CU_ASSERT_EQUAL(bits[0], 1);
    vh_log_unmap(&log);
    close(fd);
    end();
}

const struct unit_case unit_cases[] = {
    { "a driver configures it", a_driver_configures_it },
    { "a kind that cannot be", a_kind_that_cannot_be },
    { "calls by index", calls_by_index },
    { "without them", without_them },
    { "a chain is put back", a_chain_is_put_back },
    { "it forgets", it_forgets },
    { "what it writes is logged", what_it_writes_is_logged },
    { 0 },
};
