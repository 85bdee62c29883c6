/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a host must have to run a guest: its CPU features, MSRs, devices with versions and features,
 * format and sizes (vmm.md, "Compatibility before anything pauses"). The source makes this list
 * before anything pauses; the target compares it with its own and answers can, or cannot and why.
 * The list goes into the saved state as a section, and its digest into the header. Pure.
 */
#ifndef VMM_SAVE_NEEDS_H
#define VMM_SAVE_NEEDS_H

#include <stddef.h>
#include <stdint.h>

#include "storage/sto_saved.h"

/* clang-format off */
/* Name, number on disk, and how the target's value is judged. */
#define VMM_SAVE_NEED_KINDS(X) \
    X(FORMAT, 1, EQUAL)           /* value: major version of the saved state */ \
    X(MEMORY, 2, EQUAL)           /* bytes */ \
    X(CPUS, 3, EQUAL) \
    X(CPU_MODEL, 4, EQUAL)        /* xxh3 of the named baseline */ \
    X(CPUID, 5, SUBSET)           /* id: any name of a CPUID word; value: its bits */ \
    X(MSR, 6, EQUAL)              /* id: index; value: 1, it is saved */ \
    X(TSC_KHZ, 7, EQUAL) \
    X(DEVICE, 8, AT_LEAST)        /* id: type; value: version of its section */ \
    X(DEVICE_FEATURES, 9, SUBSET) /* id: type << 16 | instance; value: negotiated bits */
/* clang-format on */

enum vmm_save_need_kind {
#define VMM_SAVE_NEED_ENUM(name, number, rule) VMM_SAVE_NEED_##name = (number),
    VMM_SAVE_NEED_KINDS(VMM_SAVE_NEED_ENUM)
#undef VMM_SAVE_NEED_ENUM
};

/* "cpuid" and so on, or "?" */
const char *vmm_save_need_name(uint32_t kind);

struct vmm_save_need {
    uint32_t kind; /* enum vmm_save_need_kind, or one of a later version */
    uint32_t id;
    uint64_t value;
};

enum {
    VMM_SAVE_NEED_BYTES = 16, /* on disk */
    VMM_SAVE_NEEDS_MAX = 512,
};

struct vmm_save_needs {
    struct vmm_save_need items[VMM_SAVE_NEEDS_MAX]; /* in order of kind and id, none twice */
    uint32_t count;
};

/* Add one, or to the value of the one that is there (bits are joined). 0, -ENOSPC, or -EEXIST: it
 * is there with another value. */
int vmm_save_needs_add(struct vmm_save_needs *needs, enum vmm_save_need_kind kind, uint32_t id,
                       uint64_t value);
/* Encode into `size` bytes; returns the length, 0 if it does not fit. */
size_t vmm_save_needs_encode(const struct vmm_save_needs *needs, void *data, size_t size);
/* Decode. 0, or -EBADMSG. Kinds that are not known are kept: no host has them. */
int vmm_save_needs_decode(const void *data, size_t size, struct vmm_save_needs *ret_needs);
/* The digest: xxh3-128 of the encoding. */
void vmm_save_needs_digest(const struct vmm_save_needs *needs,
                           uint8_t ret_digest[STO_SAVED_DIGEST_BYTES]);
/*
 * Can a host that has `has` run a guest that needs `needs`? 0, or -ENOTSUP with the first need
 * that is not met in `ret_missing`.
 */
int vmm_save_needs_check(const struct vmm_save_needs *needs, const struct vmm_save_needs *has,
                         struct vmm_save_need *ret_missing);

#endif
