/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Operations to SCSI commands. */
#include <config.h>

#include "storage/sto_op_cdb.h"

#include <errno.h>

#include "tests/unit/unit.h"

static struct sto_op_command command_of(struct sto_op op, uint32_t block_bytes)
{
    struct sto_op_command command = { 0 };

    CU_ASSERT_EQUAL(sto_op_command(&op, block_bytes, &command), 0);
    return command;
}

static int rc_of(struct sto_op op, uint32_t block_bytes)
{
    struct sto_op_command command;

    return sto_op_command(&op, block_bytes, &command);
}

static void transfers(void)
{
    struct sto_op_command command = command_of(
        (struct sto_op) {
            .kind = STO_OP_WRITE, .flags = STO_FUA, .offset_bytes = 1024, .length_bytes = 4096 },
        512);

    CU_ASSERT_EQUAL(command.cdb[0], STO_OPCODE_WRITE_10);
    CU_ASSERT_EQUAL(command.cdb[1] & 8, 8);
    CU_ASSERT_EQUAL(command.cdb[5], 2);
    CU_ASSERT_EQUAL(command.cdb[8], 8);
    CU_ASSERT_EQUAL(command.direction, STO_DIRECTION_OUT);
    CU_ASSERT_EQUAL(command.data, STO_OP_DATA_IOV);
    CU_ASSERT_EQUAL(command.data_bytes, 4096);
    command = command_of((struct sto_op) { .kind = STO_OP_READ, .length_bytes = 4096 }, 4096);
    CU_ASSERT_EQUAL(command.cdb[0], STO_OPCODE_READ_10);
    CU_ASSERT_EQUAL(command.cdb[8], 1);
    CU_ASSERT_EQUAL(command.direction, STO_DIRECTION_IN);
}

static void own_data(void)
{
    struct sto_op_command command = command_of(
        (struct sto_op) { .kind = STO_OP_DISCARD, .offset_bytes = 512, .length_bytes = 1024 }, 512);

    CU_ASSERT_EQUAL(command.cdb[0], STO_OPCODE_UNMAP);
    CU_ASSERT_EQUAL(command.data, STO_OP_DATA_PARAMETERS);
    CU_ASSERT_EQUAL(command.data_bytes, STO_UNMAP_RANGE_BYTES);
    CU_ASSERT_EQUAL(command.parameters[15], 1); /* address */
    CU_ASSERT_EQUAL(command.parameters[19], 2); /* blocks */
    command =
        command_of((struct sto_op) { .kind = STO_OP_WRITE_ZEROES, .length_bytes = 8192 }, 4096);
    CU_ASSERT_EQUAL(command.cdb[0], STO_OPCODE_WRITE_SAME_16);
    CU_ASSERT_EQUAL(command.data, STO_OP_DATA_ZEROES);
    CU_ASSERT_EQUAL(command.data_bytes, 4096);
    command =
        command_of((struct sto_op) { .kind = STO_OP_COMPARE_AND_WRITE, .length_bytes = 1024 }, 512);
    CU_ASSERT_EQUAL(command.cdb[0], STO_OPCODE_COMPARE_AND_WRITE);
    CU_ASSERT_EQUAL(command.cdb[13], 1);
    CU_ASSERT_EQUAL(command.data_bytes, 1024);
}

static void without_facts(void)
{
    struct sto_op_command command = command_of((struct sto_op) { .kind = STO_OP_FLUSH }, 0);

    CU_ASSERT_EQUAL(command.cdb[0], STO_OPCODE_SYNCHRONIZE_CACHE_10);
    CU_ASSERT_EQUAL(command.data, STO_OP_DATA_NONE);
    CU_ASSERT_EQUAL(command.direction, STO_DIRECTION_NONE);
    command = command_of((struct sto_op) { .kind = STO_OP_SCSI,
                                           .cdb = { 0x12, 0, 0, 0, 96 },
                                           .cdb_bytes = 6,
                                           .direction = STO_DIRECTION_IN,
                                           .length_bytes = 96 },
                         0);
    CU_ASSERT_EQUAL(command.cdb_bytes, 6);
    CU_ASSERT_EQUAL(command.cdb[4], 96);
    CU_ASSERT_EQUAL(command.data, STO_OP_DATA_IOV);
    CU_ASSERT_EQUAL(command.direction, STO_DIRECTION_IN);
    CU_ASSERT_EQUAL(rc_of((struct sto_op) { .kind = STO_OP_READ, .length_bytes = 512 }, 0),
                    -EINVAL);
}

static void refused(void)
{
    CU_ASSERT_EQUAL(rc_of((struct sto_op) { .kind = STO_OP_LOGIN }, 512), -EINVAL);
    CU_ASSERT_EQUAL(rc_of((struct sto_op) { .kind = STO_OP_SCSI }, 512), -EINVAL);
    CU_ASSERT_EQUAL(rc_of((struct sto_op) { .kind = STO_OP_WRITE }, 512), -EINVAL);
    CU_ASSERT_EQUAL(
        rc_of((struct sto_op) { .kind = STO_OP_COMPARE_AND_WRITE, .length_bytes = 512 * 512 }, 512),
        -EINVAL);
    CU_ASSERT_EQUAL(
        rc_of((struct sto_op) { .kind = STO_OP_DISCARD, .length_bytes = 512ull << 32 }, 512),
        -EINVAL);
    CU_ASSERT_EQUAL(
        rc_of((struct sto_op) { .kind = STO_OP_READ, .length_bytes = 4ull << 30 }, 4096), -EINVAL);
}

const struct unit_case unit_cases[] = { { "reads and writes", transfers },
                                        { "commands with data of their own", own_data },
                                        { "commands that need no block size", without_facts },
                                        { "operations without a command", refused },
                                        { 0 } };
