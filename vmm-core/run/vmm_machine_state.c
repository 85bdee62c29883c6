/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine as sections, and out of them: each section is one device's, one vCPU's, or KVM's own of
 * the VM. On the way in the VM's comes first, since the vCPUs' counters are moved by what its clock
 * moved; the others in any order.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/hw_cleanup.h"
#include "vmm-core/machine/vmm_dev_ids.h"
#include "vmm-core/run/vmm_machine_priv.h"
#include "vmm-core/run/vmm_machine_save.h"
#include "vmm-core/save/vmm_save.h"

/* --- out --- */

static void put_section(struct vmm_save_tlv_writer *writer, uint32_t type, uint32_t instance,
                        uint16_t version, void (*fields)(void *of, struct vmm_state *state),
                        void *of)
{
    struct vmm_state state =
        vmm_state_saving(vmm_save_tlv_begin(writer, type, instance, version, true), version);

    fields(of, &state);
    vmm_save_tlv_end(writer);
}

static void vcpu_fields(void *of, struct vmm_state *state)
{
    vmm_vcpu_image_state(of, state);
}

static void vm_fields(void *of, struct vmm_state *state)
{
    vmm_kvm_image_state(of, state);
}

static int cannot(struct hw_error *error, int rc, const char *verb, const char *what)
{
    return hw_error_setf(error, HW_ERROR_FAILED, -rc, "KVM", "see the kernel's log",
                         "%s cannot be %s: %s", what, verb, strerror(-rc));
}

static int save_kvm(struct vmm_machine *machine, struct vmm_save_tlv_writer *writer,
                    struct hw_error *error)
{
    hw_auto_free struct vmm_vcpu_image *vcpu = malloc(sizeof(*vcpu));
    struct vmm_kvm_image vm;
    const char *what = "";
    int rc;

    if (vcpu == NULL)
        return hw_error_set(error, HW_ERROR_FAILED, ENOMEM, "memory", "ran out", "");
    rc = vmm_kvm_take(machine->kvm, &vm, &what);
    if (rc < 0)
        return cannot(error, rc, "saved", what);
    put_section(writer, VMM_DEV_VM, 0, VMM_KVM_IMAGE_VERSION, vm_fields, &vm);
    for (unsigned i = 0; i < machine->vcpu_count; i++) {
        rc = vmm_vcpu_take(machine->vcpus[i], vcpu, &what);
        if (rc < 0)
            return cannot(error, rc, "saved", what);
        put_section(writer, VMM_DEV_VCPU, i, VMM_VCPU_IMAGE_VERSION, vcpu_fields, vcpu);
    }
    return 0;
}

int vmm_machine_put(struct vmm_machine *machine, struct vmm_save_tlv_writer *writer,
                    struct hw_error *error)
{
    int rc = save_kvm(machine, writer, error);

    if (rc < 0)
        return rc;
    (void)pthread_mutex_lock(&machine->mutex);
    for (unsigned i = 0; i < machine->device_count; i++) {
        const struct vmm_dev *device = &machine->devices[i];

        put_section(writer, device->ops->id, device->instance, device->ops->version,
                    device->ops->state, device->dev);
    }
    (void)pthread_mutex_unlock(&machine->mutex);
    return 0;
}

int vmm_machine_save(struct vmm_machine *machine, void *bytes, size_t size, size_t *ret_bytes,
                     struct hw_error *error)
{
    struct vmm_save_tlv_writer writer = vmm_save_tlv_writer_over(bytes, size);
    int rc = vmm_machine_put(machine, &writer, error);

    if (rc < 0)
        return rc;
    rc = vmm_save_tlv_finish(&writer, ret_bytes);
    return rc < 0 ? hw_error_set(error, HW_ERROR_FAILED, ENOSPC, "saved state",
                                 "the machine's sections do not fit", "update hawser here")
                  : 0;
}

/* --- in --- */

static const struct vmm_dev *find_device(const struct vmm_machine *machine, uint32_t type,
                                         uint32_t instance)
{
    for (unsigned i = 0; i < machine->device_count; i++)
        if (machine->devices[i].ops->id == type && machine->devices[i].instance == instance)
            return &machine->devices[i];
    return NULL;
}

/* Some device of that type, whichever instance; check_shape() asks for it. */
static const struct vmm_dev *find_type(const struct vmm_machine *machine, uint32_t type)
{
    for (unsigned i = 0; i < machine->device_count; i++)
        if (machine->devices[i].ops->id == type)
            return &machine->devices[i];
    return NULL;
}

bool vmm_machine_knows(const struct vmm_machine *machine, uint32_t type, uint16_t version)
{
    const struct vmm_dev *device = find_type(machine, type);

    if (type == VMM_DEV_VM)
        return version <= VMM_KVM_IMAGE_VERSION;
    if (type == VMM_DEV_VCPU)
        return version <= VMM_VCPU_IMAGE_VERSION;
    return device != NULL && version <= device->ops->version;
}

/* What the guest needs has been looked at by whoever read the state. */
static bool knows(void *context, uint32_t type, uint16_t version)
{
    return type == VMM_SAVE_TYPE_NEEDS || vmm_machine_knows(context, type, version);
}

static int bad_section(struct hw_error *error, int rc, const struct vmm_save_tlv *tlv,
                       const char *what)
{
    return hw_error_setf(error, HW_ERROR_REFUSED, -rc, "saved state",
                         rc == -EPROTONOSUPPORT ? "start the VM with the machine that it was saved "
                                                  "from, or update hawser here"
                                                : "give the state up with --discard-state",
                         "its section %u.%u, at byte %llu, %s", tlv->type, tlv->instance,
                         (unsigned long long)tlv->offset_bytes, what);
}

static int read_fields(const struct vmm_save_tlv *tlv,
                       void (*fields)(void *of, struct vmm_state *state), void *of)
{
    struct vmm_state state = vmm_state_loading(tlv->bytes, tlv->length_bytes, tlv->version);

    fields(of, &state);
    return vmm_state_end(&state);
}

/* The section of this type and instance; -ENOENT: there is none. */
static int find_section(const void *bytes, size_t size, uint32_t type, uint32_t instance,
                        struct vmm_save_tlv *ret_tlv)
{
    struct vmm_save_tlv_reader reader = vmm_save_tlv_reader_over(bytes, size);
    int rc;

    do
        rc = vmm_save_tlv_next(&reader, ret_tlv);
    while (rc == 0 && (ret_tlv->type != type || ret_tlv->instance != instance));
    return rc;
}

static int missing(struct hw_error *error, const char *name, unsigned instance)
{
    return hw_error_setf(error, HW_ERROR_REFUSED, ENOENT, "saved state",
                         "start the VM with the machine that it was saved from",
                         "has nothing of %s %u", name, instance);
}

static int load_vm(struct vmm_machine *machine, const void *bytes, size_t size,
                   struct vmm_kvm_shift *ret_shift, struct hw_error *error)
{
    struct vmm_kvm_image image = { 0 };
    struct vmm_save_tlv tlv;
    const char *what = "";
    int rc;

    if (find_section(bytes, size, VMM_DEV_VM, 0, &tlv) < 0)
        return missing(error, "the VM", 0);
    if (read_fields(&tlv, vm_fields, &image) < 0)
        return bad_section(error, -EBADMSG, &tlv, "is damaged");
    rc = vmm_kvm_give(machine->kvm, &image, ret_shift, &what);
    return rc < 0 ? cannot(error, rc, "loaded", what) : 0;
}

static int load_vcpu(struct vmm_machine *machine, const void *bytes, size_t size, unsigned i,
                     const struct vmm_kvm_shift *shift, struct hw_error *error)
{
    hw_auto_free struct vmm_vcpu_image *image = calloc(1, sizeof(*image));
    struct vmm_save_tlv tlv;
    const char *what = "";
    int rc;

    if (image == NULL)
        return hw_error_set(error, HW_ERROR_FAILED, ENOMEM, "memory", "ran out", "");
    if (find_section(bytes, size, VMM_DEV_VCPU, i, &tlv) < 0)
        return missing(error, "vCPU", i);
    if (read_fields(&tlv, vcpu_fields, image) < 0)
        return bad_section(error, -EBADMSG, &tlv, "is damaged");
    rc = vmm_vcpu_give(machine->vcpus[i], image, shift, &what);
    return rc < 0 ? cannot(error, rc, "loaded", what) : 0;
}

static int load_devices(struct vmm_machine *machine, const void *bytes, size_t size,
                        struct hw_error *error)
{
    int rc = 0;

    (void)pthread_mutex_lock(&machine->mutex);
    for (unsigned i = 0; rc == 0 && i < machine->device_count; i++) {
        const struct vmm_dev *device = &machine->devices[i];
        struct vmm_save_tlv tlv;

        if (find_section(bytes, size, device->ops->id, device->instance, &tlv) < 0)
            rc = missing(error, device->ops->name, device->instance);
        else if (read_fields(&tlv, device->ops->state, device->dev) < 0)
            rc = bad_section(error, -EBADMSG, &tlv, "is damaged");
    }
    (void)pthread_mutex_unlock(&machine->mutex);
    return rc;
}

/* A vCPU or a device that this machine does not have is not left behind without a word. */
static int check_shape(const struct vmm_machine *machine, const void *bytes, size_t size,
                       struct hw_error *error)
{
    struct vmm_save_tlv_reader reader = vmm_save_tlv_reader_over(bytes, size);
    struct vmm_save_tlv tlv;

    while (vmm_save_tlv_next(&reader, &tlv) == 0) {
        const bool here = tlv.type == VMM_SAVE_TYPE_NEEDS ? true
                          : tlv.type == VMM_DEV_VM        ? tlv.instance == 0
                          : tlv.type == VMM_DEV_VCPU
                              ? tlv.instance < machine->vcpu_count
                              : find_device(machine, tlv.type, tlv.instance) != NULL;

        if (!here && tlv.required)
            return bad_section(error, -EPROTONOSUPPORT, &tlv, "is of what this machine lacks");
    }
    return 0;
}

int vmm_machine_load(struct vmm_machine *machine, const void *bytes, size_t size,
                     struct hw_error *error)
{
    struct vmm_kvm_shift shift;
    struct vmm_save_tlv tlv = { 0 };
    int rc = vmm_save_tlv_check(bytes, size, knows, machine, &tlv);

    if (rc < 0)
        return bad_section(error, rc, &tlv,
                           rc == -EPROTONOSUPPORT ? "is not known here"
                           : rc == -EEXIST        ? "is there twice"
                                                  : "is damaged");
    rc = check_shape(machine, bytes, size, error);
    if (rc == 0)
        rc = load_vm(machine, bytes, size, &shift, error);
    for (unsigned i = 0; rc == 0 && i < machine->vcpu_count; i++)
        rc = load_vcpu(machine, bytes, size, i, &shift, error);
    if (rc == 0)
        rc = load_devices(machine, bytes, size, error);
    return rc;
}
