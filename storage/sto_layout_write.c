/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes the partition table of a LUN with libfdisk, so that it is what every tool expects. The
 * library wants a descriptor: it gets a sparse memory file as large as the LUN, and the two edges
 * of that file are handed back. The LUN itself is neither opened nor written here.
 */
#include "config.h"

#include "storage/sto_layout.h"

#include <errno.h>
#include <libfdisk/libfdisk.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

#include "common/hw_cleanup.h"

static void unref_context(struct fdisk_context **context)
{
    fdisk_unref_context(*context); /* closes nothing: the descriptor is ours */
}

static void unref_partition(struct fdisk_partition **partition)
{
    fdisk_unref_partition(*partition);
}

static void unref_type(struct fdisk_parttype **type)
{
    fdisk_unref_parttype(*type);
}

/* One partition, placed exactly; `place` counts from 0. */
static int add_partition(struct fdisk_context *context, const struct sto_layout *layout,
                         unsigned place, const struct sto_window *window)
{
    __attribute__((cleanup(unref_partition))) struct fdisk_partition *partition =
        fdisk_new_partition();
    __attribute__((cleanup(unref_type))) struct fdisk_parttype *type = NULL;
    const struct fdisk_label *label = fdisk_get_label(context, "gpt");
    char guid_text[STO_GUID_TEXT_BYTES];
    uint8_t guid[STO_GUID_BYTES];
    int rc;

    if (partition == NULL)
        return -ENOMEM;
    type = fdisk_label_parse_parttype(label,
                                      sto_guid_text(sto_layout_kinds[place].type_guid, guid_text));
    if (type == NULL)
        return -ENOMEM;
    sto_layout_partition_guid(layout, place + 1, guid);
    rc = fdisk_partition_set_partno(partition, place);
    if (rc == 0)
        rc = fdisk_partition_set_start(partition, window->offset_bytes / layout->block_bytes);
    if (rc == 0)
        rc = fdisk_partition_set_size(partition, window->size_bytes / layout->block_bytes);
    if (rc == 0)
        rc = fdisk_partition_set_type(partition, type);
    if (rc == 0)
        rc = fdisk_partition_set_name(partition, sto_layout_kinds[place].name);
    if (rc == 0)
        rc = fdisk_partition_set_uuid(partition, sto_guid_text(guid, guid_text));
    if (rc == 0)
        rc = fdisk_add_partition(context, partition, NULL);
    return rc;
}

static int write_table(int fd, const char *name, const struct sto_layout *layout)
{
    __attribute__((cleanup(unref_context))) struct fdisk_context *context = fdisk_new_context();
    const struct sto_window *const windows[STO_LAYOUT_PARTITIONS] = { &layout->meta, &layout->disk,
                                                                      &layout->state };
    char guid_text[STO_GUID_TEXT_BYTES];
    int rc;

    if (context == NULL)
        return -ENOMEM;
    rc = fdisk_disable_dialogs(context, 1);
    if (rc == 0)
        rc = fdisk_save_user_sector_size(context, layout->block_bytes, layout->block_bytes);
    if (rc == 0)
        rc = fdisk_assign_device_by_fd(context, fd, name, 0);
    if (rc == 0)
        rc = fdisk_create_disklabel(context, "gpt");
    if (rc == 0)
        rc = fdisk_set_disklabel_id_from_string(context,
                                                sto_guid_text(layout->disk_guid, guid_text));
    for (unsigned i = 0; rc == 0 && i < STO_LAYOUT_PARTITIONS; i++)
        rc = add_partition(context, layout, i, windows[i]);
    if (rc == 0)
        rc = fdisk_write_disklabel(context);
    (void)fdisk_deassign_device(context, 1);
    return rc > 0 ? -EIO : rc;
}

static int read_edge(int fd, uint64_t offset, uint8_t edge[STO_LAYOUT_EDGE_BYTES])
{
    ssize_t got = pread(fd, edge, STO_LAYOUT_EDGE_BYTES, (off_t)offset);

    if (got < 0)
        return -errno;
    return got == STO_LAYOUT_EDGE_BYTES ? 0 : -EIO;
}

int sto_layout_write(const char *name, const struct sto_layout *layout,
                     struct sto_layout_image *ret_image, struct hw_error *error)
{
    hw_auto_close int fd = memfd_create("hawser-layout", MFD_CLOEXEC);
    uint64_t tail_offset = layout->capacity_bytes - STO_LAYOUT_EDGE_BYTES;
    int rc = 0;

    if (fd < 0 || ftruncate(fd, (off_t)layout->capacity_bytes) < 0)
        rc = -errno;
    if (rc == 0)
        rc = write_table(fd, name, layout);
    if (rc == 0)
        rc = read_edge(fd, 0, ret_image->head);
    if (rc == 0)
        rc = read_edge(fd, tail_offset, ret_image->tail);
    if (rc < 0)
        return hw_error_setf(error, HW_ERROR_FAILED, -rc, name, "",
                             "the partition table could not be made: %s", strerror(-rc));
    ret_image->tail_offset_bytes = tail_offset;
    return 0;
}
