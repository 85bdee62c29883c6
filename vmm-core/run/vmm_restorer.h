/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The beginning of a machine that has a state area: restored out of it, or cold, and either way not
 * before CONSUMED is durable there (vmm_restore.h).
 */
#ifndef VMM_RESTORER_H
#define VMM_RESTORER_H

#include "vmm-core/run/vmm_saver.h"
#include "vmm-core/save/vmm_restore.h"

struct vmm_restorer_callbacks {
    /* The machine may run; it is loaded if it was to be restored. Called once at most. */
    void (*ready)(void *context);
    /* It is over: without `error` behind ready(); with it nothing may run. */
    void (*ended)(void *context, const struct hw_error *error);
    /* The storage does not answer; it is asked again and again. */
    void (*frozen)(void *context, const struct hw_error *error);
    void *context;
};

struct vmm_restorer;

/* Begin, with a machine that was just made (mode EAGER, COLD or DISCARD). Otherwise as
 * vmm_saver_start(). */
int vmm_restorer_start(qb_loop_t *loop, struct vmm_machine *machine, enum vmm_restore_mode mode,
                       const struct vmm_identity *who, const struct vmm_place *place,
                       const struct vmm_restorer_callbacks *callbacks,
                       struct vmm_restorer **ret_restorer, struct hw_error *error);
/* Not from within a callback. NULL is allowed. */
void vmm_restorer_free(struct vmm_restorer *restorer);
/* The storage's server is back. */
void vmm_restorer_retry(struct vmm_restorer *restorer);

/* What `rc` of vmm_restore_guest's ended() means, in words, with what to do about it. Returns rc.
 */
int vmm_restorer_words(int rc, const struct vmm_restore_fault *fault, struct hw_error *error);

#endif
