/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest of kvm_guest.h.
 */
#include <config.h>

#include "tests/unit/kvm_guest.h"

#include <string.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static void exited(void *context, struct vmm_vcpu *vcpu, struct kvm_run *run)
{
    struct kvm_guest *guest = context;
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
    struct kvm_guest *guest = context;

    (void)vcpu;
    (void)pthread_mutex_lock(&guest->mutex);
    guest->broken = code;
    (void)pthread_cond_broadcast(&guest->changed);
    (void)pthread_mutex_unlock(&guest->mutex);
}

void kvm_guest_wait(struct kvm_guest *guest, unsigned exits)
{
    (void)pthread_mutex_lock(&guest->mutex);
    while (guest->exits < exits && guest->broken == 0)
        (void)pthread_cond_wait(&guest->changed, &guest->mutex);
    (void)pthread_mutex_unlock(&guest->mutex);
}

bool kvm_guest_possible(void)
{
    if (access("/dev/kvm", R_OK | W_OK) == 0)
        return true;
    unit_skip("no /dev/kvm that may be opened");
    return false;
}

void kvm_guest_begin(struct kvm_guest *guest, const uint8_t *code, size_t bytes)
{
    const struct vmm_vcpu_callbacks callbacks = { exited, broken, guest };
    struct hw_error error = { 0 };

    memset(guest, 0, sizeof(*guest));
    (void)pthread_mutex_init(&guest->mutex, NULL);
    (void)pthread_cond_init(&guest->changed, NULL);
    guest->kvm_fd = vmm_kvm_open(&error);
    CU_ASSERT_TRUE_FATAL(guest->kvm_fd >= 0);
    CU_ASSERT_EQUAL_FATAL(vmm_memory_new(GUEST_BYTES, &guest->memory, &error), 0);
    CU_ASSERT_EQUAL_FATAL(vmm_kvm_new(guest->kvm_fd, &guest->memory, &guest->kvm, &error), 0);
    CU_ASSERT_EQUAL_FATAL(vmm_vcpu_new(guest->kvm, 0, &callbacks, &guest->vcpu, &error), 0);
    if (bytes == 0)
        return;
    memcpy(vmm_memory_at(&guest->memory, GUEST_CODE_AT, bytes), code, bytes);
    CU_ASSERT_EQUAL(vmm_vcpu_begin(guest->vcpu, VMM_VCPU_REAL, GUEST_CODE_AT, 0), 0);
}

void kvm_guest_end(struct kvm_guest *guest)
{
    vmm_vcpu_free(guest->vcpu);
    vmm_kvm_free(guest->kvm);
    vmm_memory_free(&guest->memory);
    close(guest->kvm_fd);
    (void)pthread_cond_destroy(&guest->changed);
    (void)pthread_mutex_destroy(&guest->mutex);
}

void kvm_guest_run_to(struct kvm_guest *guest, unsigned exits)
{
    guest->pauses_at = exits;
    vmm_vcpu_run(guest->vcpu);
    kvm_guest_wait(guest, exits);
    vmm_vcpu_wait(guest->vcpu);
    CU_ASSERT_EQUAL(guest->broken, 0);
    CU_ASSERT_EQUAL(guest->exits, exits);
}

uint16_t kvm_guest_word(const struct kvm_guest *guest)
{
    uint16_t word;

    memcpy(&word, vmm_memory_at(&guest->memory, GUEST_DATA_AT, sizeof(word)), sizeof(word));
    return word;
}
