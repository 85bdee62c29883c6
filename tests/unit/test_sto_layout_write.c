/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/sto_layout_write: libfdisk's table is read back by libfdisk and by our own reader with
 * the same result, at each block size and for small and very large LUNs.
 */
#include <config.h>

#include "storage/sto_layout.h"

#include "tests/unit/layout_image.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <libfdisk/libfdisk.h>
#include <sys/mman.h>
#include <unistd.h>

static struct sto_layout layout, found;
static struct sto_layout_image image;

/* The image as a disk in a sparse memory file; the caller closes it. */
static int image_file(void)
{
    int fd = memfd_create("test-layout", MFD_CLOEXEC);

    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL_FATAL(ftruncate(fd, (off_t)layout.capacity_bytes), 0);
    CU_ASSERT_EQUAL(pwrite(fd, image.head, sizeof(image.head), 0), (ssize_t)sizeof(image.head));
    CU_ASSERT_EQUAL(pwrite(fd, image.tail, sizeof(image.tail), (off_t)image.tail_offset_bytes),
                    (ssize_t)sizeof(image.tail));
    return fd;
}

static void other_tool_reads(uint32_t block_bytes)
{
    const struct sto_window *const windows[] = { &layout.meta, &layout.disk, &layout.state };
    struct fdisk_context *context = fdisk_new_context();
    int fd = image_file();

    CU_ASSERT_PTR_NOT_NULL_FATAL(context);
    CU_ASSERT_EQUAL(fdisk_save_user_sector_size(context, block_bytes, block_bytes), 0);
    CU_ASSERT_EQUAL_FATAL(fdisk_assign_device_by_fd(context, fd, "test", 1), 0);
    CU_ASSERT_EQUAL_FATAL(fdisk_is_labeltype(context, FDISK_DISKLABEL_GPT), 1);
    CU_ASSERT_EQUAL(fdisk_verify_disklabel(context), 0);
    for (size_t i = 0; i < 3; i++) {
        struct fdisk_partition *partition = NULL;

        CU_ASSERT_EQUAL_FATAL(fdisk_get_partition(context, i, &partition), 0);
        CU_ASSERT_EQUAL(fdisk_partition_get_start(partition) * block_bytes,
                        windows[i]->offset_bytes);
        CU_ASSERT_EQUAL(fdisk_partition_get_size(partition) * block_bytes, windows[i]->size_bytes);
        CU_ASSERT_STRING_EQUAL(fdisk_partition_get_name(partition), sto_layout_kinds[i].name);
        fdisk_unref_partition(partition);
    }
    (void)fdisk_deassign_device(context, 1);
    fdisk_unref_context(context);
    (void)close(fd);
}

static void agrees_with_other_tools(void)
{
    static const uint64_t capacities[] = { IMAGE_STATE + (UINT64_C(4) << 20), IMAGE_CAPACITY + 4096,
                                           UINT64_C(3) << 40, UINT64_C(1) << 50 };

    for (uint32_t block = 512; block <= 4096; block *= 2) {
        for (unsigned i = 0; i < sizeof(capacities) / sizeof(capacities[0]); i++) {
            image_make(capacities[i], block, &layout, &image);
            CU_ASSERT_EQUAL(image_parse(&image, capacities[i], block, &found, NULL), 0);
            CU_ASSERT_EQUAL(found.copies, STO_LAYOUT_BOTH);
            CU_ASSERT_EQUAL(found.state.offset_bytes, layout.state.offset_bytes);
            other_tool_reads(block);
        }
    }
}

static void same_bytes_each_time(void)
{
    static struct sto_layout_image again;

    image_make(IMAGE_CAPACITY, 512, &layout, &image);
    image_make(IMAGE_CAPACITY, 512, &layout, &again);
    CU_ASSERT_EQUAL(memcmp(&image, &again, sizeof(image)), 0);
}

static void refuses_what_libfdisk_refuses(void)
{
    struct hw_error error = { 0 };

    image_make(IMAGE_CAPACITY, 512, &layout, &image);
    layout.disk.size_bytes = layout.capacity_bytes; /* runs over its neighbour */
    CU_ASSERT(sto_layout_write("lun", &layout, &image, &error) < 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.reason, "partition table could not be made"));
}

const struct unit_case unit_cases[] = {
    { "libfdisk and the own reader see the same", agrees_with_other_tools },
    { "the same layout gives the same bytes", same_bytes_each_time },
    { "what cannot be is refused", refuses_what_libfdisk_refuses },
    { 0 },
};
