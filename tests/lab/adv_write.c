/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The adversary's writes: a table of every opcode that changes blocks, and the command blocks and
 * data for each, built by hand. FORMAT UNIT and SANITIZE are left out: they would destroy what the
 * oracle reads.
 */
#include "config.h"

#include <stdlib.h>

#include "adversary.h"

static const struct adv_op op_table[ADV_OP_COUNT] = {
    { "WRITE10", 0x2a, ADV_CDB10, 24 },      { "WRITE16", 0x8a, ADV_CDB16, 24 },
    { "WRITE12", 0xaa, ADV_CDB12, 8 },       { "WRITE6", 0x0a, ADV_CDB6, 2 },
    { "WRITEVERIFY10", 0x2e, ADV_CDB10, 4 }, { "WRITEVERIFY12", 0xae, ADV_CDB12, 4 },
    { "WRITEVERIFY16", 0x8e, ADV_CDB16, 4 }, { "ORWRITE", 0x8b, ADV_CDB16, 2 },
    { "COMPAREANDWRITE", 0x89, ADV_CAW, 2 }, { "WRITEATOMIC16", 0x9c, ADV_CDB16, 1 },
    { "WRITESAME10", 0x41, ADV_SAME10, 2 },  { "WRITESAME16", 0x93, ADV_SAME16, 2 },
    { "UNMAP", 0x42, ADV_UNMAP, 2 },
};

const struct adv_op *adv_ops(void)
{
    return op_table;
}

int adv_op_find(const char *name, size_t length)
{
    for (unsigned i = 0; i < ADV_OP_COUNT; i++) {
        if (strlen(op_table[i].name) == length && strncmp(op_table[i].name, name, length) == 0)
            return (int)i;
    }
    return -1;
}

const char *adv_result_name(enum adv_result result)
{
    static const char *const names[ADV_RESULTS] = { "good",       "conflict",    "attention",
                                                    "miscompare", "unsupported", "other",
                                                    "lost" };
    return names[result];
}

enum adv_result adv_judge(int status, const struct scsi_task *task)
{
    switch (status) {
    case SCSI_STATUS_GOOD:
        return ADV_GOOD;
    case SCSI_STATUS_RESERVATION_CONFLICT:
        return ADV_CONFLICT;
    case SCSI_STATUS_CHECK_CONDITION:
        if (task == NULL)
            return ADV_OTHER;
        if (task->sense.key == SCSI_SENSE_UNIT_ATTENTION)
            return ADV_UNIT_ATTENTION;
        if (task->sense.key == SCSI_SENSE_MISCOMPARE)
            return ADV_MISCOMPARE;
        return task->sense.key == SCSI_SENSE_ILLEGAL_REQUEST ? ADV_UNSUPPORTED : ADV_OTHER;
    case SCSI_STATUS_CANCELLED:
    case SCSI_STATUS_TIMEOUT:
    case SCSI_STATUS_ERROR:
        return ADV_LOST;
    default:
        return ADV_OTHER;
    }
}

static void put_be(uint8_t *at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
}

/* Fills `cdb` for `blocks` blocks at `lba`; returns its size. */
static int build_cdb(const struct adv_op *op, uint64_t lba, uint32_t blocks, uint8_t cdb[16])
{
    memset(cdb, 0, 16);
    cdb[0] = op->opcode;
    switch (op->shape) {
    case ADV_CDB6:
        put_be(cdb + 1, lba & 0x1fffff, 3);
        cdb[4] = (uint8_t)blocks;
        return 6;
    case ADV_CDB10:
    case ADV_SAME10:
        put_be(cdb + 2, lba, 4);
        put_be(cdb + 7, blocks, 2);
        return 10;
    case ADV_CDB12:
        put_be(cdb + 2, lba, 4);
        put_be(cdb + 6, blocks, 4);
        return 12;
    case ADV_CDB16:
    case ADV_SAME16:
        put_be(cdb + 2, lba, 8);
        if (op->opcode == 0x9c) /* WRITE ATOMIC(16): a 16-bit length */
            put_be(cdb + 12, blocks, 2);
        else
            put_be(cdb + 10, blocks, 4);
        return 16;
    case ADV_CAW:
        put_be(cdb + 2, lba, 8);
        cdb[13] = (uint8_t)blocks;
        return 16;
    case ADV_UNMAP:
        put_be(cdb + 7, 24, 2);
        return 10;
    }
    return 0;
}

/* Fills the slot's data; returns its length in bytes. */
static int build_data(const struct adversary *adversary, struct adv_slot *slot,
                      const struct adv_op *op, const struct lab_stamp *stamp, uint32_t blocks)
{
    (void)adversary;
    switch (op->shape) {
    case ADV_UNMAP:
        memset(slot->data, 0, 24);
        put_be(slot->data, 22, 2);
        put_be(slot->data + 2, 16, 2);
        put_be(slot->data + 8, stamp->lba, 8);
        put_be(slot->data + 16, blocks, 4);
        return 24;
    case ADV_SAME10:
    case ADV_SAME16:
        lab_stamp_put(slot->data, stamp);
        return LAB_STAMP_BYTES;
    case ADV_CAW: /* compares with zeroes: succeeds where nobody wrote yet */
        memset(slot->data, 0, (size_t)blocks * LAB_STAMP_BYTES);
        lab_stamp_put_run(slot->data + (size_t)blocks * LAB_STAMP_BYTES, blocks, stamp);
        return (int)(2 * blocks * LAB_STAMP_BYTES);
    default:
        lab_stamp_put_run(slot->data, blocks, stamp);
        return (int)(blocks * LAB_STAMP_BYTES);
    }
}

static void write_done(struct iscsi_context *session, int status, void *command_data, void *opaque)
{
    struct adv_slot *slot = opaque;
    struct scsi_task *task = command_data;
    enum adv_result result = adv_judge(status, task);

    (void)session;
    slot->busy = false;
    slot->adversary->results[slot->op][result]++;
    slot->adversary->answers++;
    slot->adversary->good_writes += result == ADV_GOOD;
    slot->adversary->conflicts += result == ADV_CONFLICT;
    if (task != NULL)
        scsi_free_scsi_task(task);
}

static uint32_t random_length(struct adversary *adversary, const struct adv_op *op)
{
    uint64_t dice = lab_random(&adversary->random);
    uint64_t most = adversary->options.max_blocks;
    uint64_t blocks = 1 + (dice >> 8) % ((dice & 7) == 0 ? most : most < 16 ? most : 16);

    if (op->shape == ADV_CAW)
        return 1;
    return (uint32_t)blocks < 255 || op->shape != ADV_CDB6 ? (uint32_t)blocks : 255;
}

int adv_write_submit(struct adversary *adversary, struct adv_slot *slot, unsigned op)
{
    const struct adv_op *how = &op_table[op];
    uint64_t range = adversary->options.blocks;
    uint32_t blocks = random_length(adversary, how);
    uint8_t cdb[16];
    struct iscsi_data out = { .data = slot->data };
    struct scsi_task *task;

    if (blocks > range)
        blocks = (uint32_t)range;
    struct lab_stamp stamp = { .node = (uint16_t)adversary->options.node,
                               .kind = how->opcode,
                               .generation = adversary->options.generation,
                               .number = adversary->next_number++,
                               .lba = adversary->options.first_lba +
                                      lab_random(&adversary->random) % (range - blocks + 1) };
    int bytes = build_data(adversary, slot, how, &stamp, blocks);
    int cdb_bytes = build_cdb(how, stamp.lba, blocks, cdb);
    task = scsi_create_task(cdb_bytes, cdb, SCSI_XFER_WRITE, bytes);
    if (task == NULL)
        return -1;
    out.size = (size_t)bytes;
    slot->op = op;
    slot->busy = true;
    if (iscsi_scsi_command_async(adversary->session, adversary->where->lun, task, write_done, &out,
                                 slot) != 0) {
        slot->busy = false;
        scsi_free_scsi_task(task);
        return -1;
    }
    return 0;
}

static bool allowed(const struct adversary *adversary, unsigned op)
{
    return !adversary->options.disabled[op] &&
           !(adversary->quiet && adversary->options.until_quiet[op]);
}

static int choose_op(struct adversary *adversary)
{
    unsigned total = 0;
    for (unsigned i = 0; i < ADV_OP_COUNT; i++)
        total += allowed(adversary, i) ? op_table[i].weight : 0;
    if (total == 0)
        return -1;
    uint64_t at = lab_random(&adversary->random) % total;
    for (unsigned i = 0; i < ADV_OP_COUNT; i++) {
        unsigned weight = allowed(adversary, i) ? op_table[i].weight : 0;
        if (at < weight)
            return (int)i;
        at -= weight;
    }
    return -1;
}

void adv_write_fill(struct adversary *adversary)
{
    for (uint64_t i = 0; i < adversary->options.depth; i++) {
        struct adv_slot *slot = &adversary->slots[i];
        int op = slot->busy ? -1 : choose_op(adversary);
        if (op >= 0 && adv_write_submit(adversary, slot, (unsigned)op) != 0) {
            adversary->broken = true;
            return;
        }
    }
}
