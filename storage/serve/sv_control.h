/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket: connections, lines in, lines out. What the orders do is the server's
 * business. A connection that does not read what it is told is dropped; none is ever waited for.
 */
#ifndef SV_CONTROL_H
#define SV_CONTROL_H

#include "storage/serve/sv_command.h"

enum { SV_CONTROL_CLIENTS = 16, SV_CONTROL_OUT_BYTES = 256 * 1024 };

struct sv_control;

/* Whom an answer goes to; stays valid when that connection is gone (the answer is dropped then). */
struct sv_asker {
    unsigned place;
    uint64_t serial; /* 0: nobody */
    json_t *id;      /* of the order; owned by whoever holds the asker */
};

struct sv_control_callbacks {
    /* An order. The command is the callee's to read, its id is taken over by `asker`. */
    void (*order)(void *context, const struct sv_command *command, struct sv_asker asker);
    /* Watch this descriptor for poll(2) `events`; 0: no more (it is closed next). */
    void (*watch)(void *context, int fd, short events);
    void *context;
};

/* Take orders at `listener`, a listening stream socket that is the control's now. 0 or -ENOMEM. */
int sv_control_new(int listener, const struct sv_control_callbacks *callbacks,
                   struct sv_control **ret_control);
/* Close all. NULL is allowed. */
void sv_control_free(struct sv_control *control);
/* Something happened on one of the watched descriptors. Never blocks. */
void sv_control_service(struct sv_control *control, int fd, short revents);

/*
 * Answer: `body` (taken over; NULL: out of memory) with "ok": true and the id; with `fd` >= 0 that
 * descriptor goes with it (SCM_RIGHTS; not closed here), or the answer is an error. Frees the
 * asker's id.
 */
void sv_control_answer(struct sv_control *control, struct sv_asker *asker, json_t *body, int fd);
/* Answer with an error. Frees the asker's id. */
void sv_control_refuse(struct sv_control *control, struct sv_asker *asker,
                       const struct hw_error *error);
/* From now on this connection is told events. */
void sv_control_subscribe(struct sv_control *control, const struct sv_asker *asker);
/* Tell all that asked for events; `body` is taken over. */
void sv_control_event(struct sv_control *control, json_t *body);
/* Is there an answer that has not gone out yet? */
bool sv_control_has_output(const struct sv_control *control);

#endif
