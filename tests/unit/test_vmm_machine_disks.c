/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/run/vmm_machine_disks: a machine has its disks, is told of their servers, and hands its
 * links on to the next machine. What a guest does with a disk is in test_vmm_virtio_blk.c, and in
 * tests/host/test-vmm-disk.sh under KVM.
 */
#include <config.h>

#include "vmm-core/run/vmm_machine.h"

#include <errno.h>
#include <stdlib.h>

#include "tests/unit/blk_world.h"
#include "vmm-core/kvm/vmm_kvm.h"
#include "vmm-core/machine/vmm_dev_ids.h"
#include "vmm-core/run/vmm_machine_save.h"
#include "vmm-core/save/vmm_save_tlv.h"
#include "vmm-core/virtio/vmm_vhost_priv.h"

enum { BYTES = 16 << 20, STATE_BYTES = 1 << 20, DISKS = 2 };

static struct blk_server server;
static struct vmm_vhost *links[DISKS];
static struct vmm_machine *machine;
static unsigned words;

static bool console(void *context, uint8_t byte)
{
    (void)context;
    (void)byte;
    return true;
}

static void nothing(void *context)
{
    (void)context;
}

static void ended(void *context, enum vmm_machine_end end, const char *text)
{
    (void)context;
    (void)end;
    (void)text;
}

static void told(void *context, const char *text)
{
    (void)context;
    words++;
    CU_ASSERT_PTR_NOT_NULL(strstr(text, server.path));
}

static void ready(void *context, int fd, short revents)
{
    (void)context;
    (void)fd;
    (void)revents;
    vmm_machine_alarm(machine);
}

static void make(int kvm_fd, unsigned disks)
{
    const struct vmm_machine_config config = {
        .memory_bytes = BYTES, .cpus = 2, .disk_count = disks, .disks = links, .disk_told = told
    };
    const struct vmm_machine_callbacks callbacks = { console, nothing, ended, nothing, NULL };

    CU_ASSERT_EQUAL_FATAL(vmm_machine_new(kvm_fd, &config, &callbacks, &machine, NULL), 0);
    watch_loop_set(&server.loop, vmm_machine_alarm_fd(machine), POLLIN, ready, NULL);
}

static void end_machine(void)
{
    watch_loop_set(&server.loop, vmm_machine_alarm_fd(machine), 0, NULL, NULL);
    vmm_machine_free(machine);
}

static unsigned count_disks(const uint8_t *bytes, size_t size)
{
    struct vmm_save_tlv_reader reader = vmm_save_tlv_reader_over(bytes, size);
    struct vmm_save_tlv tlv;
    unsigned count = 0;

    while (vmm_save_tlv_next(&reader, &tlv) == 0)
        count += tlv.type == VMM_DEV_VIRTIO_BLK;
    return count;
}

static bool told_twice_each(void *context)
{
    (void)context;
    return words == 2 * DISKS;
}

static void it_has_its_disks(void)
{
    uint8_t *state = calloc(1, STATE_BYTES);
    size_t size = 0;
    int kvm_fd;

    if (access("/dev/kvm", R_OK | W_OK) != 0) {
        unit_skip("no /dev/kvm that may be opened");
        free(state);
        return;
    }
    words = 0;
    kvm_fd = vmm_kvm_open(NULL);
    blk_server_begin(&server);
    for (unsigned i = 0; i < DISKS; i++)
        CU_ASSERT_EQUAL_FATAL(blk_open(&server.loop, server.path, 2, &links[i], NULL), 0);
    make(kvm_fd, DISKS);
    vmm_machine_run(machine);
    vmm_machine_pause(machine);
    CU_ASSERT_EQUAL(vmm_machine_save(machine, state, STATE_BYTES, &size, NULL), 0);
    CU_ASSERT_EQUAL(count_disks(state, size), DISKS);
    end_machine();
    make(kvm_fd, DISKS);
    CU_ASSERT_EQUAL(vmm_machine_load(machine, state, size, NULL), 0);
    blk_server_die(&server);
    blk_server_live(&server);
    CU_ASSERT_TRUE(watch_loop_until(&server.loop, told_twice_each, NULL));
    end_machine();
    make(kvm_fd, 1);
    CU_ASSERT_EQUAL(vmm_machine_load(machine, state, size, NULL), -EPROTONOSUPPORT);
    end_machine();
    for (unsigned i = 0; i < DISKS; i++)
        vmm_vhost_close(links[i]);
    blk_server_die(&server);
    close(kvm_fd);
    free(state);
}

static bool all_log(void *context)
{
    (void)context;
    return vmm_vhost_logging(links[0]) == 1 && vmm_vhost_logging(links[1]) == 1;
}

enum { WORDS = BYTES / 4096 / 64 };

static unsigned count_words(uint64_t wanted)
{
    uint64_t bitmap[WORDS] = { 0 };
    unsigned count = 0;

    CU_ASSERT_EQUAL(vmm_machine_dirty(machine, bitmap), 0);
    for (unsigned i = 0; i < WORDS; i++)
        count += bitmap[i] == wanted;
    return count;
}

/* What is written before the servers note it may be anywhere, and counts as written everywhere. */
static void what_servers_write_is_dirty(void)
{
    int kvm_fd;

    if (access("/dev/kvm", R_OK | W_OK) != 0) {
        unit_skip("no /dev/kvm that may be opened");
        return;
    }
    kvm_fd = vmm_kvm_open(NULL);
    blk_server_begin(&server);
    for (unsigned i = 0; i < DISKS; i++)
        CU_ASSERT_EQUAL_FATAL(blk_open(&server.loop, server.path, 2, &links[i], NULL), 0);
    make(kvm_fd, DISKS);
    CU_ASSERT_EQUAL(vmm_machine_track(machine, true), 0);
    CU_ASSERT_EQUAL(count_words(UINT64_MAX), WORDS); /* none notes anything yet */
    CU_ASSERT_TRUE(watch_loop_until(&server.loop, all_log, NULL));
    CU_ASSERT_EQUAL(count_words(UINT64_MAX), WORDS); /* until just now */
    CU_ASSERT_EQUAL(count_words(0), WORDS);
    ((uint64_t *)(void *)links[1]->log.bits)[3] = 5;
    CU_ASSERT_EQUAL(count_words(5), 1);
    CU_ASSERT_EQUAL(count_words(0), WORDS);
    CU_ASSERT_EQUAL(vmm_machine_track(machine, false), 0);
    CU_ASSERT_EQUAL(vmm_vhost_logging(links[0]), 0);
    CU_ASSERT_EQUAL(vmm_machine_track(machine, true), 0);
    CU_ASSERT_EQUAL(vmm_machine_track(machine, false), 0);
    CU_ASSERT_EQUAL(vmm_vhost_log_begin(links[1], BYTES), 0); /* somebody else's */
    CU_ASSERT_EQUAL(vmm_machine_track(machine, true), -EALREADY);
    CU_ASSERT_EQUAL(vmm_vhost_logging(links[0]), 0);
    end_machine();
    for (unsigned i = 0; i < DISKS; i++)
        vmm_vhost_close(links[i]);
    blk_server_die(&server);
    close(kvm_fd);
}

const struct unit_case unit_cases[] = {
    { "what servers write is dirty", what_servers_write_is_dirty },
    { "it has its disks", it_has_its_disks },
    { 0 },
};
