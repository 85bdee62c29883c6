/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The serial port on the control socket: what the guest wrote last, what it writes from now on, and
 * bytes for it. In JSON each byte is a character, U+0000 to U+00FF. A connection that is behind
 * gets no more until it has read, and then what is still kept: nobody waits for it.
 */
#include "config.h"

#include "vmm-core/run/vmm_run_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/hw_cleanup.h"

enum { PIECE_BYTES = 2048, LAST_BYTES = 4096 };

/* Each byte as a character (RFC 3629 3). */
static json_t *text_of(const uint8_t *bytes, size_t count)
{
    hw_auto_free char *text = malloc(2 * count + 1);
    size_t length = 0;

    if (text == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] >= 0x80)
            text[length++] = (char)(0xc0 | bytes[i] >> 6);
        text[length++] = (char)(bytes[i] < 0x80 ? bytes[i] : 0x80 | (bytes[i] & 0x3f));
    }
    return json_stringn(text, length);
}

/* And back; -EINVAL: a character that is no byte. */
static int bytes_of(const json_t *text, uint8_t *bytes, size_t size, size_t *ret_count)
{
    const uint8_t *at = (const uint8_t *)json_string_value(text);
    size_t count = 0;

    for (; *at != '\0'; at++) {
        if (count == size || *at > 0xc3)
            return -EINVAL;
        if (*at >= 0xc2) { /* valid UTF-8: one more byte follows */
            bytes[count++] = (uint8_t)((*at & 0x03) << 6 | (at[1] & 0x3f));
            at++;
        } else {
            bytes[count++] = *at;
        }
    }
    *ret_count = count;
    return 0;
}

/* --- to who is attached --- */

/* One piece; false: it is behind, or gone, or there is no more. */
static bool tell_piece(struct run *run, struct run_attached *attached)
{
    uint8_t bytes[PIECE_BYTES];
    uint64_t at = attached->at;
    size_t count;
    json_t *body;

    if (vmm_api_check(run->api, &attached->asker) < 0)
        return false;
    count = vmm_console_look(run->console, &at, bytes, sizeof(bytes));
    if (count == 0)
        return false;
    body = json_pack("{s:o, s:I}", "text", text_of(bytes, count), "lost",
                     (json_int_t)(at - attached->at));
    if (body == NULL)
        return false; /* no memory: with what it writes next */
    attached->at = at + count;
    vmm_api_tell(run->api, &attached->asker, "console", body);
    return true;
}

/* False: there is nobody any more. */
static bool tell_pieces(struct run *run, struct run_attached *attached)
{
    for (unsigned i = 0; i < VMM_CONSOLE_KEEPS / PIECE_BYTES && tell_piece(run, attached); i++)
        continue;
    if (vmm_api_check(run->api, &attached->asker) == -ESRCH)
        attached->asker.serial = 0;
    return attached->asker.serial != 0;
}

void run_console_wrote(void *context)
{
    struct run *run = context;
    bool heard = false;

    for (unsigned i = 0; i < HW_CONTROL_CLIENTS; i++)
        if (run->attached[i].asker.serial != 0)
            heard = tell_pieces(run, &run->attached[i]) || heard;
    if (!heard)
        vmm_console_listen(run->console, NULL, NULL); /* the guest's bytes wake nobody */
}

/* Each connection has its place. */
static void attach(struct run *run, const struct hw_asker *asker, uint64_t at)
{
    run->attached[asker->place % HW_CONTROL_CLIENTS] =
        (struct run_attached) { { .place = asker->place, .serial = asker->serial }, at };
    vmm_console_listen(run->console, run_console_wrote, run);
}

/* --- the order --- */

static int usage(struct hw_error *error, const char *key, const char *reason)
{
    return hw_error_set(error, HW_ERROR_USAGE, EINVAL, key, reason, VMM_API_REMEDY);
}

static int type(struct run *run, const json_t *text, json_t **ret_body, struct hw_error *error)
{
    uint8_t bytes[HW_ORDER_BYTES];
    size_t count;

    if (!json_is_string(text) || bytes_of(text, bytes, sizeof(bytes), &count) < 0)
        return usage(error, "input", "is no text of characters up to U+00FF");
    *ret_body =
        json_pack("{s:I}", "taken", (json_int_t)vmm_console_type(run->console, bytes, count));
    return 0;
}

/* The last `count` bytes, and all from there on if that is wanted. */
static int show(const struct vmm_api_call *call, uint64_t count, bool attaches, json_t **ret_body,
                struct hw_error *error)
{
    struct run *run = call->context;
    hw_auto_free uint8_t *bytes = malloc(VMM_CONSOLE_KEEPS);
    const uint64_t total = vmm_console_count(run->console).out_bytes;
    uint64_t at = total > count ? total - count : 0;
    size_t got = bytes == NULL
                     ? 0
                     : vmm_console_look(run->console, &at, bytes, count < total ? count : total);

    if (bytes != NULL)
        *ret_body = json_pack("{s:o}", "text", text_of(bytes, got));
    if (*ret_body == NULL)
        return hw_error_set(error, HW_ERROR_FAILED, ENOMEM, "memory", "ran out", "ask again");
    if (attaches)
        attach(run, call->asker, at + got);
    return 0;
}

int run_console(const struct vmm_api_call *call, json_t **ret_body, struct hw_error *error)
{
    const json_t *bytes = json_object_get(call->order, "bytes");
    const json_t *wants = json_object_get(call->order, "attach");
    const json_t *input = json_object_get(call->order, "input");
    uint64_t count = LAST_BYTES;
    bool attaches = false;

    if ((bytes != NULL && hw_order_number(bytes, "bytes", 0, VMM_CONSOLE_KEEPS, VMM_API_REMEDY,
                                          &count, error) < 0) ||
        (wants != NULL && hw_order_flag(wants, "attach", VMM_API_REMEDY, &attaches, error) < 0))
        return -EINVAL;
    if (input != NULL && (bytes != NULL || wants != NULL))
        return usage(error, "input", "goes with no other word");
    if (input != NULL)
        return type(call->context, input, ret_body, error);
    return show(call, count, attaches, ret_body, error);
}
