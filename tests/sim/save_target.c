/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tests' host that restores: see the header. */
#include <config.h>

#include "tests/sim/save_target.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool known(void *context, uint32_t type, uint16_t version)
{
    (void)context;
    return (type == VMM_SAVE_TYPE_DEVICE && version == 1) ||
           (type == VMM_SAVE_TYPE_DEVICE + 1 && version == 2);
}

static int load(void *context, const struct vmm_save_tlv *section)
{
    struct save_target *target = context;
    struct hw_reader reader = hw_reader_over(section->bytes, section->length_bytes);

    if (target->running || section->type == target->refuse_type)
        return -EIO;
    target->loads++;
    if (section->type == VMM_SAVE_TYPE_DEVICE)
        target->beats = hw_read_le64(&reader);
    return hw_reader_status(&reader);
}

static void block(void *context, uint64_t number, uint16_t nonzero)
{
    struct save_target *target = context;

    if (nonzero == 0)
        abort();
    if (target->blocks < SAVE_TARGET_BLOCKS)
        target->block_order[target->blocks] = number;
    target->blocks++;
}

static void ready(void *context)
{
    struct save_target *target = context;

    target->running = true;
    if (target->on_ready != NULL)
        target->on_ready(target->context);
}

static void ended(void *context, int rc, const struct vmm_restore_fault *fault)
{
    struct save_target *target = context;

    if (target->ended)
        abort();
    target->ended = true;
    target->rc = rc;
    target->fault = *fault;
}

static void frozen(void *context, int rc, const struct vmm_restore_fault *fault)
{
    struct save_target *target = context;

    target->frozen++;
    target->rc = rc;
    target->fault = *fault;
}

struct save_target *save_target_new(struct save_disk *disk, unsigned holder, uint16_t node,
                                    uint32_t owner_generation, enum vmm_restore_mode mode)
{
    struct save_target *target = calloc(1, sizeof(*target));
    size_t bytes = (size_t)vmm_save_needed_bytes(SAVE_GUEST_BYTES, SAVE_GUEST_CPUS);

    if (target == NULL || posix_memalign((void **)&target->memory, 4096, SAVE_GUEST_BYTES) != 0)
        abort();
    target->part = calloc(1, bytes);
    if (target->part == NULL)
        abort();
    memset(target->memory, 0, SAVE_GUEST_BYTES);
    target->user = (struct save_disk_user) { .disk = disk, .holder = holder };
    target->ranges[0] = (struct vmm_save_range) { target->memory, SAVE_GUEST_LOW_BYTES, 0 };
    target->ranges[1] =
        (struct vmm_save_range) { target->memory + SAVE_GUEST_LOW_BYTES,
                                  SAVE_GUEST_BYTES - SAVE_GUEST_LOW_BYTES, SAVE_GUEST_LOW_BYTES };
    save_guest_needs(&target->has);
    target->options = (struct vmm_restore_options) { .mode = mode,
                                                     .vm_uuid = { 1, 2, 3, 4 },
                                                     .node = node,
                                                     .owner_generation = owner_generation,
                                                     .cpus = SAVE_GUEST_CPUS,
                                                     .area_bytes = save_guest_area_bytes(),
                                                     .has = &target->has,
                                                     .populated = target->populated };
    return target;
}

void save_target_free(struct save_target *target)
{
    if (target == NULL)
        return;
    vmm_restore_free(target->restore);
    free(target->memory);
    free(target->part);
    free(target);
}

int save_target_start(struct save_target *target)
{
    const struct vmm_save_memory memory = { target->ranges, 2, vmm_save_all_data, NULL };
    const struct vmm_save_queue queue = save_disk_queue(&target->user);
    const struct vmm_restore_guest guest = { .known = known,
                                             .load = load,
                                             .block = block,
                                             .ready = ready,
                                             .ended = ended,
                                             .frozen = frozen,
                                             .context = target };

    return vmm_restore_start(&target->options, &memory, target->part, &queue, &guest,
                             &target->restore);
}

void save_target_finish(struct save_target *target)
{
    while (!target->ended && save_disk_step(target->user.disk))
        ;
}

struct save_target *save_target_run(struct save_disk *disk, unsigned holder, uint16_t node,
                                    uint32_t owner_generation, enum vmm_restore_mode mode)
{
    struct save_target *target = save_target_new(disk, holder, node, owner_generation, mode);

    if (save_target_start(target) < 0)
        abort();
    save_target_finish(target);
    return target;
}
