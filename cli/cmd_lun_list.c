/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hawser lun list: one line for each LUN named, or named in a file. Reads only. A LUN that cannot
 * be read has a line, too, and makes the exit status.
 */
#include <config.h>

#include "cli/cmd_lun.h"

#include "cli/lun_view.h"
#include "common/hw_cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct list {
    struct hw_call *call;
    struct cli_view *view;
    json_t *json; /* the list, with --json */
    int status;   /* the worst so far */
};

static void print_line(const struct list *list)
{
    const struct cli_view *view = list->view;
    char owner[CLI_OWNER_TEXT_BYTES], size[STO_SIZE_TEXT_BYTES], state[STO_SIZE_TEXT_BYTES];

    (void)fprintf(list->call->out, "%s  %s  owner %s  %s%s\n", view->name,
                  sto_size_text(view->facts.capacity_bytes, size), cli_view_owner_text(view, owner),
                  view->layout_rc == 0 ? "state space " : view->layout_error.reason,
                  view->layout_rc == 0 ? sto_size_text(view->layout.state.size_bytes, state) : "");
}

static void print_failure(struct list *list, const char *url, const struct hw_error *error)
{
    int status = hw_error_exit_status(error);

    if (list->json != NULL)
        (void)json_array_append_new(
            list->json, json_pack("{s:s, s:{s:s, s:s, s:s}}", "url", url, "error", "object",
                                  error->object, "reason", error->reason, "remedy", error->remedy));
    else
        (void)fprintf(list->call->out, "%s  -  %s\n", url, error->reason);
    if (status > list->status)
        list->status = status;
}

static void list_one(struct list *list, const char *url)
{
    struct hw_error error = { 0 };
    struct cli_lun lun = { 0 };
    int rc = cli_lun_open(list->call, url, CLI_LUN_READ_ONLY, &lun, &error);

    if (rc == 0)
        rc = cli_view_gather(&lun, url, false, list->view, &error);
    cli_lun_close(&lun);
    if (rc < 0)
        print_failure(list, url, &error);
    else if (list->json != NULL)
        (void)json_array_append_new(list->json, cli_view_json(list->view));
    else
        print_line(list);
}

/* One URL a line; empty lines and what follows a # at the start or after a blank are left out. */
static int list_file(struct list *list, const char *path, struct hw_error *error)
{
    hw_auto_fclose FILE *file = strcmp(path, "-") == 0 ? fdopen(dup(0), "r") : fopen(path, "re");
    char line[STO_URL_BYTES + 64];

    if (file == NULL)
        return hw_error_setf(error, HW_ERROR_FAILED, errno, path,
                             "name a file that is there and that you may read",
                             "cannot be read: %s", strerror(errno));
    while (fgets(line, sizeof(line), file) != NULL) {
        char *url = line + strspn(line, " \t");

        if (strchr(line, '\n') == NULL && !feof(file))
            return hw_error_set(error, HW_ERROR_USAGE, EINVAL, path, "has a line that is too long",
                                "one URL a line");
        url[strcspn(url, " \t\r\n")] = '\0';
        if (url[0] != '\0' && url[0] != '#')
            list_one(list, url);
    }
    return 0;
}

int cmd_lun_list(struct hw_call *call)
{
    const char *from = hw_option_value(call, "from", 0);
    struct list list = { .call = call };
    struct hw_error error = { 0 };
    int rc = 0;

    if (from == NULL && call->arguments.count == 0)
        rc = hw_error_set(&error, HW_ERROR_USAGE, EINVAL, call->verb->path, "no LUN is named",
                          "give URLs, or --from FILE with one URL a line");
    list.view = calloc(1, sizeof(*list.view));
    if (list.view == NULL)
        rc = hw_error_set(&error, HW_ERROR_FAILED, ENOMEM, "memory", "ran out", "");
    if (hw_option_given(call, "json"))
        list.json = json_array();
    for (size_t i = 0; rc == 0 && i < call->arguments.count; i++)
        list_one(&list, hw_argument(call, i));
    if (rc == 0 && from != NULL)
        rc = list_file(&list, from, &error);
    free(list.view);
    if (rc < 0) {
        json_decref(list.json);
        return hw_fail(call, &error);
    }
    if (list.json != NULL) {
        rc = cli_print_json(call, list.json);
        return rc != 0 ? rc : list.status;
    }
    return list.status;
}
