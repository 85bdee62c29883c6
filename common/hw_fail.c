/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a verb ends that could not do its work. Prints, and decides nothing.
 */
#include <config.h>

#include "common/hw_call.h"

#include <jansson.h>

int hw_fail(const struct hw_call *call, const struct hw_error *error)
{
    char line[HW_ERROR_LINE_BYTES];

    (void)hw_error_line(error, line, sizeof(line));
    if (hw_option_given(call, "json")) {
        json_t *value =
            json_pack("{s:{s:s, s:s, s:s, s:s}}", "error", "kind", hw_error_kind_name(error->kind),
                      "object", error->object, "reason", error->reason, "remedy", error->remedy);

        /* a text that is not UTF-8 cannot be put in JSON: the line below still says it */
        if (value)
            (void)json_dumpf(value, call->out, JSON_ENCODE_ANY | JSON_COMPACT);
        (void)fputc('\n', call->out);
        (void)fflush(call->out);
        json_decref(value);
    }
    (void)fprintf(call->err, "%s: %s\n", call->program->name, line);
    return hw_error_exit_status(error);
}
