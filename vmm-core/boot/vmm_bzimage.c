/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The setup header, field by field. All numbers are little-endian.
 */
#include "config.h"

#include "vmm-core/boot/vmm_bzimage.h"

#include <errno.h>
#include <string.h>

#include "common/hw_cursor.h"
#include "common/hw_le.h"

/* Fields by their place in the file (boot.rst, "The Real-Mode Kernel Header"). */
enum {
    SETUP_SECTORS = 0x1f1,
    KERNEL_PARAGRAPHS = 0x1f4,
    JUMP_BYTES = 0x201, /* the header ends so many bytes behind the jump */
    MAGIC = 0x202,
    VERSION_AT = 0x206,
    LOAD_FLAGS = 0x211,
    INITRD_LAST = 0x22c,
    EXTENDED_FLAGS = 0x236,
    COMMAND_BYTES = 0x238,
    LOAD_AT = 0x258,
    MEMORY_BYTES = 0x260,
    FIELDS_END = 0x264,
};
enum { SECTOR = 512, SETUP_SECTORS_IF_NONE = 4, PARAGRAPH = 16 };
enum { PROTOCOL_2_12 = 0x20c, LOADED_HIGH = 1, HAS_ENTRY_64 = 1 };
enum { LOWEST = 0x100000 };

bool vmm_bzimage_is(const void *file, size_t bytes)
{
    return bytes >= MAGIC + 4 && memcmp((const uint8_t *)file + MAGIC, "HdrS", 4) == 0;
}

/* Where the setup code ends and the kernel begins. */
static size_t setup_bytes(const uint8_t *file)
{
    const size_t sectors = file[SETUP_SECTORS];

    return ((sectors == 0 ? SETUP_SECTORS_IF_NONE : sectors) + 1) * SECTOR;
}

/* What follows the kernel in the file (a signature) is not loaded. -EBADMSG: not all of it is
 * there. */
static int find_kernel(const uint8_t *file, size_t bytes, struct vmm_bzimage *image)
{
    const size_t setup = setup_bytes(file);
    const uint64_t kernel = hw_le_load(file + KERNEL_PARAGRAPHS, 4) * PARAGRAPH;

    if (setup > bytes || kernel > bytes - setup || kernel <= VMM_BZIMAGE_ENTRY_64)
        return -EBADMSG;
    image->kernel = file + setup;
    image->kernel_bytes = kernel;
    return 0;
}

int vmm_bzimage_read(const void *file, size_t bytes, struct vmm_bzimage *ret_image)
{
    const uint8_t *at = file;
    struct vmm_bzimage image = { .header = at + VMM_BZIMAGE_HEADER_AT };
    size_t header_end;
    int rc;

    if (!vmm_bzimage_is(file, bytes))
        return -ENOEXEC;
    if (bytes < VMM_BZIMAGE_HEADER_END)
        return -EBADMSG;
    if (hw_le_load(at + VERSION_AT, 2) < PROTOCOL_2_12 || (at[LOAD_FLAGS] & LOADED_HIGH) == 0 ||
        (at[EXTENDED_FLAGS] & HAS_ENTRY_64) == 0)
        return -EOPNOTSUPP;
    header_end = MAGIC + (size_t)at[JUMP_BYTES];
    if (header_end < FIELDS_END)
        return -EBADMSG;
    if (header_end > VMM_BZIMAGE_HEADER_END)
        header_end = VMM_BZIMAGE_HEADER_END;
    image.header_bytes = header_end - VMM_BZIMAGE_HEADER_AT;
    rc = find_kernel(at, bytes, &image);
    if (rc < 0)
        return rc;
    image.load_at = hw_le_load(at + LOAD_AT, 8);
    image.memory_bytes = hw_le_load(at + MEMORY_BYTES, 4);
    image.command_bytes = (uint32_t)hw_le_load(at + COMMAND_BYTES, 4);
    image.initrd_end = hw_le_load(at + INITRD_LAST, 4) + 1;
    if (image.load_at < LOWEST || image.memory_bytes < image.kernel_bytes ||
        image.load_at > UINT64_MAX - image.memory_bytes)
        return -EBADMSG;
    *ret_image = image;
    return 0;
}
