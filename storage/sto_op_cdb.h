/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The SCSI command that does what an operation asks for: CDB, direction, length, and the data
 * that does not come from the operation itself. Pure; for every SCSI backend.
 */
#ifndef STO_OP_CDB_H
#define STO_OP_CDB_H

#include "storage/sto_cdb.h"
#include "storage/sto_lun.h"

enum sto_op_data {
    STO_OP_DATA_NONE,
    STO_OP_DATA_IOV,        /* the operation's own iov */
    STO_OP_DATA_PARAMETERS, /* `parameters` of struct sto_op_command */
    STO_OP_DATA_ZEROES,     /* one block of zeroes */
};

struct sto_op_command {
    uint8_t cdb[STO_CDB_BYTES];
    uint8_t cdb_bytes;
    enum sto_direction direction;
    enum sto_op_data data;
    uint32_t data_bytes;
    uint8_t parameters[STO_UNMAP_RANGE_BYTES];
};

/*
 * The command for a READ, WRITE, FLUSH, DISCARD, WRITE_ZEROES, COMPARE_AND_WRITE or SCSI
 * operation on a LUN with blocks of `block_bytes` (0: not known yet; FLUSH and SCSI only).
 * 0, or -EINVAL: no such command, or its range does not fit one.
 */
int sto_op_command(const struct sto_op *op, uint32_t block_bytes,
                   struct sto_op_command *ret_command);

#endif
