/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests of the lab owner's guest. A run waits while another one to the same blocks is out, so
 * that the last one that was asked for is the last one on the disk.
 */
#include "config.h"

#include "lab_guest.h"

#include <string.h>

#include "stamp.h"

enum { BLOCK = LAB_STAMP_BYTES, RUN_BLOCKS = LAB_GUEST_RUN_BYTES / LAB_STAMP_BYTES };

void lab_guest_init(struct lab_guest *guest, const struct lab_guest_disk *disk, uint16_t node,
                    void (*say)(void *context, enum lab_guest_event event, uint64_t number,
                                const char *why),
                    void *context)
{
    memset(guest, 0, sizeof(*guest));
    guest->disk = *disk;
    guest->node = node;
    guest->say = say;
    guest->context = context;
    for (unsigned i = 0; i < LAB_GUEST_DEPTH; i++) {
        guest->requests[i].guest = guest->writes[i].guest = guest;
        guest->requests[i].buffer = disk->memory + (size_t)(2 * i) * LAB_GUEST_RUN_BYTES;
        guest->writes[i].buffer = disk->memory + (size_t)(2 * i + 1) * LAB_GUEST_RUN_BYTES;
    }
}

static void disk_window(const struct lab_guest *guest, uint64_t *ret_offset, uint64_t *ret_bytes)
{
    guest->disk.window(guest->disk.context, ret_offset, ret_bytes);
}

static void send(struct lab_guest *guest, struct lab_guest_request *one, enum sto_op_kind kind)
{
    uint64_t offset, bytes;

    disk_window(guest, &offset, &bytes);
    one->iov = (struct iovec) { .iov_base = one->buffer, .iov_len = one->count * BLOCK };
    if (kind == STO_OP_WRITE)
        lab_stamp_put_run(one->buffer, one->count,
                          &(struct lab_stamp) { .node = guest->node,
                                                .generation = guest->generation,
                                                .number = one->number,
                                                .lba = offset / BLOCK + one->lba });
    one->out = true;
    if (guest->disk.submit(guest->disk.context, one, kind, one->lba * BLOCK) < 0) {
        one->out = false;
        guest->say(guest->context, LAB_GUEST_FAILED, one->number, "the gate is dead");
    }
}

/* --- the pass over the whole disk --- */

static uint64_t count_foreign(const struct lab_guest *guest, const struct lab_guest_request *one)
{
    uint64_t foreign = 0;

    for (uint64_t i = 0; i < one->count; i++) {
        struct lab_stamp stamp;

        if (!lab_stamp_peek(one->buffer + i * BLOCK, &stamp) || stamp.node != guest->node)
            foreign++;
    }
    return foreign;
}

static void end_pass(struct lab_guest *guest)
{
    enum lab_guest_pass pass = guest->pass;

    if (pass == LAB_GUEST_FILL) {
        guest->pass = LAB_GUEST_FLUSH;
        guest->requests[0].count = 0;
        guest->pass_out = 1;
        send(guest, &guest->requests[0], STO_OP_FLUSH);
        return;
    }
    guest->pass = LAB_GUEST_IDLE;
    if (pass == LAB_GUEST_FLUSH)
        guest->say(guest->context, LAB_GUEST_FILLED, guest->next_lba, "");
    else
        guest->say(guest->context, LAB_GUEST_VERIFIED, guest->foreign, "");
}

static void advance_pass(struct lab_guest *guest)
{
    uint64_t offset, bytes, blocks;

    if (guest->pass != LAB_GUEST_FILL && guest->pass != LAB_GUEST_VERIFY)
        return;
    disk_window(guest, &offset, &bytes);
    blocks = bytes / BLOCK;
    for (unsigned i = 0; i < LAB_GUEST_DEPTH && guest->next_lba < blocks; i++) {
        struct lab_guest_request *one = &guest->requests[i];

        if (one->out)
            continue;
        one->lba = guest->next_lba;
        one->count = blocks - one->lba < RUN_BLOCKS ? blocks - one->lba : RUN_BLOCKS;
        one->number = 1;
        guest->next_lba += one->count;
        guest->pass_out++;
        send(guest, one, guest->pass == LAB_GUEST_FILL ? STO_OP_WRITE : STO_OP_READ);
    }
    if (guest->pass_out == 0)
        end_pass(guest);
}

static void start_pass(struct lab_guest *guest, enum lab_guest_pass pass)
{
    if (guest->pass != LAB_GUEST_IDLE) {
        guest->say(guest->context, LAB_GUEST_FAILED, 0, "another pass is under way");
        return;
    }
    guest->pass = pass;
    guest->next_lba = 0;
    guest->foreign = 0;
    advance_pass(guest);
}

void lab_guest_fill(struct lab_guest *guest)
{
    start_pass(guest, LAB_GUEST_FILL);
}

void lab_guest_verify(struct lab_guest *guest)
{
    start_pass(guest, LAB_GUEST_VERIFY);
}

/* Each slot has a run of its own, so none overtakes another on the same blocks. */
void lab_guest_flood(struct lab_guest *guest)
{
    uint64_t offset, bytes;

    disk_window(guest, &offset, &bytes);
    if (guest->pass != LAB_GUEST_IDLE || bytes / LAB_GUEST_RUN_BYTES < LAB_GUEST_DEPTH) {
        guest->say(guest->context, LAB_GUEST_FAILED, 0, "another pass, or too small a disk");
        return;
    }
    guest->pass = LAB_GUEST_FLOOD;
    for (unsigned i = 0; i < LAB_GUEST_DEPTH; i++) {
        struct lab_guest_request *one = &guest->requests[i];

        one->lba = (uint64_t)i * RUN_BLOCKS;
        one->count = RUN_BLOCKS;
        one->number = 1;
        guest->pass_out++;
        send(guest, one, STO_OP_WRITE);
    }
}

/* --- single runs --- */

static bool overlaps(const struct lab_guest_request *one, const struct lab_guest_write *write)
{
    return one->out && one->lba < write->lba + write->count && write->lba < one->lba + one->count;
}

/* The slot for a run, or NULL while it has to wait. */
static struct lab_guest_request *slot_for(struct lab_guest *guest,
                                          const struct lab_guest_write *write)
{
    struct lab_guest_request *slot = NULL;

    for (unsigned i = 0; i < LAB_GUEST_DEPTH; i++) {
        if (overlaps(&guest->writes[i], write))
            return NULL;
        if (!guest->writes[i].out)
            slot = &guest->writes[i];
    }
    return slot;
}

static void issue_writes(struct lab_guest *guest)
{
    while (guest->queued > 0) {
        struct lab_guest_request *slot = slot_for(guest, &guest->queue[0]);

        if (slot == NULL)
            return;
        slot->lba = guest->queue[0].lba;
        slot->count = guest->queue[0].count;
        slot->number = guest->queue[0].number;
        memmove(guest->queue, guest->queue + 1, --guest->queued * sizeof(guest->queue[0]));
        send(guest, slot, STO_OP_WRITE);
    }
}

void lab_guest_write(struct lab_guest *guest, uint64_t lba, uint64_t count, uint64_t number)
{
    if (count == 0 || count > RUN_BLOCKS || guest->queued == LAB_GUEST_WRITES) {
        guest->say(guest->context, LAB_GUEST_FAILED, number, "too long, or too many wait");
        return;
    }
    guest->queue[guest->queued++] =
        (struct lab_guest_write) { .lba = lba, .count = count, .number = number };
    issue_writes(guest);
}

void lab_guest_done(struct lab_guest_request *one, bool ok, const char *why)
{
    struct lab_guest *guest = one->guest;
    bool single = one >= guest->writes && one < guest->writes + LAB_GUEST_DEPTH;

    one->out = false;
    if (!ok)
        guest->say(guest->context, LAB_GUEST_FAILED, one->number, why);
    if (single) {
        if (ok)
            guest->say(guest->context, LAB_GUEST_WRITTEN, one->number, "");
        issue_writes(guest);
        return;
    }
    if (ok && guest->pass == LAB_GUEST_FLOOD) {
        one->number++;
        send(guest, one, STO_OP_WRITE);
        return;
    }
    guest->pass_out--;
    if (!ok) {
        guest->pass = LAB_GUEST_IDLE;
        return;
    }
    if (guest->pass == LAB_GUEST_IDLE)
        return; /* one of a flood that has failed elsewhere */
    if (guest->pass == LAB_GUEST_VERIFY)
        guest->foreign += count_foreign(guest, one);
    if (guest->pass == LAB_GUEST_FLUSH)
        end_pass(guest);
    else
        advance_pass(guest);
}
