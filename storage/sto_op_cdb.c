/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operations to commands. Ranges were judged against the LUN's size by sto_lun_submit(); here
 * only what a CDB can say counts.
 */
#include <config.h>

#include "storage/sto_op_cdb.h"

#include <errno.h>
#include <string.h>

static int take_scsi(const struct sto_op *op, struct sto_op_command *command)
{
    if (op->length_bytes > UINT32_MAX || op->cdb_bytes > STO_CDB_BYTES)
        return -EINVAL;
    memcpy(command->cdb, op->cdb, op->cdb_bytes);
    command->cdb_bytes = op->cdb_bytes;
    command->direction = op->direction;
    command->data = op->length_bytes > 0 ? STO_OP_DATA_IOV : STO_OP_DATA_NONE;
    command->data_bytes = (uint32_t)op->length_bytes;
    return op->cdb_bytes > 0 ? 0 : -EINVAL;
}

/* Data from the operation itself, `direction` as seen from the initiator. */
static void use_iov(const struct sto_op *op, enum sto_direction direction,
                    struct sto_op_command *command)
{
    command->direction = direction;
    command->data = STO_OP_DATA_IOV;
    command->data_bytes = (uint32_t)op->length_bytes;
}

static void use_own(enum sto_op_data data, uint32_t bytes, struct sto_op_command *command)
{
    command->direction = STO_DIRECTION_OUT;
    command->data = data;
    command->data_bytes = bytes;
}

/* Commands over a range of blocks. Returns the CDB's length, 0 if there is none. */
static uint8_t take_range(const struct sto_op *op, uint64_t lba, uint32_t blocks,
                          uint32_t block_bytes, struct sto_op_command *command)
{
    bool fua = (op->flags & STO_FUA) != 0;

    switch (op->kind) {
    case STO_OP_READ:
        use_iov(op, STO_DIRECTION_IN, command);
        return sto_cdb_read(command->cdb, lba, blocks);
    case STO_OP_WRITE:
        use_iov(op, STO_DIRECTION_OUT, command);
        return sto_cdb_write(command->cdb, lba, blocks, fua);
    case STO_OP_COMPARE_AND_WRITE:
        use_iov(op, STO_DIRECTION_OUT, command);
        return blocks / 2 > UINT8_MAX
                   ? 0
                   : sto_cdb_compare_and_write(command->cdb, lba, (uint8_t)(blocks / 2), fua);
    case STO_OP_WRITE_ZEROES:
        use_own(STO_OP_DATA_ZEROES, block_bytes, command);
        return sto_cdb_write_same(command->cdb, lba, blocks, false);
    case STO_OP_DISCARD:
        use_own(STO_OP_DATA_PARAMETERS, STO_UNMAP_RANGE_BYTES, command);
        return sto_cdb_unmap(command->cdb, command->parameters, lba, blocks);
    default:
        return 0;
    }
}

int sto_op_command(const struct sto_op *op, uint32_t block_bytes,
                   struct sto_op_command *ret_command)
{
    struct sto_op_command command = { 0 };

    if (op->kind == STO_OP_SCSI) {
        int rc = take_scsi(op, &command);

        if (rc < 0)
            return rc;
    } else if (op->kind == STO_OP_FLUSH) {
        command.cdb_bytes = sto_cdb_synchronize_cache(command.cdb, 0, 0);
    } else {
        if (block_bytes == 0 || op->length_bytes / block_bytes > UINT32_MAX ||
            (op->kind != STO_OP_DISCARD && op->kind != STO_OP_WRITE_ZEROES &&
             op->length_bytes > UINT32_MAX))
            return -EINVAL;
        command.cdb_bytes =
            take_range(op, op->offset_bytes / block_bytes,
                       (uint32_t)(op->length_bytes / block_bytes), block_bytes, &command);
    }
    if (command.cdb_bytes == 0)
        return -EINVAL;
    *ret_command = command;
    return 0;
}
