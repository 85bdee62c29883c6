/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of a machine that has a state area, in the main loop: it begins restored or cold once
 * the area says that it may, it is saved by order, and where a save is under way its end waits for
 * that. One save at a time.
 */
#ifndef VMM_LIFE_H
#define VMM_LIFE_H

#include "vmm-core/run/vmm_restorer.h"

enum vmm_life_start {
    VMM_LIFE_COLD,
    VMM_LIFE_DISCARD, /* cold, whatever state waits */
    VMM_LIFE_RESTORE,
    VMM_LIFE_GOES_ON, /* the guest has reset itself: what is there was consumed before */
};

struct vmm_life_config {
    const char *socket; /* of the area's server */
    enum vmm_life_start start;
    struct vmm_identity who;
};

struct vmm_life_callbacks {
    /* Let it run; it is loaded if it was to be restored, and else to be booted first. */
    void (*begins)(void *context);
    /* It is to stand for its save: it gets nothing from outside any more. */
    void (*stops)(void *context);
    /* It stood for its save: let it run again, unless it is to stand for another reason. */
    void (*resumes)(void *context);
    /* It cannot begin. */
    void (*refused)(void *context, const struct hw_error *error);
    /* A save is over. SAVED, LOST: the guest must not run here any more. */
    void (*save_ended)(void *context, enum vmm_save_outcome outcome, const struct hw_error *error);
    /* Something for people, in one line: the area's server is gone, the guest stands. */
    void (*told)(void *context, const char *text);
    /* After vmm_life_machine_ended(): now it may be freed. */
    void (*settled)(void *context);
    void *context;
};

struct vmm_life;

/*
 * Begin, with a machine that was just made and outlives this; begins() or refused() follows, unless
 * it GOES_ON. Strings are copied. 0 or -errno with the error.
 */
int vmm_life_new(qb_loop_t *loop, struct vmm_machine *machine, const struct vmm_life_config *config,
                 const struct vmm_life_callbacks *callbacks, struct vmm_life **ret_life,
                 struct hw_error *error);
/* Not from within a callback, but for begins(), refused() and settled() at their end. NULL is
 * allowed. */
void vmm_life_free(struct vmm_life *life);

/* Save it; save_ended() follows. 0; -EAGAIN it does not run yet, -EBUSY a save is under way,
 * -ENOTCONN the area is not there: with the error. */
int vmm_life_save(struct vmm_life *life, const struct vmm_saver_order *order,
                  struct hw_error *error);
/* Give the save that is under way up. 0 or -ENOENT: there is none. */
int vmm_life_cancel(struct vmm_life *life);
/* How far it is. -ENOENT: there is none. */
int vmm_life_progress(const struct vmm_life *life, struct vmm_save_progress *ret_progress);
/* The machine has ended; settled() follows, now or when its save is over. */
void vmm_life_machine_ended(struct vmm_life *life, enum vmm_machine_end end);

#endif
