/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands of the ownership machine as operations of a LUN, and the answers back. Commands that
 * take several operations (identify, log out, write the record) go through stages; the first
 * operation that fails ends the command with its result.
 */
#include "config.h"

#include "storage/sto_owner_priv.h"

#include <errno.h>
#include <string.h>
#include <time.h>

/* The answer of one operation, as the machine wants it: a command that the target aborted may have
 * been executed in part, and only a new look tells. */
static struct sto_own_result result_of(const struct sto_result *from)
{
    return (struct sto_own_result) { .rc = from->rc == STO_ABORTED ? STO_UNKNOWN : from->rc,
                                     .asc_ascq = from->asc_ascq,
                                     .sent_ns = from->sent_ns };
}

static void finish_with(struct owner_slot *slot, struct sto_own_result *result)
{
    struct sto_owner *owner = slot->owner;
    struct sto_own_event event = { .kind = STO_OWN_EVENT_RESULT };

    result->id = slot->command.id;
    slot->busy = false;
    event.result = *result;
    owner_step(owner, &event);
}

static void finish(struct owner_slot *slot)
{
    const struct sto_result *from = &slot->op.result;
    struct sto_own_result result = result_of(from);

    if (slot->command.kind == STO_OWN_LUN_RESET && from->rc == STO_OK && from->tmf_response != 0)
        result.rc = STO_UNSUPPORTED;
    if (from->detail[0] != '\0')
        memcpy(slot->owner->detail, from->detail, sizeof(slot->owner->detail));
    finish_with(slot, &result);
}

/* The allocation length is larger than most answers. */
static bool is_answered(const struct sto_result *result)
{
    return result->rc == STO_OK || result->rc == STO_SHORT;
}

int sto_owner_decode_reservation(const struct sto_result *result,
                                 const uint8_t answer[STO_PR_RESERVATION_ANSWER_BYTES],
                                 struct sto_pr_reservation *ret_reservation)
{
    if (!is_answered(result))
        return -EIO;
    if (result->transferred_bytes > STO_PR_RESERVATION_ANSWER_BYTES)
        return -EBADMSG;
    return sto_pr_decode_reservation(answer, (size_t)result->transferred_bytes, ret_reservation);
}

static void finish_keys(struct owner_slot *slot)
{
    const struct sto_result *from = &slot->op.result;
    struct sto_own_result result = result_of(from);
    struct sto_owner *owner = slot->owner;

    if (is_answered(from))
        result.rc = STO_OK;
    if (result.rc == STO_OK && slot->command.kind == STO_OWN_READ_KEYS) {
        result.decode =
            sto_pr_decode_keys(slot->data.keys, (size_t)from->transferred_bytes, &owner->keys);
        result.keys = &owner->keys;
    } else if (result.rc == STO_OK) {
        result.decode =
            sto_owner_decode_reservation(from, slot->data.reservation, &owner->reservation);
        result.reservation = &owner->reservation;
    }
    finish_with(slot, &result);
}

static void submit(struct owner_slot *slot)
{
    int rc = sto_lun_submit(slot->owner->lun, &slot->op);

    if (rc < 0) {
        memset(&slot->op.result, 0, sizeof(slot->op.result));
        slot->op.result.rc = STO_NOT_SENT;
        if (rc == -EROFS)
            slot->op.result.rc = STO_READ_ONLY;
        else if (rc == -EINVAL && sto_lun_facts(slot->owner->lun) != NULL)
            slot->op.result.rc = STO_ILLEGAL; /* beyond the end: trying again does not help */
        finish(slot);
    }
}

static void prepare(struct owner_slot *slot, enum sto_op_kind kind, enum sto_session session,
                    void (*done)(struct sto_op *op))
{
    memset(&slot->op, 0, sizeof(slot->op));
    slot->op.kind = kind;
    slot->op.session = session;
    slot->op.timeout_ms = slot->command.timeout_ms;
    slot->op.done = done;
    slot->op.context = slot;
}

/* The capacity was asked again, after the barrier. Without it every read and write that follows
 * fails, so its own failure needs no judgement here. */
static void measured(void *context, int rc, const struct sto_facts *facts,
                     const struct hw_error *error)
{
    (void)rc;
    (void)facts;
    (void)error;
    finish(context);
}

/* A target may have kept its capacity secret while another held the LUN (sto_identify()). After
 * the barrier we hold it. */
static bool must_measure(const struct owner_slot *slot)
{
    return slot->command.kind == STO_OWN_LUN_RESET && slot->op.result.rc == STO_OK &&
           sto_lun_facts(slot->owner->lun) == NULL;
}

static void one_op_done(struct sto_op *op)
{
    struct owner_slot *slot = op->context;

    if (must_measure(slot) &&
        sto_identify(slot->owner->lun, slot->command.timeout_ms, measured, slot) == 0)
        return;
    if (slot->command.kind == STO_OWN_READ_KEYS || slot->command.kind == STO_OWN_READ_RESERVATION)
        finish_keys(slot);
    else
        finish(slot);
}

static void start_scsi(struct owner_slot *slot, enum sto_direction direction, void *data,
                       size_t bytes)
{
    uint8_t cdb[16] = { 0 };
    uint8_t cdb_bytes = 6; /* TEST UNIT READY: all zeroes */

    if (slot->command.kind == STO_OWN_PR_OUT)
        cdb_bytes = sto_pr_out_encode(&slot->command.request, cdb, slot->data.parameters);
    else if (slot->command.kind == STO_OWN_READ_KEYS)
        cdb_bytes = sto_pr_in_cdb(STO_PR_READ_KEYS, (uint16_t)bytes, cdb);
    else if (slot->command.kind == STO_OWN_READ_RESERVATION)
        cdb_bytes = sto_pr_in_cdb(STO_PR_READ_RESERVATION, (uint16_t)bytes, cdb);
    if (direction == STO_DIRECTION_IN)
        memset(data, 0, bytes); /* a short answer must not be filled up by an earlier one */
    prepare(slot, STO_OP_SCSI, slot->command.session, one_op_done);
    memcpy(slot->op.cdb, cdb, sizeof(cdb));
    slot->op.cdb_bytes = cdb_bytes;
    slot->op.direction = direction;
    if (bytes > 0) {
        slot->iov = (struct iovec) { .iov_base = data, .iov_len = bytes };
        slot->op.iov = &slot->iov;
        slot->op.iov_count = 1;
    }
    submit(slot);
}

/* --- identify --- */

static void identified(void *context, int rc, const struct sto_facts *facts,
                       const struct hw_error *error)
{
    struct owner_slot *slot = context;
    struct sto_own_result result = { .rc = STO_OK };

    if (rc < 0) {
        result.rc = STO_UNKNOWN;
        if (error != NULL && error->reason[0] != '\0')
            owner_set_detail(slot->owner, error->reason);
    } else {
        result.reservations = facts->reservations;
        result.aptpl = facts->keeps_over_power_loss;
        result.read_only = facts->read_only;
        result.wwid = facts->wwid;
    }
    finish_with(slot, &result);
}

/* --- log out: both sessions, whatever comes of it --- */

static void logged_out(struct sto_op *op)
{
    struct owner_slot *slot = op->context;

    if (slot->stage++ == 0) {
        prepare(slot, STO_OP_LOGOUT, STO_SESSION_CONTROL, logged_out);
        submit(slot);
        return;
    }
    finish(slot);
}

/* --- the ownership record --- */

int64_t sto_owner_confirmed_ns(const struct sto_owner *owner)
{
    return owner->confirmed_ns;
}

uint64_t sto_owner_line(const struct sto_owner *owner)
{
    const struct sto_record *record = sto_own_record(owner->own);

    return record == NULL ? 0 : record->line;
}

static void record_read(struct sto_op *op)
{
    struct owner_slot *slot = op->context;
    struct sto_owner *owner = slot->owner;
    struct sto_own_result result = result_of(&op->result);

    if (result.rc == STO_OK) {
        memcpy(owner->area, slot->area, STO_RECORD_AREA_BYTES);
        result.decode = sto_record_choose(owner->area, STO_RECORD_AREA_BYTES, &owner->record,
                                          &result.record_damaged);
        result.record = &owner->record;
    }
    finish_with(slot, &result);
}

static uint64_t meta_offset(const struct sto_owner *owner)
{
    if (owner->config.meta_at_start)
        return 0;
    return owner->config.meta_offset_bytes != 0 ? owner->config.meta_offset_bytes
                                                : STO_META_OFFSET_BYTES;
}

static void area_io(struct owner_slot *slot, enum sto_op_kind kind, size_t offset, size_t bytes,
                    void (*done)(struct sto_op *op))
{
    prepare(slot, kind, STO_SESSION_DATA, done);
    if (kind != STO_OP_FLUSH) {
        slot->iov = (struct iovec) { .iov_base = slot->area + offset, .iov_len = bytes };
        slot->op.iov = &slot->iov;
        slot->op.iov_count = 1;
        slot->op.offset_bytes = meta_offset(slot->owner) + offset;
    }
    submit(slot);
}

/* The past record goes into the ring, the new one into both copies of the slot's own image. */
static void compose_area(struct owner_slot *slot)
{
    struct sto_record past;
    bool damaged;

    memcpy(slot->area, slot->owner->area, STO_RECORD_AREA_BYTES);
    if (sto_record_choose(slot->area, STO_RECORD_AREA_BYTES, &past, &damaged) == 0)
        sto_record_encode(&past, slot->area + sto_record_ring_offset(past.sequence));
    memset(slot->area, 0, STO_RECORD_RING_OFFSET);
    sto_record_encode(&slot->command.record, slot->area);
    sto_record_encode(&slot->command.record, slot->area + STO_RECORD_PAGE_BYTES);
    memcpy(slot->owner->area + STO_RECORD_RING_OFFSET, slot->area + STO_RECORD_RING_OFFSET,
           STO_RECORD_AREA_BYTES - STO_RECORD_RING_OFFSET);
}

/* Both copies were read back over the image: is it what was written? */
static void check_written(struct owner_slot *slot)
{
    uint8_t sector[STO_RECORD_BYTES];

    sto_record_encode(&slot->command.record, sector);
    if (memcmp(slot->area, sector, sizeof(sector)) != 0 ||
        memcmp(slot->area + STO_RECORD_PAGE_BYTES, sector, sizeof(sector)) != 0)
        slot->op.result.rc = STO_MEDIUM;
    else
        memcpy(slot->owner->area, slot->area, STO_RECORD_AREA_BYTES);
    finish(slot);
}

enum record_stage { RING, COPY_A, FLUSH_A, COPY_B, FLUSH_B, READ_BACK, CHECK };

static void record_written(struct sto_op *op)
{
    struct owner_slot *slot = op->context;
    size_t ring_page = (sto_record_ring_offset(slot->command.record.sequence - 1)) &
                       ~(size_t)(STO_RECORD_PAGE_BYTES - 1);

    if (slot->stage > RING && op->result.rc != STO_OK) {
        finish(slot);
        return;
    }
    switch ((enum record_stage)slot->stage++) {
    case RING:
        area_io(slot, STO_OP_WRITE, ring_page, STO_RECORD_PAGE_BYTES, record_written);
        break;
    case COPY_A:
        area_io(slot, STO_OP_WRITE, 0, STO_RECORD_PAGE_BYTES, record_written);
        break;
    case FLUSH_A: /* the old copy B stands until the new copy A is durable */
    case FLUSH_B:
        area_io(slot, STO_OP_FLUSH, 0, 0, record_written);
        break;
    case COPY_B:
        area_io(slot, STO_OP_WRITE, STO_RECORD_PAGE_BYTES, STO_RECORD_PAGE_BYTES, record_written);
        break;
    case READ_BACK:
        memset(slot->area, 0, STO_RECORD_RING_OFFSET);
        area_io(slot, STO_OP_READ, 0, STO_RECORD_RING_OFFSET, record_written);
        break;
    case CHECK:
        check_written(slot);
        break;
    }
}

/* --- dispatch --- */

static struct owner_slot *free_slot(struct sto_owner *owner)
{
    for (unsigned i = 0; i < OWNER_SLOTS; i++) {
        if (!owner->slots[i].busy)
            return &owner->slots[i];
    }
    return NULL;
}

static void start(struct owner_slot *slot)
{
    struct sto_owner *owner = slot->owner;

    switch (slot->command.kind) {
    case STO_OWN_LOGIN:
        owner->detail[0] = '\0';
        prepare(slot, STO_OP_LOGIN, slot->command.session, one_op_done);
        submit(slot);
        break;
    case STO_OWN_IDENTIFY:
        if (sto_identify(owner->lun, slot->command.timeout_ms, identified, slot) < 0)
            identified(slot, -ENOMEM, NULL, NULL);
        break;
    case STO_OWN_TEST_UNIT:
        start_scsi(slot, STO_DIRECTION_NONE, NULL, 0);
        break;
    case STO_OWN_READ_KEYS:
        start_scsi(slot, STO_DIRECTION_IN, slot->data.keys, sizeof(slot->data.keys));
        break;
    case STO_OWN_READ_RESERVATION:
        start_scsi(slot, STO_DIRECTION_IN, slot->data.reservation, sizeof(slot->data.reservation));
        break;
    case STO_OWN_PR_OUT:
        start_scsi(slot, STO_DIRECTION_OUT, slot->data.parameters, sizeof(slot->data.parameters));
        break;
    case STO_OWN_LUN_RESET:
        prepare(slot, STO_OP_LUN_RESET, STO_SESSION_CONTROL, one_op_done);
        submit(slot);
        break;
    case STO_OWN_READ_RECORD:
        area_io(slot, STO_OP_READ, 0, STO_RECORD_AREA_BYTES, record_read);
        break;
    case STO_OWN_WRITE_RECORD:
        slot->command.record.written_s = (uint64_t)time(NULL);
        compose_area(slot);
        record_written(&slot->op);
        break;
    case STO_OWN_FLUSH:
        prepare(slot, STO_OP_FLUSH, STO_SESSION_DATA, one_op_done);
        submit(slot);
        break;
    case STO_OWN_LOGOUT:
        prepare(slot, STO_OP_LOGOUT, STO_SESSION_DATA, logged_out);
        submit(slot);
        break;
    }
}

void owner_command(struct sto_owner *owner, const struct sto_own_command *command)
{
    struct owner_slot *slot = free_slot(owner);

    if (slot == NULL) { /* given-up commands hold them all: as if it was not sent */
        struct sto_own_event event = { .kind = STO_OWN_EVENT_RESULT };

        event.result.id = command->id;
        event.result.rc = STO_NOT_SENT;
        owner_step(owner, &event);
        return;
    }
    slot->busy = true;
    slot->command = *command;
    slot->stage = 0;
    memset(&slot->op, 0, sizeof(slot->op));
    slot->op.context = slot;
    start(slot);
}
