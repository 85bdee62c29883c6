/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Restoring a machine. All of its sections are loaded at once, since their order is the machine's;
 * what KVM wrote to guest memory meanwhile (a clock's page) is taken away again before the memory
 * is read, for it may lie where the guest has something else.
 */
#include "config.h"

#include "vmm-core/run/vmm_restorer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_NS UINT64_C(500000000)

struct vmm_restorer {
    qb_loop_t *loop;
    struct vmm_machine *machine;
    struct vmm_restorer_callbacks callbacks;
    enum vmm_restore_mode mode;
    struct vmm_restore *restore;
    struct hw_error error; /* of loading */
    bool loaded, retries;
    qb_loop_timer_handle timer;
};

/* --- words --- */

static int refuse(int rc, struct hw_error *error, const char *reason, const char *remedy)
{
    return hw_error_set(error, HW_ERROR_REFUSED, -rc, "saved state", reason, remedy);
}

static int lacks(int rc, const struct vmm_restore_fault *fault, struct hw_error *error)
{
    const struct vmm_save_need *need = &fault->missing;

    return hw_error_setf(error, HW_ERROR_REFUSED, -rc, "saved state",
                         "restore it where it was saved, or on a host that has it",
                         "this host lacks what its guest uses: %s %#x, %#llx",
                         vmm_save_need_name(need->kind), need->id, (unsigned long long)need->value);
}

static int damaged(int rc, const struct vmm_restore_fault *fault, struct hw_error *error)
{
    char text[VMM_RESTORE_FAULT_TEXT_BYTES];

    return hw_error_setf(error, HW_ERROR_REFUSED, -rc, "saved state",
                         "give it up with --discard-state", "is damaged: %s",
                         vmm_restore_fault_text(fault, text));
}

static int unknown(int rc, const struct vmm_restore_fault *fault, struct hw_error *error)
{
    if (fault->part != VMM_RESTORE_PART_SECTIONS)
        return refuse(rc, error, "is of another version of hawser", "use that one");
    return hw_error_setf(error, HW_ERROR_REFUSED, -rc, "saved state", "update hawser here",
                         "its section %u.%u is not known here", fault->type, fault->instance);
}

int vmm_restorer_words(int rc, const struct vmm_restore_fault *fault, struct hw_error *error)
{
    switch (rc) {
    case -ENOENT:
        return refuse(rc, error, "there is none", "start the VM with run");
    case -EUCLEAN:
        return refuse(rc, error, "there is none: a save was cut off, or a cold start",
                      "start the VM with run");
    case -EBUSY:
        return refuse(rc, error, "one waits to be restored",
                      "use restore, or give it up with --discard-state");
    case -EXDEV:
        return refuse(rc, error, "is that of another VM", "look at --state and --uuid");
    case -EMSGSIZE:
        return refuse(rc, error, "is of a guest of another size",
                      "give the --memory and --cpus that inspect shows");
    case -ENOTSUP:
        return lacks(rc, fault, error);
    case -EPROTONOSUPPORT:
        return unknown(rc, fault, error);
    case -EBADMSG:
        return damaged(rc, fault, error);
    case -ESTALE:
        return refuse(rc, error, "another owner of the LUN has taken it", "");
    default:
        return hw_error_setf(error, HW_ERROR_FAILED, -rc, "saved state", "see hawser-lun",
                             "cannot be read or written: %s", strerror(-rc));
    }
}

/* --- the guest --- */

static bool known(void *context, uint32_t type, uint16_t version)
{
    return vmm_machine_knows(((struct vmm_restorer *)context)->machine, type, version);
}

static int load(void *context, const struct vmm_save_tlv *section)
{
    struct vmm_restorer *restorer = context;
    const uint8_t *sections;
    size_t bytes;
    int rc;

    (void)section;
    if (restorer->loaded)
        return 0;
    restorer->loaded = true;
    bytes = vmm_restore_sections(restorer->restore, &sections);
    rc = vmm_machine_load(restorer->machine, sections, bytes, &restorer->error);
    return rc < 0 ? rc : vmm_machine_clear(restorer->machine);
}

static void block(void *context, uint64_t number, uint16_t nonzero)
{
    (void)context;
    (void)number;
    (void)nonzero;
}

/* Is there nothing in the state that could be run? */
static bool is_empty(const struct vmm_restorer *restorer)
{
    return restorer->mode == VMM_RESTORE_EAGER && !restorer->loaded;
}

static void ready(void *context)
{
    struct vmm_restorer *restorer = context;

    if (!is_empty(restorer))
        restorer->callbacks.ready(restorer->callbacks.context);
}

static void ended(void *context, int rc, const struct vmm_restore_fault *fault)
{
    struct vmm_restorer *restorer = context;
    struct hw_error error = restorer->error;

    if (rc == 0 && is_empty(restorer))
        rc = -EBADMSG;
    if (rc < 0)
        (void)vmm_restorer_words(rc, fault, &error);
    restorer->callbacks.ended(restorer->callbacks.context, rc < 0 ? &error : NULL);
}

static void retry_due(void *data)
{
    struct vmm_restorer *restorer = data;

    restorer->retries = false;
    vmm_restore_retry(restorer->restore);
}

static void frozen(void *context, int rc, const struct vmm_restore_fault *fault)
{
    struct vmm_restorer *restorer = context;
    struct hw_error error = { 0 };

    if (!restorer->retries)
        restorer->retries = qb_loop_timer_add(restorer->loop, QB_LOOP_MED, RETRY_NS, restorer,
                                              retry_due, &restorer->timer) == 0;
    (void)vmm_restorer_words(rc, fault, &error);
    restorer->callbacks.frozen(restorer->callbacks.context, &error);
}

/* --- from outside --- */

static int begin(struct vmm_restorer *restorer, const struct vmm_identity *who,
                 const struct vmm_place *place)
{
    const struct vmm_restore_guest guest = { known, load, block, ready, ended, frozen, restorer };
    struct vmm_save_needs has = { .count = 0 };
    struct vmm_save_memory memory;
    struct vmm_restore_options options = {
        .mode = restorer->mode,
        .node = who->node,
        .owner_generation = who->generation,
        .area_bytes = place->area_bytes,
        .has = &has,
    };
    int rc = vmm_machine_needs(restorer->machine, &has);

    memcpy(options.vm_uuid, who->vm_uuid, sizeof(options.vm_uuid));
    vmm_machine_pages(restorer->machine, &memory);
    options.cpus = vmm_machine_cpus(restorer->machine);
    return rc < 0 ? rc
                  : vmm_restore_start(&options, &memory, place->part, &place->queue, &guest,
                                      &restorer->restore);
}

int vmm_restorer_start(qb_loop_t *loop, struct vmm_machine *machine, enum vmm_restore_mode mode,
                       const struct vmm_identity *who, const struct vmm_place *place,
                       const struct vmm_restorer_callbacks *callbacks,
                       struct vmm_restorer **ret_restorer, struct hw_error *error)
{
    struct vmm_restorer *restorer = calloc(1, sizeof(*restorer));
    int rc;

    if (restorer == NULL)
        return hw_error_set(error, HW_ERROR_FAILED, ENOMEM, "memory", "ran out", "");
    restorer->loop = loop;
    restorer->machine = machine;
    restorer->mode = mode;
    restorer->callbacks = *callbacks;
    rc = begin(restorer, who, place);
    if (rc < 0) {
        const struct vmm_restore_fault none = { .part = VMM_RESTORE_PART_NONE };

        free(restorer);
        return vmm_restorer_words(rc, &none, error);
    }
    *ret_restorer = restorer;
    return 0;
}

void vmm_restorer_free(struct vmm_restorer *restorer)
{
    if (restorer == NULL)
        return;
    if (restorer->retries)
        (void)qb_loop_timer_del(restorer->loop, restorer->timer);
    vmm_restore_free(restorer->restore);
    free(restorer);
}

void vmm_restorer_retry(struct vmm_restorer *restorer)
{
    vmm_restore_retry(restorer->restore);
}
