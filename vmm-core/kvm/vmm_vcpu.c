/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of a vCPU's thread. `want` says what is asked of it, under the mutex; immediate_exit
 * lets KVM_RUN return at once, whether it is inside or about to enter, and the signal gets it out
 * of the guest. KVM_RUN completes a handled exit before it looks at immediate_exit, so the thread
 * stands only after it said EINTR.
 */
#include "config.h"

#include "vmm-core/kvm/vmm_vcpu.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "vmm-core/kvm/vmm_cpuid.h"
#include "vmm-core/kvm/vmm_kvm_priv.h"
#include "vmm-core/kvm/vmm_vcpu_priv.h"

static void kicked(int number)
{
    (void)number; /* KVM_RUN comes back with EINTR */
}

static int take_signal(void)
{
    const struct sigaction action = { .sa_handler = kicked };

    return sigaction(SIGRTMIN + VMM_VCPU_SIGNAL_OFFSET, &action, NULL);
}

/* KVM_RUN until it is interrupted or broken; 0 or the errno that ends it. */
static int enter(struct vmm_vcpu *vcpu)
{
    for (;;) {
        if (ioctl(vcpu->fd, KVM_RUN, 0) == 0) {
            vcpu->callbacks.exited(vcpu->callbacks.context, vcpu, vcpu->run);
            continue;
        }
        if (errno == EINTR)
            return 0;
        if (errno != EAGAIN) /* EAGAIN: waits for its start-up interrupt */
            return errno;
    }
}

static void stand(struct vmm_vcpu *vcpu)
{
    vcpu->stands = true;
    (void)pthread_cond_broadcast(&vcpu->changed);
    while (vcpu->want == VCPU_STAND)
        (void)pthread_cond_wait(&vcpu->changed, &vcpu->mutex);
}

static void *live(void *data)
{
    struct vmm_vcpu *vcpu = data;
    int code;

    (void)pthread_mutex_lock(&vcpu->mutex);
    for (;;) {
        if (vcpu->want != VCPU_RUN)
            stand(vcpu);
        if (vcpu->want == VCPU_END)
            break;
        vcpu->stands = false;
        __atomic_store_n(&vcpu->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
        (void)pthread_mutex_unlock(&vcpu->mutex);
        code = enter(vcpu);
        (void)pthread_mutex_lock(&vcpu->mutex);
        if (code == 0)
            continue;
        vcpu->want = vcpu->want == VCPU_END ? VCPU_END : VCPU_STAND;
        (void)pthread_mutex_unlock(&vcpu->mutex);
        vcpu->callbacks.broken(vcpu->callbacks.context, vcpu, code);
        (void)pthread_mutex_lock(&vcpu->mutex);
    }
    vcpu->stands = true;
    (void)pthread_cond_broadcast(&vcpu->changed);
    (void)pthread_mutex_unlock(&vcpu->mutex);
    return NULL;
}

static void set_want(struct vmm_vcpu *vcpu, enum vcpu_want want)
{
    (void)pthread_mutex_lock(&vcpu->mutex);
    if (vcpu->want != VCPU_END)
        vcpu->want = want;
    if (want != VCPU_RUN) {
        __atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
        if (!vcpu->stands && !pthread_equal(vcpu->thread, pthread_self()))
            (void)pthread_kill(vcpu->thread, SIGRTMIN + VMM_VCPU_SIGNAL_OFFSET);
    }
    (void)pthread_cond_broadcast(&vcpu->changed);
    (void)pthread_mutex_unlock(&vcpu->mutex);
}

void vmm_vcpu_run(struct vmm_vcpu *vcpu)
{
    set_want(vcpu, VCPU_RUN);
}

void vmm_vcpu_pause(struct vmm_vcpu *vcpu)
{
    set_want(vcpu, VCPU_STAND);
}

void vmm_vcpu_wait(struct vmm_vcpu *vcpu)
{
    (void)pthread_mutex_lock(&vcpu->mutex);
    while (!vcpu->stands && vcpu->want != VCPU_RUN)
        (void)pthread_cond_wait(&vcpu->changed, &vcpu->mutex);
    (void)pthread_mutex_unlock(&vcpu->mutex);
}

unsigned vmm_vcpu_index(const struct vmm_vcpu *vcpu)
{
    return vcpu->index;
}

uint64_t vmm_vcpu_cpu_ns(const struct vmm_vcpu *vcpu)
{
    struct timespec had = { 0 };
    clockid_t clock;

    if (pthread_getcpuclockid(vcpu->thread, &clock) == 0)
        (void)clock_gettime(clock, &had);
    return (uint64_t)had.tv_sec * 1000000000 + (uint64_t)had.tv_nsec;
}

/* What this processor is told of itself; the rate of its counter is known only now. */
static int set_cpuid(const struct vmm_vcpu *vcpu)
{
    const struct kvm_cpuid2 *offer = vcpu->kvm->cpuid;
    const int khz = ioctl(vcpu->fd, KVM_GET_TSC_KHZ, 0);
    const struct vmm_cpuid_own own = { .apic_id = vcpu->index,
                                       .tsc_khz = khz > 0 ? (uint32_t)khz : 0 };
    struct kvm_cpuid2 *cpuid =
        calloc(1, sizeof(*cpuid) + VMM_CPUID_MAX * sizeof(cpuid->entries[0]));
    int rc;

    if (cpuid == NULL)
        return -ENOMEM;
    rc = vmm_cpuid_make(offer->entries, offer->nent, &own, cpuid->entries, VMM_CPUID_MAX);
    if (rc > 0) {
        cpuid->nent = (uint32_t)rc;
        rc = ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid) < 0 ? -errno : 0;
    }
    free(cpuid);
    return rc;
}

static int open_vcpu(struct vmm_vcpu *vcpu)
{
    vcpu->fd = ioctl(vcpu->kvm->vm_fd, KVM_CREATE_VCPU, (unsigned long)vcpu->index);
    if (vcpu->fd < 0)
        return -errno;
    vcpu->run = mmap(NULL, vcpu->kvm->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
    if (vcpu->run == MAP_FAILED) {
        vcpu->run = NULL;
        return -errno;
    }
    return set_cpuid(vcpu);
}

static int start(struct vmm_vcpu *vcpu)
{
    int rc = open_vcpu(vcpu);

    if (rc == 0 && take_signal() < 0)
        rc = -errno;
    if (rc == 0)
        rc = -pthread_create(&vcpu->thread, NULL, live, vcpu);
    vcpu->lives = rc == 0;
    return rc;
}

int vmm_vcpu_new(struct vmm_kvm *kvm, unsigned index, const struct vmm_vcpu_callbacks *callbacks,
                 struct vmm_vcpu **ret_vcpu, struct hw_error *error)
{
    struct vmm_vcpu *vcpu = calloc(1, sizeof(*vcpu));
    int rc;

    if (vcpu == NULL)
        return hw_error_set(error, HW_ERROR_FAILED, ENOMEM, "memory", "ran out", "");
    vcpu->kvm = kvm;
    vcpu->index = index;
    vcpu->fd = -1;
    vcpu->callbacks = *callbacks;
    vcpu->stands = true;
    (void)pthread_mutex_init(&vcpu->mutex, NULL);
    (void)pthread_cond_init(&vcpu->changed, NULL);
    rc = start(vcpu);
    if (rc < 0) {
        vmm_vcpu_free(vcpu);
        return hw_error_setf(error, HW_ERROR_FAILED, -rc, "KVM", "see the kernel's log",
                             "vCPU %u cannot be made: %s", index, strerror(-rc));
    }
    *ret_vcpu = vcpu;
    return 0;
}

void vmm_vcpu_free(struct vmm_vcpu *vcpu)
{
    if (vcpu == NULL)
        return;
    if (vcpu->lives) {
        set_want(vcpu, VCPU_END);
        (void)pthread_join(vcpu->thread, NULL);
    }
    if (vcpu->run != NULL)
        (void)munmap(vcpu->run, vcpu->kvm->run_bytes);
    if (vcpu->fd >= 0)
        (void)close(vcpu->fd);
    (void)pthread_cond_destroy(&vcpu->changed);
    (void)pthread_mutex_destroy(&vcpu->mutex);
    free(vcpu);
}
