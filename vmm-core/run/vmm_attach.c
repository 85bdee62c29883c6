/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hawser-vmm console: the serial port of a running VM here, until Ctrl-] or the VM's end. What the
 * guest has no room for waits here, and our own input with it.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "vmm-core/run/vmm_client.h"
#include "vmm-core/run/vmm_words.h"

enum { QUIT_KEY = 0x1d, IN_BYTES = 128, AGAIN_MS = 50 };

struct attach {
    struct hw_call *call;
    struct vmm_client client;
    int in; /* -1: at its end */
    bool only_last, leaves;
    bool asked; /* there is an order that was not answered */
    bool full;  /* the guest had no room: again after a while */
    unsigned char bytes[IN_BYTES];
    size_t count;
    struct hw_error *error;
};

/* Characters that are bytes; another one, which no VM sends, is a question mark. */
static void print(struct attach *attach, const json_t *text)
{
    const unsigned char *at = (const unsigned char *)json_string_value(text);
    const unsigned char *end = at == NULL ? NULL : at + json_string_length(text);

    while (at < end) {
        if (*at < 0x80)
            (void)fputc(*at, attach->call->out);
        else if (*at == 0xc2 || *at == 0xc3)
            (void)fputc((*at & 0x03) << 6 | (at[1] & 0x3f), attach->call->out);
        else if (*at >= 0xc0)
            (void)fputc('?', attach->call->out);
        at += *at == 0xc2 || *at == 0xc3 ? 2 : 1;
        while (at < end && (*at & 0xc0) == 0x80)
            at++;
    }
    (void)fflush(attach->call->out);
}

static int type(struct attach *attach)
{
    char text[2 * IN_BYTES];
    size_t length = 0;

    for (size_t i = 0; i < attach->count; i++) {
        if (attach->bytes[i] >= 0x80)
            text[length++] = (char)(0xc0 | attach->bytes[i] >> 6);
        text[length++] =
            (char)(attach->bytes[i] < 0x80 ? attach->bytes[i] : 0x80 | (attach->bytes[i] & 0x3f));
    }
    attach->asked = true;
    attach->full = false;
    return vmm_client_send(&attach->client, json_pack("{s:s, s:s%, s:i}", "command", "console",
                                                      "input", text, length, "id", 2));
}

/* No zero bytes: an order cannot carry them. */
static void read_input(struct attach *attach)
{
    unsigned char bytes[IN_BYTES];
    const ssize_t got = read(attach->in, bytes, sizeof(bytes));

    if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN))
        attach->in = -1;
    for (ssize_t i = 0; i < got && !attach->leaves; i++) {
        attach->leaves = bytes[i] == QUIT_KEY && isatty(STDIN_FILENO);
        if (bytes[i] != 0 && !attach->leaves)
            attach->bytes[attach->count++] = bytes[i];
    }
}

static int take_answer(struct attach *attach, json_t *object)
{
    const json_t *error = json_object_get(object, "error");
    const json_int_t taken = json_integer_value(json_object_get(object, "taken"));

    if (error != NULL) {
        const char *reason = json_string_value(json_object_get(error, "reason"));

        return hw_error_set(attach->error, HW_ERROR_FAILED, EREMOTEIO, "console",
                            reason == NULL ? "" : reason, "");
    }
    if (json_integer_value(json_object_get(object, "id")) == 1) {
        print(attach, json_object_get(object, "text"));
        attach->leaves = attach->only_last;
        return 0;
    }
    attach->asked = false;
    attach->full = taken <= 0;
    if (taken > 0 && (size_t)taken <= attach->count) {
        attach->count -= (size_t)taken;
        memmove(attach->bytes, attach->bytes + taken, attach->count);
    }
    return 0;
}

static int hear(struct attach *attach)
{
    json_t *object;
    int rc;

    while ((rc = vmm_client_hear(&attach->client, &object)) == 1) {
        const char *event = json_string_value(json_object_get(object, "event"));

        if (event == NULL)
            rc = take_answer(attach, object);
        else if (strcmp(event, "console") == 0)
            print(attach, json_object_get(object, "text"));
        json_decref(object);
        if (rc < 0)
            return rc;
    }
    attach->leaves = attach->leaves || rc == -ECONNRESET; /* the VM has ended */
    return rc == -ECONNRESET ? 0 : rc;
}

static int turn(struct attach *attach)
{
    const bool reads = attach->count == 0 && attach->in >= 0;
    struct pollfd fds[2] = { { .fd = attach->client.fd, .events = POLLIN },
                             { .fd = reads ? attach->in : -1, .events = POLLIN } };
    int rc = 0;

    if (attach->count > 0 && !attach->asked && !attach->full)
        rc = type(attach);
    if (rc < 0)
        return rc;
    (void)poll(fds, 2, attach->full ? AGAIN_MS : -1);
    attach->full = false;
    if (fds[0].revents != 0)
        rc = hear(attach);
    if (rc == 0 && fds[1].revents != 0)
        read_input(attach);
    return rc;
}

static int stay(struct attach *attach)
{
    json_t *order = attach->only_last
                        ? json_pack("{s:s, s:i}", "command", "console", "id", 1)
                        : json_pack("{s:s, s:i, s:b}", "command", "console", "id", 1, "attach", 1);
    int rc = vmm_client_send(&attach->client, order);

    while (rc == 0 && !attach->leaves)
        rc = turn(attach);
    return rc;
}

int vmm_verb_console(struct hw_call *call)
{
    struct hw_error error = { 0 };
    struct attach attach = { .call = call, .client = { .fd = -1 }, .error = &error };
    struct termios before, raw;
    bool is_raw = false;

    attach.only_last = hw_option_given(call, "last");
    attach.in = attach.only_last ? -1 : STDIN_FILENO;
    if (vmm_client_open(&attach.client, call, &error) == 0) {
        if (attach.in >= 0 && tcgetattr(attach.in, &before) == 0) {
            raw = before;
            cfmakeraw(&raw);
            is_raw = tcsetattr(attach.in, TCSANOW, &raw) == 0;
        }
        (void)stay(&attach);
        if (is_raw)
            (void)tcsetattr(STDIN_FILENO, TCSANOW, &before);
    }
    vmm_client_close(&attach.client);
    return error.kind != HW_ERROR_NONE ? hw_fail(call, &error) : 0;
}
