/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Persistent reservations of the model target, from SPC-4 5.13 and 6.16. Written from the
 * standard, not from the client's code: it must be able to say no to it.
 */
#include "config.h"

#include "storage/sto_model_priv.h"

#include <string.h>

#include "common/hw_cursor.h"

static struct model_registration *find(const struct sto_model *model, uint64_t identity)
{
    for (unsigned i = 0; i < model->registration_count; i++) {
        if (model->registrations[i].identity == identity)
            return (struct model_registration *)&model->registrations[i];
    }
    return NULL;
}

static bool all_registrants(const struct sto_model *model)
{
    return model->type == STO_PR_WRITE_EXCLUSIVE_ALL || model->type == STO_PR_EXCLUSIVE_ACCESS_ALL;
}

static bool is_holder(const struct sto_model *model, uint64_t identity)
{
    if (!model->held)
        return false;
    return all_registrants(model) ? find(model, identity) != NULL : model->holder == identity;
}

/* The types of SPC-4 table 213. */
static bool type_exists(unsigned type)
{
    return type == STO_PR_WRITE_EXCLUSIVE || type == STO_PR_EXCLUSIVE_ACCESS ||
           (type >= STO_PR_WRITE_EXCLUSIVE_REGISTRANTS && type <= STO_PR_EXCLUSIVE_ACCESS_ALL);
}

/* Commands that any reservation lets pass (SPC-4 table 70, SBC-3 table 13). */
static bool always_allowed(uint8_t opcode)
{
    switch (opcode) {
    case 0x00: /* TEST UNIT READY */
    case 0x03: /* REQUEST SENSE */
    case 0x12: /* INQUIRY */
    case 0x25: /* READ CAPACITY(10) */
    case 0x9e: /* SERVICE ACTION IN(16): READ CAPACITY(16) */
    case 0xa0: /* REPORT LUNS */
    case STO_PR_OPCODE_IN:
    case STO_PR_OPCODE_OUT: /* judges itself */
        return true;
    default:
        return false;
    }
}

static bool tells_capacity(uint8_t opcode)
{
    return opcode == 0x25 || opcode == 0x9e;
}

static bool only_reads(uint8_t opcode)
{
    return opcode == 0x08 || opcode == 0x28 || opcode == 0xa8 || opcode == 0x88 || opcode == 0x1a ||
           opcode == 0x5a || tells_capacity(opcode);
}

bool model_pr_allows(const struct sto_model *model, uint64_t identity, uint8_t opcode)
{
    if (!model->held || is_holder(model, identity))
        return true;
    if (always_allowed(opcode) && !(model->config.quirks.hides_capacity && tells_capacity(opcode)))
        return true;
    switch (model->type) {
    case STO_PR_WRITE_EXCLUSIVE:
        return only_reads(opcode);
    case STO_PR_WRITE_EXCLUSIVE_REGISTRANTS:
    case STO_PR_WRITE_EXCLUSIVE_ALL:
        return only_reads(opcode) || find(model, identity) != NULL;
    case STO_PR_EXCLUSIVE_ACCESS_REGISTRANTS:
    case STO_PR_EXCLUSIVE_ACCESS_ALL:
        return find(model, identity) != NULL;
    default:
        return false;
    }
}

static void tell_registrants(struct sto_model *model, uint64_t but, uint16_t asc_ascq)
{
    for (unsigned i = 0; i < model->registration_count; i++) {
        if (model->registrations[i].identity != but)
            model_attention_identity(model, model->registrations[i].identity, asc_ascq);
    }
}

static void release(struct sto_model *model, uint64_t by)
{
    if (model->type >= STO_PR_WRITE_EXCLUSIVE_REGISTRANTS)
        tell_registrants(model, by, 0x2a04);
    model->held = false;
    model->type = STO_PR_NONE;
}

static void remove_registration(struct sto_model *model, struct model_registration *registration)
{
    unsigned at = (unsigned)(registration - model->registrations);

    model->registration_count--;
    memmove(registration, registration + 1,
            (model->registration_count - at) * sizeof(*registration));
}

static void unregister(struct sto_model *model, struct model_registration *registration)
{
    uint64_t identity = registration->identity;
    bool last = model->registration_count == 1;

    if (model->held && (all_registrants(model) ? last : model->holder == identity))
        release(model, identity);
    remove_registration(model, registration);
}

static void register_key(struct sto_model *model, uint64_t identity,
                         const struct sto_pr_out_request *request, bool ignore,
                         struct sto_model_reply *reply)
{
    struct model_registration *mine = find(model, identity);

    if (!ignore && request->key != (mine == NULL ? 0 : mine->key)) {
        reply->status = 0x18;
        return;
    }
    if (request->aptpl && !model->config.quirks.persists) {
        model_check_condition(reply, 0x05, 0x2600);
        return;
    }
    if (request->service_key == 0) {
        if (mine != NULL)
            unregister(model, mine);
    } else if (mine != NULL) {
        mine->key = request->service_key;
    } else if (model->registration_count == MODEL_REGISTRATIONS) {
        model_check_condition(reply, 0x05, 0x5504);
        return;
    } else {
        model->registrations[model->registration_count++] =
            (struct model_registration) { .identity = identity, .key = request->service_key };
    }
    model->aptpl = request->aptpl;
    if (request->service_key != 0 || !model->config.quirks.unregister_uncounted)
        model->generation++;
}

static void reserve(struct sto_model *model, uint64_t identity,
                    const struct sto_pr_out_request *request, struct sto_model_reply *reply)
{
    if (!type_exists(request->type)) {
        model_check_condition(reply, 0x05, 0x2400);
    } else if (!model->held) {
        model->held = true;
        model->holder = identity;
        model->type = (uint8_t)request->type;
    } else if (!is_holder(model, identity) || model->type != request->type) {
        reply->status = 0x18;
    }
}

/* Remove every registration with this key (0: with any) but the caller's own; tell their
 * nexuses. */
static unsigned remove_key(struct sto_model *model, uint64_t identity, uint64_t key)
{
    uint16_t told = model->config.quirks.by_session ? 0x2a03 : 0x2a05;
    unsigned removed = 0;

    for (unsigned i = model->registration_count; i > 0; i--) {
        struct model_registration *other = &model->registrations[i - 1];

        if (key != 0 && other->key != key)
            continue;
        removed++;
        if (other->identity == identity)
            continue; /* SPC-4 5.13.11.4.3: not the preempting nexus itself */
        model_attention_identity(model, other->identity, told);
        remove_registration(model, other);
    }
    return removed;
}

/* The reservation is the caller's now. Who is still registered hears that the old type is gone
 * (SPC-4 5.13.11.2.4). */
static void take(struct sto_model *model, uint64_t identity, unsigned type)
{
    if (model->type != type)
        tell_registrants(model, identity, 0x2a04);
    model->holder = identity;
    model->type = (uint8_t)type;
}

static void preempt(struct sto_model *model, uint64_t identity,
                    const struct sto_pr_out_request *request, struct sto_model_reply *reply)
{
    const struct model_registration *holder = model->held ? find(model, model->holder) : NULL;
    bool for_all = model->held && all_registrants(model);
    bool takes =
        for_all ? request->service_key == 0 : holder != NULL && holder->key == request->service_key;

    if (takes && !type_exists(request->type)) {
        model_check_condition(reply, 0x05, 0x2400);
        return;
    }
    if (request->service_key == 0 && !for_all) { /* SPC-4 5.13.11.2.3: of all registrants only */
        model_check_condition(reply, 0x05, 0x2600);
        return;
    }
    if (model->config.quirks.preempts_wrong) { /* the array is shifted, the holder forgotten */
        if (model->registration_count > 1)
            remove_registration(model, &model->registrations[model->registration_count - 1]);
        return;
    }
    if (remove_key(model, identity, request->service_key) == 0) {
        reply->status = 0x18;
        return;
    }
    model->generation++;
    if (takes)
        take(model, identity, request->type);
}

static void clear(struct sto_model *model, uint64_t identity)
{
    tell_registrants(model, identity, 0x2a03);
    model->held = false;
    model->type = STO_PR_NONE;
    model->registration_count = 0;
    model->generation++;
}

void model_pr_out(struct sto_model *model, struct model_pending *pending,
                  struct sto_model_reply *reply)
{
    const struct model_registration *mine = find(model, pending->identity);
    struct sto_pr_out_request request;

    if (sto_pr_out_decode(pending->cdb, sizeof(pending->cdb), pending->data, pending->data_bytes,
                          &request) < 0) {
        model_check_condition(reply, 0x05, 0x1a00); /* parameter list length error */
        return;
    }
    if (request.action == STO_PR_REGISTER || request.action == STO_PR_REGISTER_IGNORE) {
        register_key(model, pending->identity, &request, request.action == STO_PR_REGISTER_IGNORE,
                     reply);
        return;
    }
    if (mine == NULL || mine->key != request.key) {
        reply->status = 0x18;
        return;
    }
    switch (request.action) {
    case STO_PR_RESERVE:
        reserve(model, pending->identity, &request, reply);
        break;
    case STO_PR_RELEASE:
        if (is_holder(model, pending->identity)) {
            if (model->type != request.type)
                model_check_condition(reply, 0x05, 0x2604); /* invalid release */
            else
                release(model, pending->identity);
        }
        break;
    case STO_PR_CLEAR:
        clear(model, pending->identity);
        break;
    case STO_PR_PREEMPT:
        preempt(model, pending->identity, &request, reply);
        break;
    default:
        model_check_condition(reply, 0x05, 0x2400);
        break;
    }
}

static void read_keys(const struct sto_model *model, struct hw_writer *writer)
{
    hw_write_be32(writer, model->generation);
    hw_write_be32(writer, model->registration_count * 8);
    for (unsigned i = 0; i < model->registration_count; i++)
        hw_write_be64(writer, model->registrations[i].key);
}

static void read_reservation(const struct sto_model *model, struct hw_writer *writer)
{
    const struct model_registration *holder = find(model, model->holder);

    hw_write_be32(writer, model->generation);
    hw_write_be32(writer, model->held ? 16 : 0);
    if (!model->held)
        return;
    hw_write_be64(writer, all_registrants(model) || holder == NULL ? 0 : holder->key);
    hw_write_zeroes(writer, 5);
    hw_write_u8(writer, model->type);
    hw_write_zeroes(writer, 2);
}

void model_pr_in(struct sto_model *model, struct model_pending *pending,
                 struct sto_model_reply *reply)
{
    uint8_t answer[8 + 8 * MODEL_REGISTRATIONS];
    struct hw_writer writer = hw_writer_over(answer, sizeof(answer));
    size_t room = (size_t)pending->cdb[7] << 8 | pending->cdb[8];

    if (pending->command == NULL)
        return;
    switch (pending->cdb[1] & 0x1f) {
    case STO_PR_READ_KEYS:
        read_keys(model, &writer);
        break;
    case STO_PR_READ_RESERVATION:
        read_reservation(model, &writer);
        break;
    case STO_PR_REPORT_CAPABILITIES:
        hw_write_be16(&writer, 8);
        hw_write_u8(&writer, model->config.quirks.persists ? 0x01 : 0x00);
        hw_write_u8(&writer, 0x80 | (model->aptpl ? 0x01 : 0x00));
        hw_write_u8(&writer, 0xea);
        hw_write_u8(&writer, 0x01);
        hw_write_zeroes(&writer, 2);
        break;
    default:
        model_check_condition(reply, 0x05, 0x2400);
        return;
    }
    if (room > pending->command->data_bytes)
        room = pending->command->data_bytes;
    reply->data_in_bytes = writer.at < room ? writer.at : room;
    memcpy(pending->command->data, answer, reply->data_in_bytes);
}

void model_pr_power_cycle(struct sto_model *model)
{
    if (model->aptpl)
        return;
    model->held = false;
    model->type = STO_PR_NONE;
    model->registration_count = 0;
    model->generation = 0;
}

bool sto_model_holder(const struct sto_model *model, uint64_t *ret_key, int *ret_nexus)
{
    const struct model_registration *holder = model->held ? find(model, model->holder) : NULL;

    if (holder == NULL)
        return false;
    *ret_key = holder->key;
    *ret_nexus = -1;
    for (int i = 0; i < STO_MODEL_NEXUSES; i++) {
        if (model->sessions[i].up && model->sessions[i].identity == holder->identity)
            *ret_nexus = model_nexus(model, i);
    }
    return true;
}

unsigned sto_model_registered(const struct sto_model *model, uint64_t *keys, unsigned room)
{
    for (unsigned i = 0; i < model->registration_count && i < room; i++)
        keys[i] = model->registrations[i].key;
    return model->registration_count;
}
