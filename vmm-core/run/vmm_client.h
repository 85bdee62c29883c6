/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The other end of a VM's control socket: orders out, lines in. What comes is one JSON object a
 * line and not longer than it may be; beyond that nothing that a VM says is trusted.
 */
#ifndef VMM_CLIENT_H
#define VMM_CLIENT_H

#include <jansson.h>

#include "common/hw_call.h"
#include "common/hw_vector.h"

struct vmm_client {
    const char *path; /* of the socket; lives as long as the call that names it */
    int fd;           /* -1: not connected */
    HW_VECTOR(char) in;
    struct hw_error *error;
};

/* Connect to the one that --api of this call names; `client` is all zero. 0, or -errno with
 * `error`, which is the one of all that follows. In both cases vmm_client_close() ends it. */
int vmm_client_open(struct vmm_client *client, const struct hw_call *call, struct hw_error *error);
/* Hang up. */
void vmm_client_close(struct vmm_client *client);
/* Send this order, which is taken over; NULL: no memory. 0 or -errno with the error. */
int vmm_client_send(struct vmm_client *client, json_t *order);
/*
 * The next line that has come, the caller's; 1, or 0 if there is none yet. -ECONNRESET without an
 * error: it hung up; another -errno with the error. Never blocks.
 */
int vmm_client_hear(struct vmm_client *client, json_t **ret_object);
/* That it hung up where it should not have: -ECONNRESET with the error. */
int vmm_client_lost(const struct vmm_client *client);

#endif
