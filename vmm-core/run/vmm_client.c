/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A connection to a VM, not blocking, and the bytes of a line that has not come wholly yet.
 */
#include "config.h"

#include "vmm-core/run/vmm_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/hw_cleanup.h"
#include "common/hw_control.h"
#include "common/hw_socket.h"
#include "common/hw_values.h"

enum { LINE_BYTES_MOST = 2 * HW_CONTROL_OUT_BYTES };

static int lost(const struct vmm_client *client, const char *reason, int code)
{
    return hw_error_set(client->error, HW_ERROR_FAILED, code, client->path, reason,
                        "see whether the VM still runs");
}

static int no_memory(const struct vmm_client *client)
{
    return hw_error_set(client->error, HW_ERROR_FAILED, ENOMEM, "memory", "ran out", "");
}

int vmm_client_open(struct vmm_client *client, const struct hw_call *call, struct hw_error *error)
{
    const char *api = hw_option_value(call, "api", 0);

    client->fd = -1;
    client->error = error;
    if (api == NULL)
        return hw_error_set(error, HW_ERROR_USAGE, EINVAL, "--api", "is missing",
                            "give the one of hawser-vmm run");
    if (hw_parse_socket(api, "--api", &client->path, error) < 0)
        return -EINVAL;
    return hw_socket_connect(client->path, &client->fd, error);
}

void vmm_client_close(struct vmm_client *client)
{
    hw_vector_free(&client->in);
    if (client->fd >= 0)
        (void)close(client->fd);
    client->fd = -1;
}

int vmm_client_send(struct vmm_client *client, json_t *order)
{
    hw_auto_free char *text = order == NULL ? NULL : json_dumps(order, JSON_COMPACT);
    hw_auto_free char *line = NULL;
    size_t bytes;

    json_decref(order);
    if (text == NULL || asprintf(&line, "%s\n", text) < 0)
        return no_memory(client);
    bytes = strlen(line);
    if (bytes > HW_ORDER_BYTES)
        return hw_error_setf(client->error, HW_ERROR_USAGE, E2BIG, "order", "say less",
                             "is longer than %d bytes with its words", HW_ORDER_BYTES);
    if (send(client->fd, line, bytes, MSG_NOSIGNAL) != (ssize_t)bytes)
        return lost(client, "takes no orders", EPIPE); /* its buffer has room for many */
    return 0;
}

/* A whole line out of what has come: 1, 0, or -errno with the error. */
static int take_line(struct vmm_client *client, json_t **ret_object)
{
    const char *end = memchr(client->in.items, '\n', client->in.count);
    json_t *object;
    size_t bytes;

    if (end == NULL && client->in.count < LINE_BYTES_MOST)
        return 0;
    bytes = end == NULL ? 0 : (size_t)(end - client->in.items);
    object = json_loadb(client->in.items, bytes, JSON_ALLOW_NUL, NULL);
    if (!json_is_object(object)) {
        json_decref(object);
        return lost(client, "does not talk as a VM does", EPROTO);
    }
    client->in.count -= bytes + 1;
    memmove(client->in.items, end + 1, client->in.count);
    *ret_object = object;
    return 1;
}

int vmm_client_hear(struct vmm_client *client, json_t **ret_object)
{
    ssize_t got;
    int rc;

    if (hw_vector_reserve(&client->in, client->in.count + HW_ORDER_BYTES) < 0)
        return no_memory(client);
    rc = take_line(client, ret_object);
    if (rc != 0)
        return rc;
    got = recv(client->fd, client->in.items + client->in.count, HW_ORDER_BYTES, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (got <= 0)
        return -ECONNRESET;
    client->in.count += (size_t)got;
    return take_line(client, ret_object);
}

int vmm_client_lost(const struct vmm_client *client)
{
    return lost(client, "hung up before it answered", ECONNRESET);
}
