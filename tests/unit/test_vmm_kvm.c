/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/kvm/vmm_memory, vmm-core/kvm/vmm_kvm, vmm-core/kvm/vmm_kvm_state,
 * vmm-core/kvm/vmm_vcpu, vmm-core/kvm/vmm_vcpu_begin, vmm-core/kvm/vmm_vcpu_registers and
 * vmm-core/kvm/vmm_vcpu_image, with guests of some instructions in real mode. What needs a guest is
 * skipped where there is no /dev/kvm.
 */
#include <config.h>

#include "vmm-core/kvm/vmm_vcpu.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/fail_alloc.h"
#include "tests/unit/unit.h"

enum { MEMORY = 16 << 20, CODE_AT = 0x1000, DATA_AT = 0x2000, MIB = 1 << 20, IMAGE_BYTES = 65536 };

/* --- guest memory --- */

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

/* --- a guest --- */

struct guest {
    int kvm_fd;
    struct vmm_memory memory;
    struct vmm_kvm *kvm;
    struct vmm_vcpu *vcpu;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    unsigned exits, pauses_at; /* it pauses itself at this exit; 0: never */
    uint8_t last_out;
    uint16_t last_port;
    int broken;
};

static void exited(void *context, struct vmm_vcpu *vcpu, struct kvm_run *run)
{
    struct guest *guest = context;
    uint8_t *data = (uint8_t *)run + run->io.data_offset;

    (void)pthread_mutex_lock(&guest->mutex);
    if (run->exit_reason == KVM_EXIT_IO) {
        guest->exits++;
        guest->last_port = run->io.port;
        if (run->io.direction == KVM_EXIT_IO_OUT)
            guest->last_out = *data;
        else
            *data = 0x5a;
    }
    if (guest->exits == guest->pauses_at)
        vmm_vcpu_pause(vcpu);
    (void)pthread_cond_broadcast(&guest->changed);
    (void)pthread_mutex_unlock(&guest->mutex);
}

static void broken(void *context, struct vmm_vcpu *vcpu, int code)
{
    struct guest *guest = context;

    (void)vcpu;
    (void)pthread_mutex_lock(&guest->mutex);
    guest->broken = code;
    (void)pthread_cond_broadcast(&guest->changed);
    (void)pthread_mutex_unlock(&guest->mutex);
}

static void wait_exits(struct guest *guest, unsigned count)
{
    (void)pthread_mutex_lock(&guest->mutex);
    while (guest->exits < count && guest->broken == 0)
        (void)pthread_cond_wait(&guest->changed, &guest->mutex);
    (void)pthread_mutex_unlock(&guest->mutex);
}

static bool have_kvm(void)
{
    if (access("/dev/kvm", R_OK | W_OK) == 0)
        return true;
    unit_skip("no /dev/kvm that may be opened");
    return false;
}

static void begin(struct guest *guest, const uint8_t *code, size_t bytes)
{
    const struct vmm_vcpu_callbacks callbacks = { exited, broken, guest };
    struct hw_error error = { 0 };

    memset(guest, 0, sizeof(*guest));
    (void)pthread_mutex_init(&guest->mutex, NULL);
    (void)pthread_cond_init(&guest->changed, NULL);
    guest->kvm_fd = vmm_kvm_open(&error);
    CU_ASSERT_TRUE_FATAL(guest->kvm_fd >= 0);
    CU_ASSERT_EQUAL_FATAL(vmm_memory_new(MEMORY, &guest->memory, &error), 0);
    CU_ASSERT_EQUAL_FATAL(vmm_kvm_new(guest->kvm_fd, &guest->memory, &guest->kvm, &error), 0);
    CU_ASSERT_EQUAL_FATAL(vmm_vcpu_new(guest->kvm, 0, &callbacks, &guest->vcpu, &error), 0);
    if (bytes == 0)
        return;
    memcpy(vmm_memory_at(&guest->memory, CODE_AT, bytes), code, bytes);
    CU_ASSERT_EQUAL(vmm_vcpu_begin(guest->vcpu, VMM_VCPU_REAL, CODE_AT, 0), 0);
}

static void end(struct guest *guest)
{
    vmm_vcpu_free(guest->vcpu);
    vmm_kvm_free(guest->kvm);
    vmm_memory_free(&guest->memory);
    close(guest->kvm_fd);
    (void)pthread_cond_destroy(&guest->changed);
    (void)pthread_mutex_destroy(&guest->mutex);
}

/* mov al,42h; out 10h,al; in al,11h; mov [2000h],al; out 12h,al; hlt */
static const uint8_t talks[] = { 0xb0, 0x42, 0xe6, 0x10, 0xe4, 0x11,
                                 0xa2, 0x00, 0x20, 0xe6, 0x12, 0xf4 };

static void a_guest_talks(void)
{
    struct guest guest;
    const uint8_t *data;

    if (!have_kvm())
        return;
    begin(&guest, talks, sizeof(talks));
    data = vmm_memory_at(&guest.memory, DATA_AT, 1);
    vmm_vcpu_run(guest.vcpu);
    wait_exits(&guest, 3);
    vmm_vcpu_pause(guest.vcpu);
    vmm_vcpu_wait(guest.vcpu);
    CU_ASSERT_EQUAL(guest.broken, 0);
    CU_ASSERT_EQUAL(guest.last_port, 0x12);
    CU_ASSERT_EQUAL(guest.last_out, 0x5a);
    CU_ASSERT_EQUAL(*data, 0x5a);
    CU_ASSERT_EQUAL(vmm_vcpu_index(guest.vcpu), 0);
    end(&guest);
}

/* l: inc word [2000h]; out 10h,al; in al,11h; jmp l */
static const uint8_t counts[] = { 0xff, 0x06, 0x00, 0x20, 0xe6, 0x10, 0xe4, 0x11, 0xeb, 0xf6 };

/* It stands behind the instruction that made it exit, with the answer in its register. */
static void nothing_is_half_done(void)
{
    struct vmm_vcpu_image *image = calloc(1, sizeof(*image));
    struct guest guest;
    const char *what = "";

    if (!have_kvm()) {
        free(image);
        return;
    }
    begin(&guest, counts, sizeof(counts));
    for (unsigned i = 1; i <= 8; i++) {
        guest.pauses_at = i;
        vmm_vcpu_run(guest.vcpu);
        vmm_vcpu_wait(guest.vcpu); /* may be before the run began */
        wait_exits(&guest, i);
        vmm_vcpu_wait(guest.vcpu);
        CU_ASSERT_EQUAL(guest.exits, i);
        CU_ASSERT_EQUAL(vmm_vcpu_take(guest.vcpu, image, &what), 0);
        CU_ASSERT_EQUAL(image->regs.rip, (uint64_t)CODE_AT + (i % 2 == 1 ? 6 : 8));
        CU_ASSERT_EQUAL(image->regs.rax & 0xff, i == 1 ? 0 : 0x5a);
    }
    CU_ASSERT_EQUAL(*(uint16_t *)vmm_memory_at(&guest.memory, DATA_AT, 2), 4);
    end(&guest);
    free(image);
}

static void pauses_and_goes_on(void)
{
    struct guest guest;

    if (!have_kvm())
        return;
    begin(&guest, counts, sizeof(counts));
    for (unsigned i = 0; i < 200; i++) {
        unsigned exits, count;

        vmm_vcpu_run(guest.vcpu);
        if (i % 3 == 0)
            wait_exits(&guest, guest.exits + 1);
        vmm_vcpu_pause(guest.vcpu);
        vmm_vcpu_wait(guest.vcpu);
        exits = guest.exits;
        count = *(uint16_t *)vmm_memory_at(&guest.memory, DATA_AT, 2);
        CU_ASSERT_TRUE(count == (exits + 1) / 2 || (exits % 2 == 0 && count == exits / 2 + 1));
    }
    CU_ASSERT_TRUE(guest.exits >= 66);
    vmm_vcpu_run(guest.vcpu); /* and ends in the middle of it */
    end(&guest);
}

static void logs_what_is_written(void)
{
    uint64_t bits[MEMORY / 4096 / 64] = { 0 };
    struct guest guest;
    unsigned pages = 0;

    if (!have_kvm())
        return;
    begin(&guest, counts, sizeof(counts));
    CU_ASSERT_EQUAL(vmm_kvm_log_dirty(guest.kvm, true), 0);
    vmm_vcpu_run(guest.vcpu);
    wait_exits(&guest, 3);
    vmm_vcpu_pause(guest.vcpu);
    vmm_vcpu_wait(guest.vcpu);
    CU_ASSERT_EQUAL(vmm_kvm_dirty(guest.kvm, 0, bits), 0);
    for (unsigned i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
        pages += (unsigned)__builtin_popcountll(bits[i]);
    CU_ASSERT_EQUAL(pages, 1);
    CU_ASSERT_TRUE((bits[0] >> (DATA_AT / 4096) & 1) != 0);
    CU_ASSERT_EQUAL(vmm_kvm_dirty(guest.kvm, 0, bits), 0);
    CU_ASSERT_EQUAL(bits[0], 0);
    CU_ASSERT_EQUAL(vmm_kvm_dirty(guest.kvm, 7, bits), -ENOENT);
    CU_ASSERT_EQUAL(vmm_kvm_log_dirty(guest.kvm, false), 0);
    end(&guest);
}

/* --- its state --- */

struct saved {
    uint8_t vcpu[IMAGE_BYTES], vm[IMAGE_BYTES];
    size_t vcpu_bytes, vm_bytes;
    struct vmm_vcpu_image image;
    struct vmm_kvm_image vm_image;
};

static void save(struct guest *guest, struct saved *saved)
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

static int load(struct guest *guest, struct saved *saved)
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
    if (rc < 0)
        printf("# %s: %s\n", what, strerror(-rc));
    return rc;
}

/* Out of one VM, by way of bytes, into another one, where it goes on with the next instruction. */
static void moves_to_another_vm(void)
{
    struct saved *saved = calloc(1, sizeof(*saved));
    struct guest from, to;

    if (!have_kvm()) {
        free(saved);
        return;
    }
    begin(&from, counts, sizeof(counts));
    from.pauses_at = 7; /* behind OUT, its count is 4 */
    vmm_vcpu_run(from.vcpu);
    wait_exits(&from, 7);
    vmm_vcpu_wait(from.vcpu);
    save(&from, saved);
    begin(&to, NULL, 0);
    memcpy(to.memory.ranges[0].address, from.memory.ranges[0].address, MEMORY);
    CU_ASSERT_EQUAL(load(&to, saved), 0);
    to.pauses_at = 2; /* IN, and the next round's OUT */
    vmm_vcpu_run(to.vcpu);
    wait_exits(&to, 2);
    vmm_vcpu_wait(to.vcpu);
    CU_ASSERT_EQUAL(to.broken, 0);
    CU_ASSERT_EQUAL(to.last_port, 0x10);
    CU_ASSERT_EQUAL(*(uint16_t *)vmm_memory_at(&to.memory, DATA_AT, 2), 5);
    end(&to);
    end(&from);
    free(saved);
}

/* l: rdtsc; mov [2000h],eax; mov [2004h],edx; out 10h,al; jmp l */
static const uint8_t tells_time[] = { 0x0f, 0x31, 0x66, 0xa3, 0x00, 0x20, 0x66, 0x89,
                                      0x16, 0x04, 0x20, 0xe6, 0x10, 0xeb, 0xf1 };

static void time_never_goes_back(void)
{
    struct saved *saved = calloc(1, sizeof(*saved));
    uint64_t last = 0;

    if (!have_kvm()) {
        free(saved);
        return;
    }
    for (unsigned i = 0; i < 10; i++) {
        struct guest guest;
        uint64_t now;

        begin(&guest, tells_time, sizeof(tells_time));
        if (i > 0)
            CU_ASSERT_EQUAL(load(&guest, saved), 0);
        guest.pauses_at = 2;
        vmm_vcpu_run(guest.vcpu);
        wait_exits(&guest, 2);
        vmm_vcpu_wait(guest.vcpu);
        now = *(uint64_t *)vmm_memory_at(&guest.memory, DATA_AT, 8);
        CU_ASSERT_TRUE(now > last);
        last = now;
        save(&guest, saved);
        end(&guest);
    }
    free(saved);
}

static void refuses_a_damaged_state(void)
{
    struct saved *saved = calloc(1, sizeof(*saved));
    struct guest guest;
    size_t whole;

    if (!have_kvm()) {
        free(saved);
        return;
    }
    begin(&guest, counts, sizeof(counts));
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
    end(&guest);
    free(saved);
}

/* --- what may be missing --- */

static void says_what_is_missing(void)
{
    struct vmm_memory memory = { 0 };
    struct vmm_kvm *kvm = NULL;
    struct hw_error error = { 0 };
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    CU_ASSERT_EQUAL_FATAL(vmm_memory_new(MEMORY, &memory, NULL), 0);
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
    const struct vmm_vcpu_callbacks callbacks = { exited, broken, NULL };
    struct vmm_memory memory = { 0 };
    struct vmm_kvm *kvm = NULL;
    struct vmm_vcpu *vcpu = NULL;
    int fd = vmm_kvm_open(NULL), rc = vmm_memory_new(MEMORY, &memory, NULL);

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
    if (!have_kvm())
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
    { "memory with a gap", memory_has_a_gap },
    { "memory of a wrong size", memory_of_a_wrong_size },
    { "a guest talks", a_guest_talks },
    { "nothing is half done where it stands", nothing_is_half_done },
    { "it pauses and goes on", pauses_and_goes_on },
    { "what it writes is logged", logs_what_is_written },
    { "it moves to another VM", moves_to_another_vm },
    { "its time never goes back", time_never_goes_back },
    { "a damaged state", refuses_a_damaged_state },
    { "what is missing is told", says_what_is_missing },
    { "without memory", without_memory },
    { 0 },
};
