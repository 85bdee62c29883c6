/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket of a VM: a table of commands, each a row, over common/hw_control. What they do
 * is their owner's business. Commands that take time are answered when they are done, and one of
 * them is under way at a time. Each connection is told events.
 */
#ifndef VMM_API_H
#define VMM_API_H

#include <jansson.h>
#include <qb/qbloop.h>
#include <stdbool.h>

#include "common/hw_control.h"
#include "common/hw_error.h"

#define VMM_API_REMEDY "see hawser-vmm(8)" /* whoever gives a wrong order reads this */

struct vmm_api;

/* What a command is given. */
struct vmm_api_call {
    void *context;                /* of vmm_api_new() */
    json_t *order;                /* the whole object, to be read; keys are of the command's row */
    const struct hw_asker *asker; /* whose it is; not to be answered */
};

struct vmm_api_command {
    const char *name;        /* NULL ends a table */
    const char *const *keys; /* those that it takes, ended by NULL; NULL: none */
    bool takes_time;         /* begun, and answered by vmm_api_done() */
    bool any_time;           /* allowed while one that takes time is under way */
    /*
     * Do it, or begin it. 0 with the answer's body in `ret_body`, which is taken over (left alone:
     * an empty one; of no meaning for a command that takes time), or -errno with the error. It may
     * call vmm_api_event(), and vmm_api_done() if it takes no time after all. Never blocks for
     * long.
     */
    int (*run)(const struct vmm_api_call *call, json_t **ret_body, struct hw_error *error);
};

struct vmm_api_owner {
    const struct vmm_api_command *commands; /* must live as long as the API */
    /* A connection that was behind (vmm_api_check()) has caught up; NULL: not wanted. */
    void (*drained)(void *context);
    void *context;
};

/*
 * Take orders at `listener` (hw_socket_listen()), which is the API's now, in the loop. 0 or
 * -ENOMEM, and then the listener is closed.
 */
int vmm_api_new(qb_loop_t *loop, int listener, const struct vmm_api_owner *owner,
                struct vmm_api **ret_api);
/* Refuse what is under way, close all. NULL is allowed. */
void vmm_api_free(struct vmm_api *api);

/* Tell each connection: `body` (taken over; NULL: empty) with "event". Of a NULL api: nothing. */
void vmm_api_event(struct vmm_api *api, const char *event, json_t *body);

/* The same to one connection. */
void vmm_api_tell(struct vmm_api *api, const struct hw_asker *asker, const char *event,
                  json_t *body);
/* Has it taken all that it was told? 0, or -EAGAIN; -ESRCH: it is gone. */
int vmm_api_check(const struct vmm_api *api, const struct hw_asker *asker);

/* The name of the command that is under way, or NULL. Of a NULL api: NULL. */
const char *vmm_api_under_way(const struct vmm_api *api);
/* How far the command under way is: event "progress" with its name. `body` is taken over. */
void vmm_api_progress(struct vmm_api *api, json_t *body);
/* It is done: answered with `body` (taken over; NULL: empty), or refused with the error if that is
 * not NULL; each connection is told, by event "done" or "failed". Nothing if none is under way. */
void vmm_api_done(struct vmm_api *api, json_t *body, const struct hw_error *error);

#endif
