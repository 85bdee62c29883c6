/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Making the VM. The order is KVM's: identity map and TSS before vCPUs, the interrupt controllers
 * before the timer, both before vCPUs.
 */
#include "config.h"

#include "vmm-core/kvm/vmm_kvm_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { CPUID_MAX = 256, MSRS_MAX = 1024, API_VERSION = 12, XSAVE_BYTES = 4096 };

/* Four pages below the firmware's 256 KiB at the end of 4 GiB; real-mode code on Intel needs them.
 */
#define IDENTITY_MAP_AT UINT64_C(0xfffbc000)
#define TSS_AT          UINT64_C(0xfffbd000)

static const struct {
    int capability;
    const char *name;
} needed[] = {
    { KVM_CAP_IRQCHIP, "interrupt controllers in the kernel" },
    { KVM_CAP_PIT2, "the timer in the kernel" },
    { KVM_CAP_USER_MEMORY, "memory slots" },
    { KVM_CAP_IMMEDIATE_EXIT, "immediate exit" },
    { KVM_CAP_IOEVENTFD, "ioeventfd" },
    { KVM_CAP_IRQFD, "irqfd" },
    { KVM_CAP_SIGNAL_MSI, "message signalled interrupts" },
    { KVM_CAP_MP_STATE, "the state of processors" },
    { KVM_CAP_VCPU_EVENTS, "pending events" },
    { KVM_CAP_ADJUST_CLOCK, "the guest's clock" },
    { KVM_CAP_READONLY_MEM, "read-only memory" },
    { KVM_CAP_XSAVE, "the state of vector registers" },
    { KVM_CAP_XCRS, "extended control registers" },
    { KVM_CAP_DEBUGREGS, "debug registers" },
    { KVM_CAP_SREGS2, "system registers with page pointers" },
};

int vmm_kvm_open(struct hw_error *error)
{
    int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

    if (fd >= 0)
        return fd;
    if (errno == EACCES || errno == EPERM)
        return hw_error_setf(error, HW_ERROR_FAILED, errno, "/dev/kvm",
                             "run as a member of the group kvm", "cannot be opened: %s",
                             strerror(errno));
    return hw_error_setf(error, HW_ERROR_FAILED, errno, "/dev/kvm",
                         "switch VT-x or AMD-V on in the firmware, and load kvm_intel or kvm_amd",
                         "cannot be opened: %s", strerror(errno));
}

int kvm_can(const struct vmm_kvm *kvm, int capability)
{
    const int can = ioctl(kvm->vm_fd, KVM_CHECK_EXTENSION, capability);

    return can < 0 ? 0 : can;
}

static int fail(struct hw_error *error, const char *what)
{
    const int code = errno != 0 ? errno : EIO;

    return hw_error_setf(error, HW_ERROR_FAILED, code, "KVM", "see the kernel's log", "%s: %s",
                         what, strerror(code));
}

static int check_host(int kvm_fd, struct hw_error *error)
{
    if (ioctl(kvm_fd, KVM_GET_API_VERSION, 0) != API_VERSION)
        return hw_error_set(error, HW_ERROR_FAILED, EPROTONOSUPPORT, "/dev/kvm",
                            "is not KVM's stable interface", "use Linux 5.15 or later");
    for (unsigned i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
        if (ioctl(kvm_fd, KVM_CHECK_EXTENSION, needed[i].capability) <= 0)
            return hw_error_setf(error, HW_ERROR_FAILED, EOPNOTSUPP, "KVM",
                                 "use Linux 5.15 or later", "this host lacks %s", needed[i].name);
    return 0;
}

/* The host's offers that a vCPU needs to know: CPUID leaves, and MSRs to save. */
static int ask_host(struct vmm_kvm *kvm)
{
    kvm->cpuid = calloc(1, sizeof(*kvm->cpuid) + CPUID_MAX * sizeof(kvm->cpuid->entries[0]));
    kvm->msrs = calloc(1, sizeof(*kvm->msrs) + MSRS_MAX * sizeof(kvm->msrs->indices[0]));
    if (kvm->cpuid == NULL || kvm->msrs == NULL) {
        errno = ENOMEM;
        return -ENOMEM;
    }
    kvm->cpuid->nent = CPUID_MAX;
    kvm->msrs->nmsrs = MSRS_MAX;
    if (ioctl(kvm->kvm_fd, KVM_GET_SUPPORTED_CPUID, kvm->cpuid) < 0 ||
        ioctl(kvm->kvm_fd, KVM_GET_MSR_INDEX_LIST, kvm->msrs) < 0)
        return -errno;
    return 0;
}

/* A vCPU's vector registers have to fit the saved state. */
static int check_xsave(struct vmm_kvm *kvm, struct hw_error *error)
{
    const int bytes = kvm_can(kvm, KVM_CAP_XSAVE2);

    kvm->xsave_bytes = bytes > XSAVE_BYTES ? (size_t)bytes : XSAVE_BYTES;
    if (kvm->xsave_bytes <= VMM_XSAVE_MAX_BYTES)
        return 0;
    return hw_error_setf(error, HW_ERROR_FAILED, EOPNOTSUPP, "KVM", "update hawser here",
                         "this host's vector registers take %zu bytes", kvm->xsave_bytes);
}

static int make(struct vmm_kvm *kvm, struct hw_error *error)
{
    const uint64_t identity_map = IDENTITY_MAP_AT;
    const struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };
    int bytes;

    if (ask_host(kvm) < 0)
        return fail(error, "does not say what it offers");
    kvm->vm_fd = ioctl(kvm->kvm_fd, KVM_CREATE_VM, 0);
    if (kvm->vm_fd < 0)
        return fail(error, "a VM cannot be made");
    if (ioctl(kvm->vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &identity_map) < 0 ||
        ioctl(kvm->vm_fd, KVM_SET_TSS_ADDR, TSS_AT) < 0)
        return fail(error, "its own pages cannot be placed");
    if (ioctl(kvm->vm_fd, KVM_CREATE_IRQCHIP, 0) < 0 ||
        ioctl(kvm->vm_fd, KVM_CREATE_PIT2, &pit) < 0)
        return fail(error, "interrupt controllers and timer cannot be made");
    if (kvm_slots_begin(kvm) < 0)
        return fail(error, "guest memory is refused");
    bytes = ioctl(kvm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (bytes < 0)
        return fail(error, "a vCPU's page has no size");
    kvm->run_bytes = (size_t)bytes;
    return check_xsave(kvm, error);
}

int vmm_kvm_new(int kvm_fd, const struct vmm_memory *memory, struct vmm_kvm **ret_kvm,
                struct hw_error *error)
{
    struct vmm_kvm *kvm;
    int rc = check_host(kvm_fd, error);

    if (rc < 0)
        return rc;
    kvm = calloc(1, sizeof(*kvm));
    if (kvm == NULL)
        return hw_error_set(error, HW_ERROR_FAILED, ENOMEM, "memory", "ran out", "");
    kvm->kvm_fd = kvm_fd;
    kvm->vm_fd = -1;
    kvm->memory = memory;
    (void)pthread_mutex_init(&kvm->slots.mutex, NULL);
    rc = make(kvm, error);
    if (rc < 0) {
        vmm_kvm_free(kvm);
        return rc;
    }
    *ret_kvm = kvm;
    return 0;
}

void vmm_kvm_free(struct vmm_kvm *kvm)
{
    if (kvm == NULL)
        return;
    if (kvm->vm_fd >= 0)
        (void)close(kvm->vm_fd);
    (void)pthread_mutex_destroy(&kvm->slots.mutex);
    free(kvm->cpuid);
    free(kvm->msrs);
    free(kvm);
}

void vmm_kvm_line(const struct vmm_kvm *kvm, unsigned gsi, bool high)
{
    const struct kvm_irq_level level = { .irq = gsi, .level = high };

    (void)ioctl(kvm->vm_fd, KVM_IRQ_LINE, &level); /* fails for lines that are not there only */
}

void vmm_kvm_send_msi(const struct vmm_kvm *kvm, uint64_t address, uint32_t data)
{
    const struct kvm_msi msi = { .address_lo = (uint32_t)address,
                                 .address_hi = (uint32_t)(address >> 32),
                                 .data = data };

    (void)ioctl(kvm->vm_fd, KVM_SIGNAL_MSI, &msi); /* fails for an address that is no APIC's */
}

uint64_t vmm_kvm_clock_ns(const struct vmm_kvm *kvm)
{
    struct kvm_clock_data data = { 0 };

    (void)ioctl(kvm->vm_fd, KVM_GET_CLOCK, &data); /* cannot fail (vmm_kvm_new()) */
    return data.clock;
}

unsigned vmm_kvm_msrs(const struct vmm_kvm *kvm, const uint32_t **ret_indices)
{
    *ret_indices = kvm->msrs->indices;
    return kvm->msrs->nmsrs;
}
