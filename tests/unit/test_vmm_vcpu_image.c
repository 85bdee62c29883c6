/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/kvm/vmm_vcpu_image, vmm-core/kvm/vmm_vcpu_registers and vmm-core/kvm/vmm_kvm_state: out
 * of one VM, by way of bytes, into another one. Skipped where there is no /dev/kvm.
 */
#include <config.h>

#include "vmm-core/kvm/vmm_vcpu_image.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/kvm_guest.h"
#include "tests/unit/unit.h"

enum { IMAGE_BYTES = 65536 };

/* l: inc word [2000h]; out 10h,al; in al,11h; jmp l */
static const uint8_t counts[] = { 0xff, 0x06, 0x00, 0x20, 0xe6, 0x10, 0xe4, 0x11, 0xeb, 0xf6 };

struct saved {
    uint8_t vcpu[IMAGE_BYTES], vm[IMAGE_BYTES];
    size_t vcpu_bytes, vm_bytes;
    struct vmm_vcpu_image image;
    struct vmm_kvm_image vm_image;
};

static void save(struct kvm_guest *guest, struct saved *saved)
{
    struct hw_writer vcpu = hw_writer_over(saved->vcpu, sizeof(saved->vcpu));
    struct hw_writer vm = hw_writer_over(saved->vm, sizeof(saved->vm));
    struct vmm_state state;
    const char *what = "";

    CU_ASSERT_EQUAL(vmm_vcpu_take(guest->vcpu, &saved->image, &what), 0);
    CU_ASSERT_EQUAL(vmm_kvm_take(guest->kvm, &saved->vm_image, &what), 0);
    state = vmm_state_saving(&vcpu, VMM_VCPU_IMAGE_VERSION);
    vmm_vcpu_image_state(&saved->image, &state);
    CU_ASSERT_EQUAL(vmm_state_end(&state), 0);
    state = vmm_state_saving(&vm, VMM_KVM_IMAGE_VERSION);
    vmm_kvm_image_state(&saved->vm_image, &state);
    CU_ASSERT_EQUAL(vmm_state_end(&state), 0);
    saved->vcpu_bytes = vcpu.at;
    saved->vm_bytes = vm.at;
}

static int load(struct kvm_guest *guest, struct saved *saved)
{
    struct vmm_state state =
        vmm_state_loading(saved->vcpu, saved->vcpu_bytes, VMM_VCPU_IMAGE_VERSION);
    struct vmm_kvm_shift shift;
    const char *what = "";
    int rc;

    memset(&saved->image, 0, sizeof(saved->image));
    memset(&saved->vm_image, 0, sizeof(saved->vm_image));
    vmm_vcpu_image_state(&saved->image, &state);
    rc = vmm_state_end(&state);
    if (rc < 0)
        return rc;
    state = vmm_state_loading(saved->vm, saved->vm_bytes, VMM_KVM_IMAGE_VERSION);
    vmm_kvm_image_state(&saved->vm_image, &state);
    rc = vmm_state_end(&state);
    if (rc == 0)
        rc = vmm_kvm_give(guest->kvm, &saved->vm_image, &shift, &what);
    if (rc == 0)
        rc = vmm_vcpu_give(guest->vcpu, &saved->image, &shift, &what);
    if (rc < 0 && what[0] != '\0')
        printf("# %s: %s\n", what, strerror(-rc));
    return rc;
}

/* Out of one VM, by way of bytes, into another one, where it goes on with the next instruction. */
static void moves_to_another_vm(void)
{
    struct saved *saved = calloc(1, sizeof(*saved));
    struct kvm_guest from, to;

    if (!kvm_guest_possible()) {
        free(saved);
        return;
    }
    kvm_guest_begin(&from, counts, sizeof(counts));
    kvm_guest_run_to(&from, 7); /* behind OUT, its count is 4 */
    save(&from, saved);
    kvm_guest_begin(&to, NULL, 0);
    memcpy(to.memory.ranges[0].address, from.memory.ranges[0].address, GUEST_BYTES);
    CU_ASSERT_EQUAL(load(&to, saved), 0);
    kvm_guest_run_to(&to, 2); /* IN, and the next round's OUT */
    CU_ASSERT_EQUAL(to.broken, 0);
    CU_ASSERT_EQUAL(to.last_port, 0x10);
    CU_ASSERT_EQUAL(kvm_guest_word(&to), 5);
    kvm_guest_end(&to);
    kvm_guest_end(&from);
    free(saved);
}

/* l: rdtsc; mov [2000h],eax; mov [2004h],edx; out 10h,al; jmp l */
static const uint8_t tells_time[] = { 0x0f, 0x31, 0x66, 0xa3, 0x00, 0x20, 0x66, 0x89,
                                      0x16, 0x04, 0x20, 0xe6, 0x10, 0xeb, 0xf1 };

static void time_never_goes_back(void)
{
    struct saved *saved = calloc(1, sizeof(*saved));
    uint64_t last = 0;

    if (!kvm_guest_possible()) {
        free(saved);
        return;
    }
    for (unsigned i = 0; i < 10; i++) {
        struct kvm_guest guest;
        uint64_t now;

        kvm_guest_begin(&guest, tells_time, sizeof(tells_time));
        if (i > 0)
            CU_ASSERT_EQUAL(load(&guest, saved), 0);
        kvm_guest_run_to(&guest, 2);
        now = *(uint64_t *)vmm_memory_at(&guest.memory, GUEST_DATA_AT, 8);
        CU_ASSERT_TRUE(now > last);
        last = now;
        save(&guest, saved);
        kvm_guest_end(&guest);
    }
    free(saved);
}

/* KVM's clock, as a guest has it: a page that KVM writes before the guest runs
 * (virt/kvm/x86/msr.rst, MSR_KVM_SYSTEM_TIME_NEW): version, counter, time in ns, factor. */
enum { CLOCK_MSR = 0x4b564d01, CLOCK_AT = 0x3000, CLOCK_ON = 1 };

static struct kvm_msr_entry *clock_msr(struct vmm_vcpu_image *image)
{
    for (unsigned i = 0; i < image->msr_count; i++)
        if (image->msrs[i].index == CLOCK_MSR)
            return &image->msrs[i];
    return NULL;
}

/* A whole page of the clock: its version is even and not 0, its factor not 0; its time. */
static uint64_t clock_ns(const struct kvm_guest *guest)
{
    const uint32_t *page = vmm_memory_at(&guest->memory, CLOCK_AT, 32);
    uint64_t ns;

    CU_ASSERT_NOT_EQUAL(page[0], 0);
    CU_ASSERT_EQUAL(page[0] % 2, 0);
    CU_ASSERT_NOT_EQUAL(page[6], 0);
    memcpy(&ns, page + 4, sizeof(ns));
    return ns;
}

static void its_clock_goes_with_it(void)
{
    struct saved *saved = calloc(1, sizeof(*saved));
    const struct vmm_kvm_shift shift = { 0 };
    struct kvm_guest from, to;
    const char *what = "";
    uint64_t before;

    if (!kvm_guest_possible()) {
        free(saved);
        return;
    }
    kvm_guest_begin(&from, counts, sizeof(counts));
    save(&from, saved);
    CU_ASSERT_PTR_NOT_NULL_FATAL(clock_msr(&saved->image));
    clock_msr(&saved->image)->data = CLOCK_AT | CLOCK_ON;
    CU_ASSERT_EQUAL(vmm_vcpu_give(from.vcpu, &saved->image, &shift, &what), 0);
    kvm_guest_run_to(&from, 1);
    before = clock_ns(&from);
    save(&from, saved);
    kvm_guest_begin(&to, NULL, 0); /* with no page of before in its memory */
    memcpy(vmm_memory_at(&to.memory, GUEST_CODE_AT, sizeof(counts)), counts, sizeof(counts));
    CU_ASSERT_EQUAL(load(&to, saved), 0);
    CU_ASSERT_EQUAL(clock_msr(&saved->image)->data, CLOCK_AT | CLOCK_ON);
    kvm_guest_run_to(&to, 1);
    CU_ASSERT_TRUE(clock_ns(&to) > before);
    kvm_guest_end(&to);
    kvm_guest_end(&from);
    free(saved);
}

static void refuses_a_damaged_state(void)
{
    struct saved *saved = calloc(1, sizeof(*saved));
    struct kvm_guest guest;
    size_t whole;

    if (!kvm_guest_possible()) {
        free(saved);
        return;
    }
    kvm_guest_begin(&guest, counts, sizeof(counts));
    save(&guest, saved);
    whole = saved->vcpu_bytes;
    for (size_t bytes = 0; bytes < whole; bytes += 61) {
        saved->vcpu_bytes = bytes;
        CU_ASSERT_EQUAL(load(&guest, saved), -EBADMSG);
    }
    saved->vcpu_bytes = whole;
    saved->vm_bytes--;
    CU_ASSERT_EQUAL(load(&guest, saved), -EBADMSG);
    saved->vm_bytes++;
    memset(saved->vcpu, 0xff, whole); /* counts that no memory holds */
    CU_ASSERT_EQUAL(load(&guest, saved), -EBADMSG);
    kvm_guest_end(&guest);
    free(saved);
}

const struct unit_case unit_cases[] = {
    { "it moves to another VM", moves_to_another_vm },
    { "its time never goes back", time_never_goes_back },
    { "its clock goes with it", its_clock_goes_with_it },
    { "a damaged state", refuses_a_damaged_state },
    { 0 },
};
