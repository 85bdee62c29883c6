/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hawser-vmm ctl: one order to a VM's control socket, and its answer for people, or as it came with
 * --json. Knows no command but "events": their words go as they are. What the VM says is not
 * trusted.
 */
#include "config.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "common/hw_cleanup.h"
#include "common/hw_clock.h"
#include "common/hw_order.h"
#include "common/hw_text.h"
#include "common/hw_values.h"
#include "vmm-core/run/vmm_client.h"
#include "vmm-core/run/vmm_words.h"

enum { ANSWER_MS = 30000, ID = 1 };

struct ctl {
    struct hw_call *call;
    struct vmm_client client;
    const char *command;
    bool json, begun; /* it was begun: it may take its time */
    bool follows;     /* "events" was answered: what happens is told until the end */
    uint64_t timeout_ms;
    struct hw_error *error;
};

/* --- the order --- */

/* true, false and numbers are those, all else is a text. */
static json_t *value_of(const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);

    if (json_is_boolean(value) || json_is_integer(value))
        return value;
    json_decref(value);
    return json_string(text);
}

static int take_words(const struct hw_call *call, json_t *order, struct hw_error *error)
{
    for (size_t i = 1; hw_argument(call, i) != NULL; i++) {
        const char *word = hw_argument(call, i), *equals = strchr(word, '=');
        hw_auto_free char *key = equals == NULL ? NULL : strndup(word, (size_t)(equals - word));

        if (equals == NULL || equals == word || hw_order_is_common(key == NULL ? "" : key))
            return hw_error_set(error, HW_ERROR_USAGE, EINVAL, word, "is no NAME=VALUE",
                                "see hawser-vmm(8)");
        if (key == NULL || json_object_set_new(order, key, value_of(equals + 1)) < 0)
            return hw_error_set(error, HW_ERROR_USAGE, EINVAL, word, "is no UTF-8 text",
                                "write it so");
    }
    return 0;
}

static int send_order(struct ctl *ctl)
{
    json_t *order = json_pack("{s:s, s:i}", "command", ctl->command, "id", ID);

    if (order == NULL)
        return hw_error_set(ctl->error, HW_ERROR_USAGE, EINVAL, "COMMAND", "is no UTF-8 text",
                            "write it so");
    if (take_words(ctl->call, order, ctl->error) < 0) {
        json_decref(order);
        return -EINVAL;
    }
    return vmm_client_send(&ctl->client, order);
}

/* --- for people --- */

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text == NULL ? "" : text;
}

static void print_text(const struct ctl *ctl, const char *text)
{
    json_t *spelled = hw_text(text);

    (void)fputs(spelled == NULL ? "" : json_string_value(spelled), ctl->call->out);
    json_decref(spelled);
}

static void print_scalar(const struct ctl *ctl, const json_t *value)
{
    FILE *out = ctl->call->out;

    if (json_is_string(value))
        print_text(ctl, json_string_value(value));
    else if (json_is_integer(value))
        (void)fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        (void)fprintf(out, "%g", json_real_value(value));
    else if (json_is_boolean(value))
        (void)fputs(json_is_true(value) ? "yes" : "no", out);
}

/* "name: value" a line; what is inside of it one step further to the right. */
static void print_value(const struct ctl *ctl, const char *name, json_t *value, int depth)
{
    const bool is_inner = json_is_object(value) || json_is_array(value);
    const char *key;
    json_t *inner;
    size_t i;

    (void)fprintf(ctl->call->out, "%*s", 2 * depth, "");
    print_text(ctl, name);
    (void)fputs(is_inner ? ":" : ": ", ctl->call->out);
    print_scalar(ctl, value);
    (void)fputc('\n', ctl->call->out);
    json_object_foreach(value, key, inner) print_value(ctl, key, inner, depth + 1);
    json_array_foreach(value, i, inner)
    {
        char number[24];

        (void)snprintf(number, sizeof(number), "%zu", i);
        print_value(ctl, number, inner, depth + 1);
    }
}

/* "ended: reason quit, text by order, status 12" */
static void print_event(const struct ctl *ctl, json_t *body)
{
    const char *key, *parting = ": ";
    json_t *value;

    print_text(ctl, text_of(body, "event"));
    json_object_foreach(body, key, value)
    {
        if (strcmp(key, "event") == 0)
            continue;
        (void)fputs(parting, ctl->call->out);
        print_text(ctl, key);
        (void)fputc(' ', ctl->call->out);
        print_scalar(ctl, value);
        parting = ", ";
    }
    (void)fputc('\n', ctl->call->out);
}

static void print_body(const struct ctl *ctl, json_t *body)
{
    const char *key;
    json_t *value;

    if (ctl->json) {
        (void)json_dumpf(body, ctl->call->out, JSON_COMPACT);
        (void)fputc('\n', ctl->call->out);
        return;
    }
    if (json_object_get(body, "event") != NULL) {
        print_event(ctl, body);
        return;
    }
    json_object_foreach(body, key, value)
    {
        if (strcmp(key, "ok") != 0 && strcmp(key, "id") != 0)
            print_value(ctl, key, value, 0);
    }
}

/* --- the answer --- */

static int take_error(const struct ctl *ctl, const json_t *said)
{
    enum hw_error_kind kind = HW_ERROR_TIMED_OUT;

    while (kind > HW_ERROR_FAILED && strcmp(hw_error_kind_name(kind), text_of(said, "kind")) != 0)
        kind--;
    return hw_error_set(ctl->error, kind, EREMOTEIO, text_of(said, "object"),
                        text_of(said, "reason"), text_of(said, "remedy"));
}

/* Of the command that was begun. */
static bool is_progress(struct ctl *ctl, const json_t *object)
{
    const bool is_ours = strcmp(text_of(object, "command"), ctl->command) == 0;

    ctl->begun = ctl->begun || (is_ours && strcmp(text_of(object, "event"), "begun") == 0);
    return is_ours && strcmp(text_of(object, "event"), "progress") == 0;
}

/* 1: that was the answer; 0: not yet; -errno with the error. */
static int take_object(struct ctl *ctl, json_t *object)
{
    if (json_integer_value(json_object_get(object, "id")) == ID) {
        if (!json_is_true(json_object_get(object, "ok")))
            return take_error(ctl, json_object_get(object, "error"));
        ctl->follows = strcmp(ctl->command, "events") == 0;
        if (!ctl->follows || ctl->json)
            print_body(ctl, object);
        return ctl->follows ? 0 : 1;
    }
    if (ctl->follows || is_progress(ctl, object))
        print_body(ctl, object);
    (void)fflush(ctl->call->out);
    return 0;
}

/* The same of all lines that have come. */
static int hear(struct ctl *ctl)
{
    json_t *object;
    int rc;

    while ((rc = vmm_client_hear(&ctl->client, &object)) == 1) {
        rc = take_object(ctl, object);
        json_decref(object);
        if (rc != 0)
            return rc;
    }
    if (rc != -ECONNRESET)
        return rc;
    return ctl->follows ? 1 : vmm_client_lost(&ctl->client);
}

static int wait_for_answer(struct ctl *ctl)
{
    const int64_t start_ms = hw_clock_now_ms(hw_clock_boottime());
    int rc = 0;

    while (rc == 0) {
        const int64_t passed_ms = hw_clock_now_ms(hw_clock_boottime()) - start_ms;
        const bool waits = ctl->follows || (ctl->timeout_ms == 0 && ctl->begun);
        const int64_t most_ms = ctl->timeout_ms == 0 ? ANSWER_MS : (int64_t)ctl->timeout_ms;
        struct pollfd fd = { .fd = ctl->client.fd, .events = POLLIN };

        if (!waits && passed_ms >= most_ms)
            return hw_error_set(ctl->error, HW_ERROR_TIMED_OUT, ETIMEDOUT, ctl->client.path,
                                "does not answer", "see whether the VM still runs");
        if (poll(&fd, 1, waits ? -1 : (int)(most_ms - passed_ms)) > 0)
            rc = hear(ctl);
    }
    return rc < 0 ? rc : 0;
}

int vmm_verb_ctl(struct hw_call *call)
{
    struct hw_error error = { 0 };
    struct ctl ctl = { .call = call, .client = { .fd = -1 }, .error = &error };

    ctl.command = hw_argument(call, 0);
    ctl.json = hw_option_given(call, "json");
    if (hw_option_duration(call, "timeout", 1, INT32_MAX, &ctl.timeout_ms, &error) == 0 &&
        vmm_client_open(&ctl.client, call, &error) == 0 && send_order(&ctl) == 0)
        (void)wait_for_answer(&ctl);
    vmm_client_close(&ctl.client);
    return error.kind != HW_ERROR_NONE ? hw_fail(call, &error) : 0;
}
