/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The adversary's modes besides the flood: `probe` tries every write opcode once from a nexus that
 * holds nothing and says which of them the target's reservation stops; `show` prints keys and
 * reservation as a third party sees them; `clear` removes every registration between two scenarios.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "adversary.h"

#define ANSWER_SECONDS 10
#define PR_IN_BYTES    512u
#define MAX_TRIES      12u

static int64_t seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static int serve_until_ready(struct adversary *adversary)
{
    int64_t end = seconds_now() + ANSWER_SECONDS;

    if (adv_session_start(adversary) != 0)
        return -1;
    while (adversary->state != ADV_READY) {
        adv_session_serve(adversary, 100);
        if (adversary->broken || seconds_now() > end)
            return -1;
    }
    return 0;
}

struct answer {
    bool done;
    enum adv_result result;
    uint8_t data[PR_IN_BYTES];
    size_t length;
};

static void answered(struct iscsi_context *session, int status, void *command_data, void *opaque)
{
    struct answer *answer = opaque;
    struct scsi_task *task = command_data;

    (void)session;
    answer->done = true;
    answer->result = adv_judge(status, task);
    if (task == NULL)
        return;
    answer->length = task->datain.size > 0 ? (size_t)task->datain.size : 0;
    if (answer->length > sizeof(answer->data))
        answer->length = sizeof(answer->data);
    if (answer->length > 0 && task->datain.data != NULL)
        memcpy(answer->data, task->datain.data, answer->length);
    scsi_free_scsi_task(task);
}

/* One command without data out; repeated while unit attentions come. */
static int ask(struct adversary *adversary, uint8_t *cdb, int cdb_bytes, int in_bytes,
               struct answer *ret_answer)
{
    for (unsigned attempt = 0; attempt < MAX_TRIES; attempt++) {
        int64_t end = seconds_now() + ANSWER_SECONDS;
        struct scsi_task *task = scsi_create_task(
            cdb_bytes, cdb, in_bytes > 0 ? SCSI_XFER_READ : SCSI_XFER_NONE, in_bytes);
        memset(ret_answer, 0, sizeof(*ret_answer));
        if (task == NULL || iscsi_scsi_command_async(adversary->session, adversary->where->lun,
                                                     task, answered, NULL, ret_answer) != 0)
            return -1;
        while (!ret_answer->done && !adversary->broken && seconds_now() <= end)
            adv_session_serve(adversary, 100);
        if (!ret_answer->done)
            return -1;
        if (ret_answer->result != ADV_UNIT_ATTENTION)
            return 0;
    }
    return -1;
}

static int drain_attentions(struct adversary *adversary)
{
    uint8_t test_unit_ready[6] = { 0 };
    struct answer answer;
    return ask(adversary, test_unit_ready, sizeof(test_unit_ready), 0, &answer);
}

static void remember_probe(struct adversary *adversary, unsigned op, enum adv_result result)
{
    printf("%s %s\n", adv_ops()[op].name, adv_result_name(result));
    (void)adversary;
}

int adv_mode_probe(struct adversary *adversary)
{
    adversary->options.own = false;
    if (serve_until_ready(adversary) != 0 || drain_attentions(adversary) != 0)
        return 1;
    for (unsigned op = 0; op < ADV_OP_COUNT; op++) {
        int64_t end = seconds_now() + ANSWER_SECONDS;
        uint64_t before[ADV_RESULTS];
        memcpy(before, adversary->results[op], sizeof(before));
        if (adv_write_submit(adversary, &adversary->slots[0], op) != 0)
            return 1;
        while (adversary->slots[0].busy && !adversary->broken && seconds_now() <= end)
            adv_session_serve(adversary, 100);
        if (adversary->slots[0].busy)
            return 1;
        for (unsigned result = 0; result < ADV_RESULTS; result++) {
            if (adversary->results[op][result] != before[result])
                remember_probe(adversary, op, (enum adv_result)result);
        }
    }
    return 0;
}

static uint64_t get_be(const uint8_t *at, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value = value << 8 | at[i];
    return value;
}

int adv_mode_show(struct adversary *adversary)
{
    uint8_t keys_cdb[10] = { 0x5e, 0, 0, 0, 0, 0, 0, PR_IN_BYTES >> 8, PR_IN_BYTES & 0xff, 0 };
    uint8_t holder_cdb[10] = { 0x5e, 1, 0, 0, 0, 0, 0, PR_IN_BYTES >> 8, PR_IN_BYTES & 0xff, 0 };
    struct answer keys, holder;

    adversary->options.own = false;
    if (serve_until_ready(adversary) != 0 ||
        ask(adversary, keys_cdb, 10, PR_IN_BYTES, &keys) != 0 ||
        ask(adversary, holder_cdb, 10, PR_IN_BYTES, &holder) != 0 || keys.length < 8 ||
        holder.length < 8)
        return 1;
    printf("prgeneration %" PRIu64 "\n", get_be(keys.data, 4));
    size_t listed = get_be(keys.data + 4, 4);
    for (size_t at = 8; at + 8 <= keys.length && at < 8 + listed; at += 8)
        printf("key %016" PRIx64 "\n", get_be(keys.data + at, 8));
    if (get_be(holder.data + 4, 4) >= 16 && holder.length >= 24)
        printf("holder %016" PRIx64 " type %u\n", get_be(holder.data + 8, 8),
               holder.data[21] & 0xfu);
    else
        printf("holder none\n");
    return 0;
}

static int finish_pr(struct adversary *adversary)
{
    int64_t end = seconds_now() + ANSWER_SECONDS;
    while (adversary->pr_busy && !adversary->broken && seconds_now() <= end)
        adv_session_serve(adversary, 100);
    return adversary->pr_busy ? -1 : 0;
}

int adv_mode_clear(struct adversary *adversary)
{
    const unsigned register_ignore = 6, clear = 3;
    uint64_t key = adversary->options.key;

    adversary->options.own = false;
    if (serve_until_ready(adversary) != 0 || drain_attentions(adversary) != 0)
        return 1;
    if (adv_session_pr_out(adversary, register_ignore, 0, key, NULL) != 0 ||
        finish_pr(adversary) != 0)
        return 1;
    if (adv_session_pr_out(adversary, clear, key, 0, NULL) != 0 || finish_pr(adversary) != 0)
        return 1;
    return adversary->pr_results[clear][ADV_GOOD] == 1 ? 0 : 1;
}
