/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/kvm/vmm_memory, vmm-core/kvm/vmm_kvm, vmm-core/kvm/vmm_kvm_signals,
 * vmm-core/kvm/vmm_vcpu and vmm-core/kvm/vmm_vcpu_begin, with guests of some instructions. What
 * needs a guest is skipped where there is no /dev/kvm.
 * (over 400: each thing that KVM does is asked of one small guest)
 */
#include <config.h>

#include "vmm-core/kvm/vmm_kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/fail_alloc.h"
#include "tests/unit/kvm_guest.h"
#include "tests/unit/unit.h"

enum { MIB = 1 << 20 };

/* --- guest memory --- */

static uint64_t allocated(const struct vmm_memory *memory)
{
    struct stat status;

    CU_ASSERT_EQUAL(fstat(memory->fd, &status), 0);
    return (uint64_t)status.st_blocks * 512;
}

/* Whole pages of memory, wherever they lie; nothing else. */
static void pages_are_dropped(void)
{
    static const struct {
        uint64_t at, bytes;
        int rc;
    } wrong[] = { { VMM_MEMORY_GAP_AT - 4096, 8192, -EFAULT },
                  { VMM_MEMORY_GAP_AT, 4096, -EFAULT },
                  { VMM_MEMORY_HIGH_AT + MIB, 4096, -EFAULT },
                  { UINT64_MAX - 4095, 4096, -EFAULT },
                  { 4096, UINT64_MAX - 4095, -EFAULT },
                  { 4096, 0, -EINVAL },
                  { 4096, 4095, -EINVAL },
                  { 4097, 4096, -EINVAL } };
    struct vmm_memory memory = { 0 };
    uint8_t *low, *high;

    CU_ASSERT_EQUAL_FATAL(vmm_memory_new(VMM_MEMORY_GAP_AT + MIB, &memory, NULL), 0);
    low = vmm_memory_at(&memory, 0, 3 * 4096);
    high = vmm_memory_at(&memory, VMM_MEMORY_HIGH_AT, MIB);
    memset(low, 1, 3 * 4096);
    memset(high, 2, 2 * 4096);
    CU_ASSERT_EQUAL(allocated(&memory), 5 * 4096);
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        CU_ASSERT_EQUAL(vmm_memory_drop(&memory, wrong[i].at, wrong[i].bytes), wrong[i].rc);
    CU_ASSERT_EQUAL(allocated(&memory), 5 * 4096);
    CU_ASSERT_EQUAL(vmm_memory_drop(&memory, 4096, 4096), 0);
    CU_ASSERT_EQUAL(vmm_memory_drop(&memory, VMM_MEMORY_HIGH_AT, MIB), 0);
    CU_ASSERT_EQUAL(allocated(&memory), 2 * 4096);
    CU_ASSERT_EQUAL(low[4095], 1);
    CU_ASSERT_EQUAL(low[4096], 0);
    CU_ASSERT_EQUAL(low[8192], 1);
    CU_ASSERT_EQUAL(high[0], 0);
    vmm_memory_free(&memory);
}

static void memory_has_a_gap(void)
{
    struct vmm_memory memory = { 0 };
    const uint64_t bytes = VMM_MEMORY_GAP_AT + 64 * (uint64_t)MIB;
    uint8_t *low, *high;

    CU_ASSERT_EQUAL_FATAL(vmm_memory_new(bytes, &memory, NULL), 0);
    CU_ASSERT_EQUAL(memory.count, 2);
    low = vmm_memory_at(&memory, 0, VMM_MEMORY_GAP_AT);
    high = vmm_memory_at(&memory, VMM_MEMORY_HIGH_AT, 64 * (uint64_t)MIB);
    CU_ASSERT_PTR_NOT_NULL_FATAL(low);
    CU_ASSERT_PTR_NOT_NULL_FATAL(high);
    CU_ASSERT_PTR_EQUAL(high, low + VMM_MEMORY_GAP_AT);
    CU_ASSERT_EQUAL(memory.ranges[1].file_offset_bytes, VMM_MEMORY_GAP_AT);
    CU_ASSERT_PTR_NULL(vmm_memory_at(&memory, VMM_MEMORY_GAP_AT - 1, 2));
    CU_ASSERT_PTR_NULL(vmm_memory_at(&memory, VMM_MEMORY_GAP_AT + 1, 1));
    CU_ASSERT_PTR_NULL(vmm_memory_at(&memory, VMM_MEMORY_HIGH_AT, 64 * (uint64_t)MIB + 1));
    CU_ASSERT_PTR_NULL(vmm_memory_at(&memory, VMM_MEMORY_HIGH_AT + 1, UINT64_MAX));
    CU_ASSERT_PTR_NULL(vmm_memory_at(&memory, UINT64_MAX, 1));
    CU_ASSERT_EQUAL(ftruncate(memory.fd, MIB), -1); /* nobody takes it away */
    high[64 * MIB - 1] = 7;
    CU_ASSERT_EQUAL(high[64 * MIB - 1], 7);
    vmm_memory_free(&memory);
    vmm_memory_free(&memory);
}

static void memory_of_a_wrong_size(void)
{
    static const uint64_t wrong[] = { 0,
                                      MIB,
                                      VMM_MEMORY_MIN_BYTES - MIB,
                                      VMM_MEMORY_MIN_BYTES + 1,
                                      VMM_MEMORY_MAX_BYTES + MIB,
                                      UINT64_MAX };
    struct vmm_memory memory = { 0 };

    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct hw_error error = { 0 };

        CU_ASSERT_EQUAL(vmm_memory_new(wrong[i], &memory, &error), -EINVAL);
        CU_ASSERT_EQUAL(error.kind, HW_ERROR_USAGE);
    }
    CU_ASSERT_EQUAL(memory.count, 0);
}

/* mov al,42h; out 10h,al; in al,11h; mov [2000h],al; out 12h,al; hlt */
static const uint8_t talks[] = { 0xb0, 0x42, 0xe6, 0x10, 0xe4, 0x11,
                                 0xa2, 0x00, 0x20, 0xe6, 0x12, 0xf4 };

static void a_guest_talks(void)
{
    struct kvm_guest guest;
    const uint8_t *data;

    if (!kvm_guest_possible())
        return;
    kvm_guest_begin(&guest, talks, sizeof(talks));
    data = vmm_memory_at(&guest.memory, GUEST_DATA_AT, 1);
    vmm_vcpu_run(guest.vcpu);
    kvm_guest_wait(&guest, 3);
    vmm_vcpu_pause(guest.vcpu);
    vmm_vcpu_wait(guest.vcpu);
    CU_ASSERT_EQUAL(guest.broken, 0);
    CU_ASSERT_EQUAL(guest.last_port, 0x12);
    CU_ASSERT_EQUAL(guest.last_out, 0x5a);
    CU_ASSERT_EQUAL(*data, 0x5a);
    CU_ASSERT_EQUAL(vmm_vcpu_index(guest.vcpu), 0);
    kvm_guest_end(&guest);
}

/* l: inc word [2000h]; out 10h,al; in al,11h; jmp l */
static const uint8_t counts[] = { 0xff, 0x06, 0x00, 0x20, 0xe6, 0x10, 0xe4, 0x11, 0xeb, 0xf6 };

/* It stands behind the instruction that made it exit, with the answer in its register. */
static void nothing_is_half_done(void)
{
    struct vmm_vcpu_image *image = calloc(1, sizeof(*image));
    struct kvm_guest guest;
    const char *what = "";

    if (!kvm_guest_possible()) {
        free(image);
        return;
    }
    kvm_guest_begin(&guest, counts, sizeof(counts));
    for (unsigned i = 1; i <= 8; i++) {
        kvm_guest_run_to(&guest, i);
        CU_ASSERT_EQUAL(guest.exits, i);
        CU_ASSERT_EQUAL(vmm_vcpu_take(guest.vcpu, image, &what), 0);
        CU_ASSERT_EQUAL(image->regs.rip, (uint64_t)GUEST_CODE_AT + (i % 2 == 1 ? 6 : 8));
        CU_ASSERT_EQUAL(image->regs.rax & 0xff, i == 1 ? 0 : 0x5a);
    }
    CU_ASSERT_EQUAL(kvm_guest_word(&guest), 4);
    kvm_guest_end(&guest);
    free(image);
}

static void pauses_and_goes_on(void)
{
    struct kvm_guest guest;

    if (!kvm_guest_possible())
        return;
    kvm_guest_begin(&guest, counts, sizeof(counts));
    for (unsigned i = 0; i < 200; i++) {
        unsigned exits, count;

        vmm_vcpu_run(guest.vcpu);
        if (i % 3 == 0)
            kvm_guest_wait(&guest, guest.exits + 1);
        vmm_vcpu_pause(guest.vcpu);
        vmm_vcpu_wait(guest.vcpu);
        exits = guest.exits;
        count = kvm_guest_word(&guest);
        CU_ASSERT_TRUE(count == (exits + 1) / 2 || (exits % 2 == 0 && count == exits / 2 + 1));
    }
    CU_ASSERT_TRUE(guest.exits >= 66);
    vmm_vcpu_run(guest.vcpu); /* and ends in the middle of it */
    kvm_guest_end(&guest);
}

/* mov eax,cr4; or eax,40000h (OSXSAVE); mov cr4,eax; xor ecx,ecx; xor edx,edx; mov eax,COMPONENTS;
 * xsetbv; mov eax,0dh; xor ecx,ecx; cpuid; mov [2000h],bx; out 10h,al; jmp $ */
static const uint8_t measures[] = {
    0x0f, 0x20, 0xe0, 0x66, 0x0d, 0x00, 0x00, 0x04, 0x00, 0x0f, 0x22, 0xe0, 0x66, 0x31, 0xc9, 0x66,
    0x31, 0xd2, 0x66, 0xb8, 0x00, 0x00, 0x00, 0x00, 0x0f, 0x01, 0xd1, 0x66, 0xb8, 0x0d, 0x00, 0x00,
    0x00, 0x66, 0x31, 0xc9, 0x0f, 0xa2, 0x89, 0x1e, 0x00, 0x20, 0xe6, 0x10, 0xeb, 0xfe,
};
enum { COMPONENTS_AT = 20, LEGACY_AND_HEADER_BYTES = 576 };

/* Where the last component ends that this vCPU can have (Intel SDM 1, 13.5); all of them in
 * `ret_components`. */
static uint32_t xsave_end(const struct vmm_vcpu_image *image, uint32_t *ret_components)
{
    const struct kvm_cpuid_entry2 *entry;
    uint32_t end = LEGACY_AND_HEADER_BYTES;

    for (entry = image->cpuid; entry < image->cpuid + image->cpuid_count; entry++)
        if (entry->function == 0xd && entry->index == 0)
            *ret_components = entry->eax;
        else if (entry->function == 0xd && entry->index >= 2 && (entry->ecx & 1) == 0)
            end = entry->ebx + entry->eax > end ? entry->ebx + entry->eax : end;
    return end;
}

/* A guest that switches all of them on is told the size that they add up to, as kernels check. */
static void its_vector_registers_add_up(void)
{
    struct vmm_vcpu_image *image = calloc(1, sizeof(*image));
    uint32_t components = 0, bytes;
    struct kvm_guest guest;
    const char *what = "";

    if (!kvm_guest_possible()) {
        free(image);
        return;
    }
    kvm_guest_begin(&guest, measures, sizeof(measures));
    CU_ASSERT_EQUAL(vmm_vcpu_take(guest.vcpu, image, &what), 0);
    bytes = xsave_end(image, &components);
    memcpy(vmm_memory_at(&guest.memory, GUEST_CODE_AT + COMPONENTS_AT, 4), &components, 4);
    kvm_guest_run_to(&guest, 1);
    CU_ASSERT_EQUAL(kvm_guest_word(&guest), bytes);
    kvm_guest_end(&guest);
    free(image);
}

/* Bit `vector` of a register of 256 bits in the APIC's page (Intel SDM 3A, 11.4). */
static bool apic_bit(const struct vmm_vcpu_image *image, unsigned first, unsigned vector)
{
    return (image->lapic.regs[first + vector / 32 * 16 + vector % 32 / 8] >> vector % 8 & 1) != 0;
}

static void a_message_interrupts(void)
{
    enum { SPURIOUS = 0xf0, ENABLED_AT = 1, REQUESTS = 0x200 };
    struct vmm_vcpu_image *image = calloc(1, sizeof(*image));
    const struct vmm_kvm_shift shift = { 0 };
    struct kvm_guest guest;
    const char *what = "";

    if (!kvm_guest_possible()) {
        free(image);
        return;
    }
    kvm_guest_begin(&guest, talks, sizeof(talks));
    CU_ASSERT_EQUAL(vmm_vcpu_take(guest.vcpu, image, &what), 0);
    image->lapic.regs[SPURIOUS + ENABLED_AT] |= 1;
    CU_ASSERT_EQUAL(vmm_vcpu_give(guest.vcpu, image, &shift, &what), 0);
    vmm_kvm_send_msi(guest.kvm, 0xfee00000, 0x51);
    vmm_kvm_send_msi(guest.kvm, 0xfee05000, 0x52); /* to APIC 5 */
    vmm_kvm_send_msi(guest.kvm, UINT64_MAX, UINT32_MAX);
    CU_ASSERT_EQUAL(vmm_vcpu_take(guest.vcpu, image, &what), 0);
    CU_ASSERT_TRUE(apic_bit(image, REQUESTS, 0x51));
    CU_ASSERT_FALSE(apic_bit(image, REQUESTS, 0x52));
    kvm_guest_end(&guest);
    free(image);
}

static bool is_signalled(int fd)
{
    eventfd_t count;

    return eventfd_read(fd, &count) == 0;
}

/* Two writes of 2 bytes and one of 4, each followed by an exit. */
static void a_write_signals(void)
{
    static const uint8_t writes[] = {
        0x66, 0xa3, 0x00, 0x30, 0x00, 0xfe, /* mov [fe003000h], ax */
        0xe6, 0x80,                         /* out 80h, al */
        0xa3, 0x00, 0x30, 0x00, 0xfe,       /* mov [fe003000h], eax */
        0x66, 0xa3, 0x00, 0x30, 0x00, 0xfe, /* mov [fe003000h], ax */
        0xe6, 0x80,                         /* out 80h, al */
        0xe6, 0x80,
    };
    const int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    struct kvm_guest guest;

    if (!kvm_guest_possible()) {
        close(fd);
        return;
    }
    kvm_guest_begin(&guest, writes, sizeof(writes));
    CU_ASSERT_EQUAL(vmm_vcpu_begin(guest.vcpu, VMM_VCPU_PROTECTED, GUEST_CODE_AT, 0), 0);
    CU_ASSERT_EQUAL(vmm_kvm_kick(guest.kvm, fd, 0xfe003000, true), 0);
    CU_ASSERT_TRUE(vmm_kvm_kick(guest.kvm, fd, 0xfe003000, true) < 0); /* it is there */
    kvm_guest_run_to(&guest, 1);
    CU_ASSERT_TRUE(is_signalled(fd));
    CU_ASSERT_EQUAL(vmm_kvm_kick(guest.kvm, fd, 0xfe003000, false), 0);
    kvm_guest_run_to(&guest, 2);
    CU_ASSERT_FALSE(is_signalled(fd));
    CU_ASSERT_TRUE(vmm_kvm_kick(guest.kvm, fd, 0xfe003000, false) < 0);
    kvm_guest_end(&guest);
    close(fd);
}

/* A signal that KVM has not taken yet is taken as soon as it may. */
static bool requests(struct kvm_guest *guest, struct vmm_vcpu_image *image, unsigned vector)
{
    enum { REQUESTS = 0x200, TRIES = 1000 };
    const char *what = "";
    bool there = false;

    for (unsigned i = 0; i < TRIES && !there; i++) {
        CU_ASSERT_EQUAL_FATAL(vmm_vcpu_take(guest->vcpu, image, &what), 0);
        there = apic_bit(image, REQUESTS, vector);
        if (!there)
            (void)poll(NULL, 0, 1);
    }
    return there;
}

static void a_signal_sends_a_message(void)
{
    enum { SPURIOUS = 0xf0, ENABLED_AT = 1, REQUESTS = 0x200 };
    struct vmm_vcpu_image *image = calloc(1, sizeof(*image));
    const int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    const int other = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    const struct vmm_kvm_shift shift = { 0 };
    struct kvm_guest guest;
    const char *what = "";
    unsigned one = 99, two = 99, three = 99;

    if (!kvm_guest_possible())
        goto out;
    kvm_guest_begin(&guest, talks, sizeof(talks));
    CU_ASSERT_EQUAL(vmm_vcpu_take(guest.vcpu, image, &what), 0);
    image->lapic.regs[SPURIOUS + ENABLED_AT] |= 1;
    CU_ASSERT_EQUAL(vmm_vcpu_give(guest.vcpu, image, &shift, &what), 0);
    (void)eventfd_write(fd, 1); /* before KVM listens */
    CU_ASSERT_EQUAL(vmm_kvm_call(guest.kvm, fd, 0xfee00000, 0x53, &one), 0);
    CU_ASSERT_TRUE(requests(&guest, image, 0x53));
    CU_ASSERT_EQUAL(vmm_kvm_call(guest.kvm, other, 0xfee00000, 0x54, &two), 0);
    CU_ASSERT_NOT_EQUAL(one, two);
    (void)eventfd_write(other, 1);
    CU_ASSERT_TRUE(requests(&guest, image, 0x54));
    vmm_kvm_end_call(guest.kvm, other, two);
    (void)eventfd_write(other, 1);
    CU_ASSERT_EQUAL(vmm_kvm_call(guest.kvm, other, 0xfee00000, 0x55, &three), 0);
    CU_ASSERT_EQUAL(three, two);
    CU_ASSERT_TRUE(requests(&guest, image, 0x55));
    vmm_kvm_end_call(guest.kvm, other, three);
    vmm_kvm_end_call(guest.kvm, fd, one);
    (void)eventfd_write(fd, 1);
    CU_ASSERT_TRUE(is_signalled(fd)); /* it is ours again */
    vmm_kvm_line(guest.kvm, 4, true); /* the other lines lead where they did */
    CU_ASSERT_EQUAL(vmm_kvm_call(guest.kvm, fd, 0xfee00000, 0x55, &one), 0);
    CU_ASSERT_EQUAL(one, two); /* that message has its place still */
    vmm_kvm_end_call(guest.kvm, fd, one);
    kvm_guest_end(&guest);
out:
    close(other);
    close(fd);
    free(image);
}

static void the_clock_goes_on(void)
{
    struct kvm_guest guest;
    uint64_t before;

    if (!kvm_guest_possible())
        return;
    kvm_guest_begin(&guest, talks, sizeof(talks));
    before = vmm_kvm_clock_ns(guest.kvm);
    for (unsigned i = 0; i < 1000000 && vmm_kvm_clock_ns(guest.kvm) == before; i++)
        ;
    CU_ASSERT_TRUE(vmm_kvm_clock_ns(guest.kvm) > before);
    kvm_guest_end(&guest);
}

static void logs_what_is_written(void)
{
    uint64_t bits[GUEST_BYTES / 4096 / 64] = { 0 };
    struct kvm_guest guest;
    unsigned pages = 0;

    if (!kvm_guest_possible())
        return;
    kvm_guest_begin(&guest, counts, sizeof(counts));
    CU_ASSERT_EQUAL(vmm_kvm_log_dirty(guest.kvm, true), 0);
    vmm_vcpu_run(guest.vcpu);
    kvm_guest_wait(&guest, 3);
    vmm_vcpu_pause(guest.vcpu);
    vmm_vcpu_wait(guest.vcpu);
    CU_ASSERT_EQUAL(vmm_kvm_dirty(guest.kvm, 0, bits), 0);
    for (unsigned i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
        pages += (unsigned)__builtin_popcountll(bits[i]);
    CU_ASSERT_EQUAL(pages, 1);
    CU_ASSERT_TRUE((bits[0] >> (GUEST_DATA_AT / 4096) & 1) != 0);
    CU_ASSERT_EQUAL(vmm_kvm_dirty(guest.kvm, 0, bits), 0);
    CU_ASSERT_EQUAL(bits[0], 0);
    CU_ASSERT_EQUAL(vmm_kvm_dirty(guest.kvm, 7, bits), -ENOENT);
    CU_ASSERT_EQUAL(vmm_kvm_log_dirty(guest.kvm, false), 0);
    kvm_guest_end(&guest);
}

/* --- what may be missing --- */

static void says_what_is_missing(void)
{
    struct vmm_memory memory = { 0 };
    struct vmm_kvm *kvm = NULL;
    struct hw_error error = { 0 };
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    CU_ASSERT_EQUAL_FATAL(vmm_memory_new(GUEST_BYTES, &memory, NULL), 0);
    CU_ASSERT_TRUE(vmm_kvm_new(fd, &memory, &kvm, &error) < 0);
    CU_ASSERT_PTR_NULL(kvm);
    CU_ASSERT_STRING_EQUAL(error.reason, "is not KVM's stable interface");
    close(fd);
    vmm_memory_free(&memory);
    vmm_kvm_free(NULL);
    vmm_vcpu_free(NULL);
}

static int try(void)
{
    const struct vmm_vcpu_callbacks callbacks = { 0 }; /* it never runs */
    struct vmm_memory memory = { 0 };
    struct vmm_kvm *kvm = NULL;
    struct vmm_vcpu *vcpu = NULL;
    int fd = vmm_kvm_open(NULL), rc = vmm_memory_new(GUEST_BYTES, &memory, NULL);

    if (rc == 0)
        rc = vmm_kvm_new(fd, &memory, &kvm, NULL);
    if (rc == 0)
        rc = vmm_vcpu_new(kvm, 0, &callbacks, &vcpu, NULL);
    vmm_vcpu_free(vcpu);
    vmm_kvm_free(kvm);
    vmm_memory_free(&memory);
    close(fd);
    return rc;
}

static void without_memory(void)
{
    if (!kvm_guest_possible())
        return;
    for (unsigned n = 0;; n++) {
        int rc;

        fail_alloc_arm(n);
        rc = try();
        if (!fail_alloc_disarm()) {
            CU_ASSERT_EQUAL(rc, 0);
            break;
        }
        CU_ASSERT_EQUAL(rc, -ENOMEM);
    }
}

const struct unit_case unit_cases[] = {
    { "pages are dropped", pages_are_dropped },
    { "memory with a gap", memory_has_a_gap },
    { "memory of a wrong size", memory_of_a_wrong_size },
    { "a guest talks", a_guest_talks },
    { "nothing is half done where it stands", nothing_is_half_done },
    { "it pauses and goes on", pauses_and_goes_on },
    { "its vector registers add up", its_vector_registers_add_up },
    { "a message interrupts", a_message_interrupts },
    { "a write signals", a_write_signals },
    { "a signal sends a message", a_signal_sends_a_message },
    { "the clock goes on", the_clock_goes_on },
    { "what it writes is logged", logs_what_is_written },
    { "what is missing is told", says_what_is_missing },
    { "without memory", without_memory },
    { 0 },
};
