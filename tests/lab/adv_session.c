/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The adversary's session: login under a given identity, its own reservation commands, resets.
 * Never reconnects inside libiscsi: a lost session is reported to the main loop, which starts
 * another at once. Never names a key that is not its own: preempting the new owner's key would be a
 * takeover, not a fault.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "adversary.h"

#define PR_OUT_OPCODE     0x5f
#define PR_TYPE_EXCLUSIVE 3u
#define MAX_ATTENTIONS    16u

enum pr_action {
    PR_REGISTER = 0,
    PR_RESERVE = 1,
    PR_CLEAR = 3,
    PR_PREEMPT = 4,
    PR_REGISTER_IGNORE = 6
};

static void own_next(struct adversary *adversary);

static void put_be64(uint8_t *at, uint64_t value)
{
    for (unsigned i = 0; i < 8; i++)
        at[i] = (uint8_t)(value >> (56 - 8 * i));
}

/* Data of a reservation command lives until its callback. */
struct pr_request {
    struct adversary *adversary;
    iscsi_command_cb callback;
    unsigned action;
    uint8_t data[24];
};

static void pr_done(struct iscsi_context *session, int status, void *command_data, void *opaque)
{
    struct pr_request *request = opaque;
    struct adversary *adversary = request->adversary;

    adversary->pr_results[request->action & 7][adv_judge(status, command_data)]++;
    adversary->pr_busy = false;
    if (request->callback != NULL)
        request->callback(session, status, command_data, adversary);
    if (command_data != NULL)
        scsi_free_scsi_task(command_data);
    free(request);
}

int adv_session_pr_out(struct adversary *adversary, unsigned action, uint64_t key,
                       uint64_t action_key, iscsi_command_cb callback)
{
    unsigned type = action == PR_RESERVE || action == PR_PREEMPT ? PR_TYPE_EXCLUSIVE : 0;
    uint8_t cdb[10] = { PR_OUT_OPCODE, (uint8_t)action, (uint8_t)type, 0, 0, 0, 0, 0, 24, 0 };
    struct pr_request *request = calloc(1, sizeof(*request));
    struct scsi_task *task = scsi_create_task(sizeof(cdb), cdb, SCSI_XFER_WRITE, 24);
    struct iscsi_data out;

    if (request == NULL || task == NULL)
        goto fail;
    request->adversary = adversary;
    request->callback = callback;
    request->action = action;
    put_be64(request->data, key);
    put_be64(request->data + 8, action_key);
    out = (struct iscsi_data) { .size = sizeof(request->data), .data = request->data };
    adversary->pr_busy = true;
    if (iscsi_scsi_command_async(adversary->session, adversary->where->lun, task, pr_done, &out,
                                 request) == 0)
        return 0;
    adversary->pr_busy = false;
fail:
    free(request);
    if (task != NULL)
        scsi_free_scsi_task(task);
    return -1;
}

static void become_ready(struct adversary *adversary)
{
    adversary->state = ADV_READY;
}

static void own_answer(struct iscsi_context *session, int status, void *command_data, void *opaque)
{
    struct adversary *adversary = opaque;
    enum adv_result result = adv_judge(status, command_data);

    (void)session;
    if (result == ADV_LOST) {
        adversary->broken = true;
        return;
    }
    if (result == ADV_UNIT_ATTENTION && adversary->attentions++ < MAX_ATTENTIONS) {
        own_next(adversary);
        return;
    }
    if (result != ADV_GOOD) {
        printf("{\"event\":\"not-owner\",\"step\":%u,\"result\":\"%s\"}\n", adversary->owning_step,
               adv_result_name(result));
        become_ready(adversary);
        return;
    }
    if (++adversary->owning_step < 2) {
        own_next(adversary);
        return;
    }
    adversary->was_owner = true;
    printf("{\"event\":\"owner\",\"node\":%llu,\"generation\":%llu}\n",
           (unsigned long long)adversary->options.node,
           (unsigned long long)adversary->options.generation);
    become_ready(adversary);
}

/* REGISTER, then RESERVE: what a rightful owner did before it lost the LUN. */
static void own_next(struct adversary *adversary)
{
    uint64_t key = adversary->options.key;
    int rc = adversary->owning_step == 0
                 ? adv_session_pr_out(adversary, PR_REGISTER, 0, key, own_answer)
                 : adv_session_pr_out(adversary, PR_RESERVE, key, 0, own_answer);
    if (rc != 0)
        adversary->broken = true;
}

static void logged_in(struct iscsi_context *session, int status, void *command_data, void *opaque)
{
    struct adversary *adversary = opaque;

    (void)command_data;
    if (status != SCSI_STATUS_GOOD) {
        if (adversary->logins == 0)
            fprintf(stderr, "adversary: login: %s\n", iscsi_get_error(session));
        adversary->broken = true;
        return;
    }
    adversary->logins++;
    adversary->answers++;
    adversary->attentions = 0;
    if (!adversary->options.own || adversary->was_owner) {
        become_ready(adversary);
        return;
    }
    adversary->state = ADV_OWNING;
    adversary->owning_step = 0;
    own_next(adversary);
}

static void connected(struct iscsi_context *session, int status, void *command_data, void *opaque)
{
    struct adversary *adversary = opaque;

    (void)command_data;
    if (status != SCSI_STATUS_GOOD || iscsi_login_async(session, logged_in, adversary) != 0)
        adversary->broken = true;
}

int adv_session_start(struct adversary *adversary)
{
    struct iscsi_context *session = iscsi_create_context(adversary->options.initiator);

    if (session == NULL)
        return -1;
    adversary->session = session;
    adversary->broken = false;
    adversary->pr_busy = false;
    adversary->state = ADV_CONNECTING;
    iscsi_set_noautoreconnect(session, 1);
    iscsi_set_isid_en(session, adversary->options.isid_en, adversary->options.isid_qualifier);
    if (adversary->options.r2t) {
        iscsi_set_immediate_data(session, ISCSI_IMMEDIATE_DATA_NO);
        iscsi_set_initial_r2t(session, ISCSI_INITIAL_R2T_YES);
    }
    if (iscsi_set_targetname(session, adversary->where->target) != 0 ||
        iscsi_set_session_type(session, ISCSI_SESSION_NORMAL) != 0 ||
        iscsi_connect_async(session, adversary->where->portal, connected, adversary) != 0) {
        adversary->broken = true;
        return -1;
    }
    return 0;
}

void adv_session_end(struct adversary *adversary)
{
    if (adversary->session != NULL)
        iscsi_destroy_context(adversary->session);
    adversary->session = NULL;
    adversary->state = ADV_DOWN;
    for (uint64_t i = 0; i < ADV_MAX_DEPTH; i++)
        adversary->slots[i].busy = false;
}

void adv_session_serve(struct adversary *adversary, int timeout_ms)
{
    struct pollfd poll_for = { .fd = -1 };
    int events;

    if (adversary->session == NULL || adversary->broken) {
        poll(NULL, 0, timeout_ms);
        return;
    }
    events = iscsi_which_events(adversary->session);
    poll_for.fd = iscsi_get_fd(adversary->session);
    poll_for.events = (short)events;
    if (poll(&poll_for, 1, timeout_ms) < 0 && errno != EINTR) {
        adversary->broken = true;
        return;
    }
    if (iscsi_service(adversary->session, poll_for.revents) < 0)
        adversary->broken = true;
}

void adv_session_meddle(struct adversary *adversary)
{
    uint64_t key = adversary->options.key;
    uint64_t dice = lab_random(&adversary->random) % 6;
    int rc;

    if (adversary->pr_busy)
        return;
    switch (dice) {
    case 0:
        rc = adv_session_pr_out(adversary, PR_REGISTER, 0, key, NULL);
        break;
    case 1:
        rc = adv_session_pr_out(adversary, PR_REGISTER, key, key, NULL);
        break;
    case 2:
    case 3:
        rc = adv_session_pr_out(adversary, PR_REGISTER_IGNORE, 0, key, NULL);
        break;
    case 4:
        rc = adv_session_pr_out(adversary, PR_RESERVE, key, 0, NULL);
        break;
    default:
        rc = adv_session_pr_out(adversary, PR_PREEMPT, key, key, NULL);
        break;
    }
    if (rc != 0)
        adversary->broken = true;
}

static void reset_done(struct iscsi_context *session, int status, void *command_data, void *opaque)
{
    struct adversary *adversary = opaque;

    (void)session;
    (void)command_data;
    if (status == SCSI_STATUS_GOOD)
        adversary->resets++;
}

int adv_session_reset(struct adversary *adversary)
{
    return iscsi_task_mgmt_lun_reset_async(adversary->session, (uint32_t)adversary->where->lun,
                                           reset_done, adversary);
}
