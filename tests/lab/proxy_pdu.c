/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the lab's proxy does to single PDUs. A unit attention is injected by swallowing the command
 * and answering CHECK CONDITION in the target's name. The target never sees that CmdSN, the
 * initiator sees one more StatSN: from then on both numbers of every later PDU are shifted (RFC
 * 7143 clause 4.2.2), so that either end finds its own sequence unbroken.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "proxy.h"

#define FLAG_IMMEDIATE  0x40u
#define NO_TAG          0xffffffffu
#define PR_OUT          0x5fu
#define SENSE_BYTES     18u
#define CHECK_CONDITION 0x02u

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void put32(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

static unsigned opcode_of(const uint8_t *bhs)
{
    return bhs[0] & 0x3fu;
}

size_t px_pdu_length(const uint8_t *bhs)
{
    size_t data = (size_t)bhs[5] << 16 | (size_t)bhs[6] << 8 | bhs[7];
    return PX_BHS_BYTES + 4u * bhs[4] + ((data + 3u) & ~(size_t)3u);
}

struct px_pdu *px_pdu_new(const uint8_t *bytes, size_t length, uint64_t due_ms)
{
    struct px_pdu *pdu = malloc(sizeof(*pdu) + length);
    if (pdu == NULL)
        return NULL;
    *pdu = (struct px_pdu) { .due_ms = due_ms, .length = length };
    memcpy(pdu->bytes, bytes, length);
    return pdu;
}

void px_queue_put(struct px_queue *queue, struct px_pdu *pdu)
{
    if (queue->first == NULL)
        queue->last = &queue->first;
    pdu->next = NULL;
    *queue->last = pdu;
    queue->last = &pdu->next;
}

void px_queue_clear(struct px_queue *queue)
{
    while (queue->first != NULL) {
        struct px_pdu *pdu = queue->first;
        queue->first = pdu->next;
        free(pdu);
    }
}

/*
 * Whether this command meets a unit attention. The first command of each step (opcode and service
 * action) on a connection finds that many more of them waiting; any command takes one.
 */
static bool meets_attention(const struct px_orders *orders, struct px_connection *connection,
                            const uint8_t *cdb)
{
    bool has_action = cdb[0] == 0x5e || cdb[0] == PR_OUT || cdb[0] == 0x9e;
    uint32_t key = (uint32_t)cdb[0] << 8 | (has_action ? cdb[1] & 0x1fu : 0);
    unsigned i = 0;

    while (i < connection->step_count && connection->steps[i] != key)
        i++;
    if (i == connection->step_count && i < PX_STEPS) {
        connection->steps[connection->step_count++] = key;
        connection->attentions_waiting += orders->attentions;
    }
    if (connection->attentions_waiting == 0)
        return false;
    connection->attentions_waiting--;
    return true;
}

static unsigned choose_attention(struct px_orders *orders)
{
    /* reset, power on, bus reset, nexus loss, mode parameters, capacity, reported LUNs, inquiry
     * data changed */
    static const uint16_t codes[] = {
        0x2900, 0x2901, 0x2902, 0x2907, 0x2a01, 0x2a09, 0x3f0e, 0x3f03
    };
    if (orders->attention_code != 0)
        return orders->attention_code;
    return codes[lab_random(&orders->random) % (sizeof(codes) / sizeof(codes[0]))];
}

/* SCSI Response with fixed-format sense data (RFC 7143 11.4, SPC-4 4.5.3) in the target's name. */
static struct px_pdu *attention_answer(struct px_orders *orders, struct px_connection *connection,
                                       const uint8_t *command)
{
    uint8_t bytes[PX_BHS_BYTES + 2 + SENSE_BYTES] = { PX_SCSI_RESPONSE, 0x80, 0, CHECK_CONDITION };
    uint8_t *sense = bytes + PX_BHS_BYTES + 2;
    unsigned code = choose_attention(orders);

    bytes[7] = 2 + SENSE_BYTES;
    memcpy(bytes + 16, command + 16, 4);
    put32(bytes + 24, connection->next_status + connection->added_answers);
    put32(bytes + 28, connection->expected_command + connection->swallowed_commands);
    put32(bytes + 32, connection->max_command + connection->swallowed_commands);
    bytes[PX_BHS_BYTES + 1] = SENSE_BYTES;
    sense[0] = 0x70;
    sense[2] = 0x06;
    sense[7] = SENSE_BYTES - 8;
    sense[12] = (uint8_t)(code >> 8);
    sense[13] = (uint8_t)code;
    connection->added_answers++;
    return px_pdu_new(bytes, sizeof(bytes), 0);
}

/* Task Management Function Response (RFC 7143 11.6), "function complete", in the target's name. */
static struct px_pdu *task_answer(struct px_connection *connection, const uint8_t *request)
{
    uint8_t bytes[PX_BHS_BYTES] = { PX_TASK_RESPONSE, 0x80 };

    if ((request[0] & FLAG_IMMEDIATE) == 0)
        connection->swallowed_commands++;
    memcpy(bytes + 16, request + 16, 4);
    put32(bytes + 24, connection->next_status + connection->added_answers);
    put32(bytes + 28, connection->expected_command + connection->swallowed_commands);
    put32(bytes + 32, connection->max_command + connection->swallowed_commands);
    connection->added_answers++;
    return px_pdu_new(bytes, sizeof(bytes), 0);
}

static bool was_swallowed(const struct px_connection *connection, uint32_t tag)
{
    for (unsigned i = 0; i < connection->swallowed_count && i < PX_SWALLOWED; i++) {
        if (connection->swallowed_tags[i] == tag)
            return true;
    }
    return false;
}

static void forget_swallowed(struct px_connection *connection, uint32_t tag)
{
    for (unsigned i = 0; i < PX_SWALLOWED; i++) {
        if (connection->swallowed_tags[i] == tag)
            connection->swallowed_tags[i] = NO_TAG;
    }
}

static enum px_verdict judge_command(struct px_orders *orders, struct px_connection *connection,
                                     uint8_t *pdu, struct px_pdu **ret_answer)
{
    const uint8_t *cdb = pdu + 32;
    uint32_t tag = get32(pdu + 16);

    forget_swallowed(connection, tag);
    if (connection->full_feature && orders->attentions > 0 &&
        meets_attention(orders, connection, cdb)) {
        *ret_answer = attention_answer(orders, connection, pdu);
        if ((pdu[0] & FLAG_IMMEDIATE) == 0)
            connection->swallowed_commands++;
        connection->swallowed_tags[connection->swallowed_count++ % PX_SWALLOWED] = tag;
        if (connection->swallowed_count >= 2 * PX_SWALLOWED)
            connection->swallowed_count = PX_SWALLOWED;
        return PX_SWALLOW;
    }
    if (cdb[0] == PR_OUT && orders->pr_out_lose > 0) {
        connection->pr_out_pending = true;
        connection->pr_out_tag = tag;
    }
    return PX_PASS;
}

static enum px_verdict judge_from_client(struct px_orders *orders, struct px_connection *connection,
                                         uint8_t *pdu, struct px_pdu **ret_answer)
{
    enum px_verdict verdict = PX_PASS;
    unsigned opcode = opcode_of(pdu);

    if (opcode == PX_SCSI_COMMAND)
        verdict = judge_command(orders, connection, pdu, ret_answer);
    if (opcode == PX_TASK_REQUEST && orders->task_answer == PX_TASK_FAKE) {
        *ret_answer = task_answer(connection, pdu);
        return PX_SWALLOW;
    }
    if (opcode == PX_DATA_OUT && get32(pdu + 20) == NO_TAG &&
        was_swallowed(connection, get32(pdu + 16)))
        return PX_SWALLOW; /* unsolicited data of a command that never went on */
    if (verdict != PX_PASS)
        return verdict;
    if (opcode != PX_DATA_OUT)
        put32(pdu + 24, get32(pdu + 24) - connection->swallowed_commands);
    put32(pdu + 28, get32(pdu + 28) - connection->added_answers);
    return PX_PASS;
}

static bool carries_status(const uint8_t *pdu)
{
    unsigned opcode = opcode_of(pdu);
    if (opcode == PX_DATA_IN)
        return (pdu[1] & 0x01u) != 0;
    return true;
}

/* R2T and a NOP-In of the target's own show the next StatSN without using it up. */
static bool uses_status(const uint8_t *pdu)
{
    unsigned opcode = opcode_of(pdu);
    return opcode != PX_R2T && !(opcode == PX_NOP_IN && get32(pdu + 16) == NO_TAG);
}

static enum px_verdict judge_from_target(struct px_orders *orders, struct px_connection *connection,
                                         uint8_t *pdu)
{
    unsigned opcode = opcode_of(pdu);

    if (carries_status(pdu)) {
        uint32_t status = get32(pdu + 24);
        connection->next_status = uses_status(pdu) ? status + 1 : status;
        put32(pdu + 24, status + connection->added_answers);
    }
    connection->expected_command = get32(pdu + 28);
    connection->max_command = get32(pdu + 32);
    put32(pdu + 28, connection->expected_command + connection->swallowed_commands);
    put32(pdu + 32, connection->max_command + connection->swallowed_commands);
    if (opcode == PX_LOGIN_RESPONSE && (pdu[1] & 0x83u) == 0x83u && pdu[36] == 0)
        connection->full_feature = true;
    if (opcode == PX_TASK_RESPONSE && orders->task_answer != PX_TASK_PASS &&
        orders->task_answer != PX_TASK_FAKE && orders->task_answers_left > 0) {
        orders->task_answers_left--;
        if (orders->task_answer == PX_TASK_LOSE) {
            connection->added_answers--; /* the initiator never sees this StatSN */
            return PX_SWALLOW;
        }
        pdu[2] = (uint8_t)orders->task_answer;
    }
    if (opcode == PX_SCSI_RESPONSE && connection->pr_out_pending &&
        get32(pdu + 16) == connection->pr_out_tag) {
        connection->pr_out_pending = false;
        if (orders->pr_out_skip > 0) {
            orders->pr_out_skip--;
        } else if (orders->pr_out_lose > 0) {
            orders->pr_out_lose--;
            return PX_CUT;
        }
    }
    return PX_PASS;
}

enum px_verdict px_judge(struct px_orders *orders, struct px_connection *connection,
                         enum px_side side, uint8_t *pdu, size_t length, struct px_pdu **ret_answer)
{
    *ret_answer = NULL;
    (void)length;
    if (side == PX_CLIENT)
        return judge_from_client(orders, connection, pdu, ret_answer);
    return judge_from_target(orders, connection, pdu);
}

static bool is_write(uint8_t operation)
{
    static const uint8_t writes[] = { 0x0a, 0x2a, 0xaa, 0x8a, 0x2e, 0xae, 0x8e,
                                      0x41, 0x93, 0x42, 0x8b, 0x89, 0x9c };
    for (size_t i = 0; i < sizeof(writes); i++) {
        if (writes[i] == operation)
            return true;
    }
    return false;
}

void px_watch(struct proxy *proxy, struct px_connection *connection, enum px_side side,
              const uint8_t *pdu)
{
    unsigned opcode = opcode_of(pdu);

    if (side == PX_TARGET) {
        for (unsigned i = 0; opcode == PX_TASK_RESPONSE && pdu[2] == 0 && i < PX_CONNECTIONS; i++)
            proxy->connections[i].barrier_seen = proxy->connections[i].registers;
        return;
    }
    if (opcode == PX_DATA_OUT || (opcode == PX_SCSI_COMMAND && is_write(pdu[32])))
        proxy->writes++;
    if (opcode != PX_SCSI_COMMAND)
        return;
    if (pdu[32] == PR_OUT)
        connection->registers = true;
    if (is_write(pdu[32]) && !connection->barrier_seen && !connection->early_said) {
        connection->early_said = true;
        printf("{\"event\":\"early-write\",\"connection\":%u,\"opcode\":%u}\n", connection->number,
               pdu[32]);
    }
}
