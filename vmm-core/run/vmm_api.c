/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Orders to rows of the table, and answers back. The command that takes time holds its asker here;
 * whether that is still connected does not matter to it.
 */
#include "config.h"

#include "vmm-core/run/vmm_api.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/hw_text.h"

struct vmm_api {
    qb_loop_t *loop;
    struct hw_control *control;
    struct vmm_api_owner owner;
    const struct vmm_api_command *under_way; /* or NULL */
    struct hw_asker asker;                   /* of that */
};

static int32_t ready(int32_t fd, int32_t revents, void *data)
{
    hw_control_service(((struct vmm_api *)data)->control, fd, (short)revents);
    return 0;
}

static void watch(void *context, int fd, short events)
{
    struct vmm_api *api = context;

    if (events == 0)
        (void)qb_loop_poll_del(api->loop, fd);
    else if (qb_loop_poll_mod(api->loop, QB_LOOP_MED, fd, events, api, ready) < 0)
        (void)qb_loop_poll_add(api->loop, QB_LOOP_MED, fd, events, api, ready);
}

/* --- orders --- */

static const struct vmm_api_command *find(const struct vmm_api *api, const char *name)
{
    for (const struct vmm_api_command *row = api->owner.commands; row->name != NULL; row++)
        if (strcmp(row->name, name) == 0)
            return row;
    return NULL;
}

static bool takes(const struct vmm_api_command *row, const char *key)
{
    for (const char *const *known = row->keys; known != NULL && *known != NULL; known++)
        if (strcmp(*known, key) == 0)
            return true;
    return hw_order_is_common(key);
}

static int check(const struct vmm_api *api, const struct vmm_api_command *row, json_t *order,
                 struct hw_error *error)
{
    const char *key;
    const json_t *value;

    if (row == NULL)
        return hw_error_set(error, HW_ERROR_USAGE, EINVAL, hw_order_command(order), "is no order",
                            VMM_API_REMEDY);
    json_object_foreach(order, key, value)
    {
        if (!takes(row, key))
            return hw_error_setf(error, HW_ERROR_USAGE, EINVAL, key, VMM_API_REMEDY,
                                 "is no word of \"%s\"", row->name);
    }
    if (api->under_way != NULL && !row->any_time)
        return hw_error_setf(error, HW_ERROR_REFUSED, EBUSY, row->name,
                             "wait until it is done, or cancel it", "\"%s\" is under way",
                             api->under_way->name);
    return 0;
}

static void begin(struct vmm_api *api, const struct vmm_api_command *row, struct hw_asker asker)
{
    api->under_way = row;
    api->asker = asker;
    vmm_api_event(api, "begun", json_pack("{s:s}", "command", row->name));
}

static void obey(struct vmm_api *api, const struct vmm_api_command *row, json_t *order,
                 struct hw_asker asker)
{
    const struct vmm_api_call call = { api->owner.context, order, &asker };
    struct hw_error error = { 0 };
    json_t *body = NULL;

    if (row->run(&call, &body, &error) < 0) {
        hw_control_refuse(api->control, &asker, &error);
        json_decref(body);
    } else {
        hw_control_answer(api->control, &asker, body == NULL ? json_object() : body, -1);
    }
}

static void obey_in_time(struct vmm_api *api, const struct vmm_api_command *row, json_t *order,
                         struct hw_asker asker)
{
    struct vmm_api_call call = { api->owner.context, order, &api->asker };
    struct hw_error error = { 0 };
    json_t *body = NULL;

    begin(api, row, asker);
    if (row->run(&call, &body, &error) < 0)
        vmm_api_done(api, NULL, &error);
    json_decref(body);
}

static void take(void *context, json_t *order, struct hw_asker asker)
{
    struct vmm_api *api = context;
    const struct vmm_api_command *row = find(api, hw_order_command(order));
    struct hw_error error = { 0 };

    if (check(api, row, order, &error) < 0)
        hw_control_refuse(api->control, &asker, &error);
    else if (row->takes_time)
        obey_in_time(api, row, order, asker);
    else
        obey(api, row, order, asker);
}

static void drained(void *context, const struct hw_asker *asker)
{
    const struct vmm_api *api = context;

    (void)asker;
    if (api->owner.drained != NULL)
        api->owner.drained(api->owner.context);
}

/* --- life --- */

int vmm_api_new(qb_loop_t *loop, int listener, const struct vmm_api_owner *owner,
                struct vmm_api **ret_api)
{
    struct vmm_api *api = calloc(1, sizeof(*api));
    struct hw_control_callbacks callbacks = { .order = take,
                                              .watch = watch,
                                              .drained = drained,
                                              .context = api,
                                              .remedy = VMM_API_REMEDY,
                                              .tells_all = true };

    if (api != NULL) {
        api->loop = loop;
        api->owner = *owner;
    }
    if (api == NULL || hw_control_new(listener, &callbacks, &api->control) < 0) {
        (void)close(listener);
        free(api);
        return -ENOMEM;
    }
    if (qb_loop_poll_mod(loop, QB_LOOP_MED, listener, POLLIN, api, ready) < 0) {
        vmm_api_free(api); /* watch() had no memory */
        return -ENOMEM;
    }
    *ret_api = api;
    return 0;
}

void vmm_api_free(struct vmm_api *api)
{
    struct hw_error error = { 0 };

    if (api == NULL)
        return;
    (void)hw_error_set(&error, HW_ERROR_FAILED, ECANCELED, "VM", "has ended before it was done",
                       "");
    vmm_api_done(api, NULL, &error);
    hw_control_free(api->control);
    free(api);
}

/* --- events --- */

static json_t *event_of(const char *event, json_t *body)
{
    if (body == NULL)
        body = json_object();
    if (body != NULL)
        (void)json_object_set_new(body, "event", json_string(event));
    return body;
}

void vmm_api_event(struct vmm_api *api, const char *event, json_t *body)
{
    if (api == NULL) {
        json_decref(body);
        return;
    }
    body = event_of(event, body);
    if (body != NULL)
        hw_control_event(api->control, body);
}

void vmm_api_tell(struct vmm_api *api, const struct hw_asker *asker, const char *event,
                  json_t *body)
{
    hw_control_tell(api->control, asker, event_of(event, body));
}

int vmm_api_check(const struct vmm_api *api, const struct hw_asker *asker)
{
    return hw_control_check(api->control, asker);
}

const char *vmm_api_under_way(const struct vmm_api *api)
{
    return api == NULL || api->under_way == NULL ? NULL : api->under_way->name;
}

/* Event `event` of the command under way. */
static void tell(struct vmm_api *api, const char *event, json_t *body)
{
    if (body == NULL)
        body = json_object();
    if (body != NULL)
        (void)json_object_set_new(body, "command", json_string(api->under_way->name));
    vmm_api_event(api, event, body);
}

void vmm_api_progress(struct vmm_api *api, json_t *body)
{
    if (vmm_api_under_way(api) == NULL)
        json_decref(body);
    else
        tell(api, "progress", body);
}

void vmm_api_done(struct vmm_api *api, json_t *body, const struct hw_error *error)
{
    if (vmm_api_under_way(api) == NULL) {
        json_decref(body);
        return;
    }
    if (error != NULL) {
        json_decref(body);
        hw_control_refuse(api->control, &api->asker, error);
        tell(api, "failed", json_pack("{s:o}", "reason", hw_text(error->reason)));
    } else {
        hw_control_answer(api->control, &api->asker, body == NULL ? json_object() : body, -1);
        tell(api, "done", NULL);
    }
    api->under_way = NULL;
}
