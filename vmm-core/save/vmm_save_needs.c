/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The list of what a guest needs of its host: codec, digest, comparison. Pure. */
#include "config.h"

#include "vmm-core/save/vmm_save_needs.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <xxhash.h>

#include "common/hw_cursor.h"

enum rule { EQUAL, SUBSET, AT_LEAST, UNKNOWN };

const char *vmm_save_need_name(uint32_t kind)
{
    static const struct {
        uint32_t kind;
        const char *name;
    } names[] = {
        { VMM_SAVE_NEED_FORMAT, "format of the saved state" },
        { VMM_SAVE_NEED_MEMORY, "memory size" },
        { VMM_SAVE_NEED_CPUS, "number of vCPUs" },
        { VMM_SAVE_NEED_CPU_MODEL, "CPU model" },
        { VMM_SAVE_NEED_CPUID, "CPUID features" },
        { VMM_SAVE_NEED_MSR, "MSR" },
        { VMM_SAVE_NEED_TSC_KHZ, "TSC frequency" },
        { VMM_SAVE_NEED_DEVICE, "device" },
        { VMM_SAVE_NEED_DEVICE_FEATURES, "device features" },
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i].kind == kind)
            return names[i].name;
    return "?";
}

static enum rule rule_of(uint32_t kind)
{
    switch (kind) {
#define RULE(name, number, rule) \
    case (number):               \
        return rule;
        VMM_SAVE_NEED_KINDS(RULE)
#undef RULE
    default:
        return UNKNOWN;
    }
}

static bool before(const struct vmm_save_need *a, uint32_t kind, uint32_t id)
{
    return a->kind < kind || (a->kind == kind && a->id < id);
}

/* The place of this need, or where it would be put. */
static uint32_t place_of(const struct vmm_save_needs *needs, uint32_t kind, uint32_t id)
{
    uint32_t at = 0;

    while (at < needs->count && before(&needs->items[at], kind, id))
        at++;
    return at;
}

static bool is_at(const struct vmm_save_needs *needs, uint32_t at, uint32_t kind, uint32_t id)
{
    return at < needs->count && needs->items[at].kind == kind && needs->items[at].id == id;
}

int vmm_save_needs_add(struct vmm_save_needs *needs, enum vmm_save_need_kind kind, uint32_t id,
                       uint64_t value)
{
    uint32_t at = place_of(needs, kind, id);

    if (is_at(needs, at, kind, id)) {
        if (rule_of(kind) == SUBSET)
            needs->items[at].value |= value;
        return needs->items[at].value == value || rule_of(kind) == SUBSET ? 0 : -EEXIST;
    }
    if (needs->count == VMM_SAVE_NEEDS_MAX)
        return -ENOSPC;
    memmove(&needs->items[at + 1], &needs->items[at],
            (needs->count - at) * sizeof(needs->items[0]));
    needs->items[at] = (struct vmm_save_need) { .kind = kind, .id = id, .value = value };
    needs->count++;
    return 0;
}

size_t vmm_save_needs_encode(const struct vmm_save_needs *needs, void *data, size_t size)
{
    struct hw_writer writer = hw_writer_over(data, size);

    for (uint32_t i = 0; i < needs->count; i++) {
        hw_write_le32(&writer, needs->items[i].kind);
        hw_write_le32(&writer, needs->items[i].id);
        hw_write_le64(&writer, needs->items[i].value);
    }
    return hw_writer_status(&writer) < 0 ? 0 : writer.at;
}

int vmm_save_needs_decode(const void *data, size_t size, struct vmm_save_needs *ret_needs)
{
    struct hw_reader reader = hw_reader_over(data, size);
    struct vmm_save_needs needs = { .count = (uint32_t)(size / VMM_SAVE_NEED_BYTES) };

    if (size % VMM_SAVE_NEED_BYTES != 0 || size / VMM_SAVE_NEED_BYTES > VMM_SAVE_NEEDS_MAX)
        return -EBADMSG;
    for (uint32_t i = 0; i < needs.count; i++) {
        needs.items[i].kind = hw_read_le32(&reader);
        needs.items[i].id = hw_read_le32(&reader);
        needs.items[i].value = hw_read_le64(&reader);
        if (i > 0 && !before(&needs.items[i - 1], needs.items[i].kind, needs.items[i].id))
            return -EBADMSG;
    }
    *ret_needs = needs;
    return 0;
}

void vmm_save_needs_digest(const struct vmm_save_needs *needs,
                           uint8_t ret_digest[STO_SAVED_DIGEST_BYTES])
{
    uint8_t bytes[VMM_SAVE_NEEDS_MAX * VMM_SAVE_NEED_BYTES];
    size_t size = vmm_save_needs_encode(needs, bytes, sizeof(bytes));
    XXH128_hash_t hash = XXH3_128bits(bytes, size);
    struct hw_writer writer = hw_writer_over(ret_digest, STO_SAVED_DIGEST_BYTES);

    hw_write_le64(&writer, hash.low64);
    hw_write_le64(&writer, hash.high64);
}

/* `has` is NULL if the host says nothing of it: then no bits, and nothing equal. */
static bool is_met(const struct vmm_save_need *need, const struct vmm_save_need *has)
{
    switch (rule_of(need->kind)) {
    case EQUAL:
        return has != NULL && has->value == need->value;
    case SUBSET:
        return (need->value & ~(has != NULL ? has->value : 0)) == 0;
    case AT_LEAST:
        return has != NULL && has->value >= need->value;
    case UNKNOWN:
        return false;
    }
    return false;
}

int vmm_save_needs_check(const struct vmm_save_needs *needs, const struct vmm_save_needs *has,
                         struct vmm_save_need *ret_missing)
{
    for (uint32_t i = 0; i < needs->count; i++) {
        const struct vmm_save_need *need = &needs->items[i];
        uint32_t at = place_of(has, need->kind, need->id);

        if (!is_met(need, is_at(has, at, need->kind, need->id) ? &has->items[at] : NULL)) {
            *ret_missing = *need;
            return -ENOTSUP;
        }
    }
    return 0;
}
