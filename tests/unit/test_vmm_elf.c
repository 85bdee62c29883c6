/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/boot/vmm_elf: kernels of both classes, and files that are none.
 */
#include <config.h>

#include "vmm-core/boot/vmm_elf.h"

#include <errno.h>

#include "tests/unit/elf_image.h"
#include "tests/unit/unit.h"

static const uint8_t code[] = { 0xf4, 0xeb, 0xfd, 0x90 };

static void reads_both_classes(void)
{
    uint8_t image[ELF_IMAGE_BYTES];
    struct vmm_elf elf;

    for (unsigned wide = 0; wide < 2; wide++) {
        elf_image(image, wide == 1, code, sizeof(code));
        CU_ASSERT_EQUAL_FATAL(vmm_elf_read(image, sizeof(image), &elf), 0);
        CU_ASSERT_EQUAL(elf.entry, ELF_IMAGE_ENTRY);
        CU_ASSERT_EQUAL(elf.count, 1);
        CU_ASSERT_EQUAL(elf.segments[0].guest_at, ELF_IMAGE_GUEST_AT);
        CU_ASSERT_EQUAL(elf.segments[0].file_bytes, sizeof(code));
        CU_ASSERT_EQUAL(elf.segments[0].memory_bytes, 2 * sizeof(code));
        CU_ASSERT_PTR_EQUAL(elf.segments[0].bytes, image + ELF_IMAGE_CODE_AT);
    }
}

static void refuses_what_is_no_kernel(void)
{
    uint8_t image[ELF_IMAGE_BYTES];
    struct vmm_elf elf;

    CU_ASSERT_EQUAL(vmm_elf_read("", 0, &elf), -ENOEXEC);
    CU_ASSERT_EQUAL(vmm_elf_read("#!/bin/sh and more than sixteen bytes", 30, &elf), -ENOEXEC);
    elf_image(image, true, code, sizeof(code));
    image[18] = 183; /* AArch64 */
    CU_ASSERT_EQUAL(vmm_elf_read(image, sizeof(image), &elf), -ENOEXEC);
    elf_image(image, true, code, sizeof(code));
    image[EI_DATA] = ELFDATA2MSB;
    CU_ASSERT_EQUAL(vmm_elf_read(image, sizeof(image), &elf), -ENOEXEC);
    elf_image(image, true, code, sizeof(code));
    image[EI_CLASS] = 3;
    CU_ASSERT_EQUAL(vmm_elf_read(image, sizeof(image), &elf), -ENOEXEC);
    elf_image(image, true, code, sizeof(code));
    image[ELF_IMAGE_NOTE_AT + 32] = 17; /* another type of note */
    CU_ASSERT_EQUAL(vmm_elf_read(image, sizeof(image), &elf), -EOPNOTSUPP);
    elf_image(image, true, code, sizeof(code));
    image[64] = PT_NULL; /* nothing to load */
    CU_ASSERT_EQUAL(vmm_elf_read(image, sizeof(image), &elf), -EBADMSG);
    elf_image(image, true, code, sizeof(code));
    image[64 + 40] = 1; /* less memory than bytes */
    CU_ASSERT_EQUAL(vmm_elf_read(image, sizeof(image), &elf), -EBADMSG);
    elf_image(image, true, code, sizeof(code));
    memset(image + 64 + 40, 0xff, 8); /* around the end of the address space */
    CU_ASSERT_EQUAL(vmm_elf_read(image, sizeof(image), &elf), -EBADMSG);
    elf_image(image, true, code, sizeof(code));
    memset(image + 32, 0xff, 8); /* its parts are nowhere */
    CU_ASSERT_EQUAL(vmm_elf_read(image, sizeof(image), &elf), -EBADMSG);
}

static void refuses_too_many_parts(void)
{
    uint8_t image[ELF_IMAGE_BYTES];
    struct vmm_elf elf;

    elf_image(image, true, code, sizeof(code));
    image[54] = 0; /* each part is the first one again */
    image[56] = VMM_ELF_SEGMENTS + 1;
    CU_ASSERT_EQUAL(vmm_elf_read(image, sizeof(image), &elf), -E2BIG);
}

/* Cut at any place; and each byte of its headers wrong in turn: an answer, whatever it is. */
static void is_never_lost_in_it(void)
{
    uint8_t image[ELF_IMAGE_BYTES];
    struct vmm_elf elf;

    for (unsigned wide = 0; wide < 2; wide++) {
        elf_image(image, wide == 1, code, sizeof(code));
        for (size_t bytes = 0; bytes < ELF_IMAGE_CODE_AT + sizeof(code); bytes++)
            CU_ASSERT_TRUE(vmm_elf_read(image, bytes, &elf) < 0);
        for (unsigned at = 0; at < ELF_IMAGE_NOTE_AT + 64; at++) {
            elf_image(image, wide == 1, code, sizeof(code));
            image[at] = (uint8_t)~image[at];
            if (vmm_elf_read(image, sizeof(image), &elf) == 0)
                CU_ASSERT_TRUE(elf.count > 0 && elf.segments[0].bytes >= image &&
                               elf.segments[0].bytes + elf.segments[0].file_bytes <=
                                   image + sizeof(image));
        }
    }
}

const struct unit_case unit_cases[] = {
    { "both classes", reads_both_classes },
    { "no kernel", refuses_what_is_no_kernel },
    { "too many parts", refuses_too_many_parts },
    { "cut and damaged files", is_never_lost_in_it },
    { 0 },
};
