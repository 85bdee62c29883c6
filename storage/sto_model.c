/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The model target: sessions, the queue inside the target, reads and writes. Reservations are in
 * sto_model_pr.c. A data command is judged when it arrives and executed when its time is over, as
 * SAM-5 lets a device server do; that gap is where stale writes come from.
 */
#include "config.h"

#include "storage/sto_model_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/hw_cursor.h"

struct sto_model *sto_model_new(const struct sto_model_config *config)
{
    struct sto_model *model = calloc(1, sizeof(*model));

    if (model == NULL)
        return NULL;
    model->config = *config;
    model->store = calloc(config->blocks, STO_MODEL_BLOCK_BYTES);
    if (model->store == NULL) {
        free(model);
        return NULL;
    }
    return model;
}

static void free_pending(struct model_pending *pending)
{
    free(pending->data);
    free(pending);
}

void sto_model_free(struct sto_model *model)
{
    if (model == NULL)
        return;
    while (model->pending != NULL) {
        struct model_pending *first = model->pending;

        model->pending = first->next;
        free_pending(first);
    }
    free(model->store);
    free(model);
}

int sto_model_login(struct sto_model *model, uint64_t initiator_port)
{
    int nexus = -EAGAIN;

    if (!model->config.quirks.by_session) {
        for (int i = 0; i < STO_MODEL_NEXUSES; i++) {
            if (model->sessions[i].up && model->sessions[i].port == initiator_port)
                sto_model_end_session(model, model_nexus(model, i)); /* RFC 7143 6.3.5 */
        }
    }
    for (int i = 0; i < STO_MODEL_NEXUSES && nexus < 0; i++) {
        if (!model->sessions[i].up)
            nexus = i;
    }
    if (nexus < 0)
        return nexus;
    model->incarnations++;
    model->sessions[nexus] = (struct model_session) {
        .up = true,
        .port = initiator_port,
        .serial = (int)(model->incarnations & 0xffffff),
        .identity = model->config.quirks.by_session ? model->incarnations : initiator_port,
    };
    nexus = model_nexus(model, nexus);
    sto_model_attention(model, nexus, 0x2900);
    return nexus;
}

/* The session that a nexus number names; NULL once it has ended. */
static struct model_session *session_of(const struct sto_model *model, int nexus)
{
    const struct model_session *session;

    if (nexus < 0)
        return NULL;
    session = &model->sessions[nexus % STO_MODEL_NEXUSES];
    if (!session->up || session->serial != nexus / STO_MODEL_NEXUSES)
        return NULL;
    return (struct model_session *)session;
}

bool sto_model_session_up(const struct sto_model *model, int nexus)
{
    return session_of(model, nexus) != NULL;
}

int model_nexus(const struct sto_model *model, int slot)
{
    return slot + model->sessions[slot].serial * STO_MODEL_NEXUSES;
}

void sto_model_end_session(struct sto_model *model, int nexus)
{
    struct model_session *session = session_of(model, nexus);

    if (session == NULL)
        return;
    session->up = false;
    for (struct model_pending *p = model->pending; p != NULL; p = p->next) {
        if (p->nexus == nexus)
            p->command = NULL;
    }
}

void sto_model_attention(struct sto_model *model, int nexus, uint16_t asc_ascq)
{
    struct model_session *session = session_of(model, nexus);

    if (session != NULL && session->attention_count < STO_MODEL_ATTENTIONS)
        session->attentions[session->attention_count++] = asc_ascq;
}

void model_attention_identity(struct sto_model *model, uint64_t identity, uint16_t asc_ascq)
{
    for (int i = 0; i < STO_MODEL_NEXUSES; i++) {
        if (model->sessions[i].up && model->sessions[i].identity == identity)
            sto_model_attention(model, model_nexus(model, i), asc_ascq);
    }
}

void model_check_condition(struct sto_model_reply *reply, uint8_t key, uint16_t asc_ascq)
{
    *reply = (struct sto_model_reply) { .status = 0x02, .sense_key = key, .asc_ascq = asc_ascq };
}

/* --- data --- */

struct extent {
    uint64_t lba;
    uint32_t blocks;
};

static bool parse_rw(const uint8_t cdb[16], struct extent *ret_extent, bool *ret_write)
{
    struct hw_reader reader = hw_reader_over(cdb, 16);

    switch (hw_read_u8(&reader)) {
    case 0x28: /* READ(10), WRITE(10): SBC-3 5.8, 5.33 */
    case 0x2a:
        hw_read_skip(&reader, 1);
        ret_extent->lba = hw_read_be32(&reader);
        hw_read_skip(&reader, 1);
        ret_extent->blocks = hw_read_be16(&reader);
        break;
    case 0x88: /* READ(16), WRITE(16): SBC-3 5.10, 5.35 */
    case 0x8a:
        hw_read_skip(&reader, 1);
        ret_extent->lba = hw_read_be64(&reader);
        ret_extent->blocks = hw_read_be32(&reader);
        break;
    default:
        return false;
    }
    *ret_write = cdb[0] == 0x2a || cdb[0] == 0x8a;
    return true;
}

static void execute_rw(struct sto_model *model, struct model_pending *pending,
                       const struct extent *extent, bool write, struct sto_model_reply *reply)
{
    size_t bytes = (size_t)extent->blocks * STO_MODEL_BLOCK_BYTES;
    uint8_t *store;

    if (extent->lba >= model->config.blocks ||
        extent->blocks > model->config.blocks - extent->lba) {
        model_check_condition(reply, 0x05, 0x2100); /* LBA out of range */
        return;
    }
    store = model->store + extent->lba * STO_MODEL_BLOCK_BYTES;
    if (write) {
        if (bytes > pending->data_bytes) {
            model_check_condition(reply, 0x05, 0x2400);
            return;
        }
        memcpy(store, pending->data, bytes);
        if (model->config.landed != NULL)
            model->config.landed(model->config.context, pending->nexus, extent->lba, store, bytes);
    } else if (pending->command != NULL) {
        reply->data_in_bytes =
            bytes < pending->command->data_bytes ? bytes : pending->command->data_bytes;
        memcpy(pending->command->data, store, reply->data_in_bytes);
    }
}

static void execute(struct sto_model *model, struct model_pending *pending)
{
    struct sto_model_reply unheard = { 0 },
                           *reply = pending->disturbed ? &unheard : &pending->reply;
    struct extent extent;
    bool write;

    if (pending->judged)
        return;
    if (parse_rw(pending->cdb, &extent, &write))
        execute_rw(model, pending, &extent, write, reply);
    else if (pending->cdb[0] == STO_PR_OPCODE_OUT)
        model_pr_out(model, pending, reply);
    else if (pending->cdb[0] == STO_PR_OPCODE_IN)
        model_pr_in(model, pending, reply);
    else if (!model_describe(model, pending, reply) && pending->cdb[0] != 0x00 &&
             pending->cdb[0] != 0x35 && pending->cdb[0] != 0x91)
        model_check_condition(reply, 0x05, 0x2000); /* not TUR, not SYNCHRONIZE CACHE */
}

/* --- LUN RESET --- */

static void start_reset(struct sto_model *model, struct model_pending *reset, int64_t now_ns)
{
    struct model_pending **link = &model->pending;

    reset->judged = true;
    if (model->config.quirks.reset_unsupported) {
        reset->reply.tmf_response = 5;
        return;
    }
    reset->resets = true;
    while (*link != NULL) {
        struct model_pending *p = *link;

        if (p == reset || p->resets) {
            link = &p->next;
        } else if (model->config.quirks.reset_aborts) {
            *link = p->next;
            free_pending(p);
        } else { /* it lands, but nobody is told (TAS = 0) */
            if (p->due_ns > reset->due_ns)
                reset->due_ns = p->due_ns;
            p->command = NULL;
            link = &p->next;
        }
    }
    if (reset->due_ns < now_ns)
        reset->due_ns = now_ns;
}

static void finish_reset(struct sto_model *model)
{
    for (int i = 0; i < STO_MODEL_NEXUSES; i++)
        sto_model_attention(model, model_nexus(model, i),
                            model->config.quirks.names_reset ? 0x2903 : 0x2900);
}

/* --- the queue --- */

static void judge(struct sto_model *model, struct model_pending *pending)
{
    struct model_session *session = session_of(model, pending->nexus);
    bool untouched = pending->cdb[0] == 0x12 || pending->cdb[0] == 0xa0;

    if (session->attention_count > 0 && !untouched) {
        model_check_condition(&pending->reply, 0x06, session->attentions[0]);
        session->attention_count--;
        memmove(session->attentions, session->attentions + 1,
                session->attention_count * sizeof(session->attentions[0]));
        pending->judged = true;
    } else if (!model_pr_allows(model, session->identity, pending->cdb[0])) {
        pending->reply.status = 0x18;
        pending->judged = true;
    } else if (model->config.disturbs != NULL &&
               model->config.disturbs(model->config.context, pending->cdb, &pending->reply,
                                      &pending->disturbed)) {
        pending->judged = !pending->disturbed;
    }
}

static void enqueue(struct sto_model *model, struct model_pending *pending)
{
    struct model_pending **link = &model->pending;

    while (*link != NULL && (*link)->due_ns <= pending->due_ns)
        link = &(*link)->next;
    pending->next = *link;
    *link = pending;
}

int sto_model_submit(struct sto_model *model, int64_t now_ns, struct sto_model_command *command)
{
    struct model_pending *pending;

    if (!sto_model_session_up(model, command->nexus))
        return -ENOTCONN;
    pending = calloc(1, sizeof(*pending));
    if (pending == NULL)
        return -ENOMEM;
    pending->command = command;
    pending->nexus = command->nexus;
    pending->identity = session_of(model, command->nexus)->identity;
    pending->due_ns = now_ns + command->takes_ns;
    memcpy(pending->cdb, command->cdb, sizeof(pending->cdb));
    if (command->data_bytes > 0) {
        pending->data = malloc(command->data_bytes);
        if (pending->data == NULL) {
            free_pending(pending);
            return -ENOMEM;
        }
        memcpy(pending->data, command->data, command->data_bytes);
        pending->data_bytes = command->data_bytes;
    }
    if (command->reset)
        start_reset(model, pending, now_ns);
    else
        judge(model, pending);
    if (pending->judged && !command->reset)
        pending->due_ns = now_ns;
    enqueue(model, pending);
    return 0;
}

int64_t sto_model_next_ns(const struct sto_model *model)
{
    return model->pending == NULL ? INT64_MAX : model->pending->due_ns;
}

void sto_model_advance(struct sto_model *model, int64_t now_ns)
{
    while (model->pending != NULL && model->pending->due_ns <= now_ns) {
        struct model_pending *first = model->pending;

        model->pending = first->next;
        execute(model, first);
        if (first->resets)
            finish_reset(model);
        if (first->command != NULL)
            first->command->done(first->command, &first->reply);
        free_pending(first);
    }
}

void sto_model_restart(struct sto_model *model, int64_t now_ns, bool (*lands)(void *context),
                       void *context)
{
    (void)now_ns;
    for (int i = 0; i < STO_MODEL_NEXUSES; i++)
        sto_model_end_session(model, model_nexus(model, i));
    while (model->pending != NULL) {
        struct model_pending *first = model->pending;

        model->pending = first->next;
        if (first->cdb[0] != STO_PR_OPCODE_OUT && !first->resets && lands(context))
            execute(model, first);
        free_pending(first);
    }
    model_pr_power_cycle(model);
}

const uint8_t *sto_model_block(const struct sto_model *model, uint64_t lba)
{
    return lba < model->config.blocks ? model->store + lba * STO_MODEL_BLOCK_BYTES : NULL;
}

bool sto_model_poke(struct sto_model *model, uint64_t lba, const uint8_t *block)
{
    if (lba >= model->config.blocks)
        return false;
    memcpy(model->store + lba * STO_MODEL_BLOCK_BYTES, block, STO_MODEL_BLOCK_BYTES);
    return true;
}
