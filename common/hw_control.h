/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket: connections, lines in, lines out. What the orders do is its owner's business.
 * A connection that does not read what it is told is dropped; none is ever waited for.
 */
#ifndef HW_CONTROL_H
#define HW_CONTROL_H

#include "common/hw_order.h"

enum { HW_CONTROL_CLIENTS = 16, HW_CONTROL_OUT_BYTES = 256 * 1024 };

struct hw_control;

/* Whom an answer goes to; stays valid when that connection is gone (the answer is dropped then). */
struct hw_asker {
    unsigned place;
    uint64_t serial; /* 0: nobody */
    json_t *id;      /* of the order; owned by whoever holds the asker */
};

struct hw_control_callbacks {
    /* An order (hw_order_read()). The object is the callee's to read until it returns; the callee
     * answers `asker` once, now or later. */
    void (*order)(void *context, json_t *object, struct hw_asker asker);
    /* Watch this descriptor for poll(2) `events`; 0: no more (it is closed next). */
    void (*watch)(void *context, int fd, short events);
    /* This connection was behind, and has now taken all that it was told. NULL: not wanted. */
    void (*drained)(void *context, const struct hw_asker *asker);
    void *context;
    const char *remedy; /* of what is no order, such as "see hawser-lun(8)" */
    bool tells_all;     /* each connection is told events from its beginning */
};

/* Take orders at `listener`, a listening stream socket that is the control's now. 0 or -ENOMEM. */
int hw_control_new(int listener, const struct hw_control_callbacks *callbacks,
                   struct hw_control **ret_control);
/* Close all. NULL is allowed. */
void hw_control_free(struct hw_control *control);
/* Something happened on one of the watched descriptors. Never blocks. */
void hw_control_service(struct hw_control *control, int fd, short revents);

/*
 * Answer: `body` (taken over; NULL: out of memory) with "ok": true and the id; with `fd` >= 0 that
 * descriptor goes with it (SCM_RIGHTS; not closed here), or the answer is an error. Frees the
 * asker's id.
 */
void hw_control_answer(struct hw_control *control, struct hw_asker *asker, json_t *body, int fd);
/* Answer with an error. Frees the asker's id. */
void hw_control_refuse(struct hw_control *control, struct hw_asker *asker,
                       const struct hw_error *error);
/* From now on this connection is told events. */
void hw_control_subscribe(struct hw_control *control, const struct hw_asker *asker);
/* Tell all that asked for events; `body` is taken over. */
void hw_control_event(struct hw_control *control, json_t *body);
/* Tell this connection alone; `body` is taken over. Nothing if it is gone. */
void hw_control_tell(struct hw_control *control, const struct hw_asker *asker, json_t *body);
/* Has this connection taken all that it was told? 0, or -EAGAIN; -ESRCH: it is gone. */
int hw_control_check(struct hw_control *control, const struct hw_asker *asker);
/* Is there an answer that has not gone out yet? */
bool hw_control_has_output(const struct hw_control *control);

#endif
