/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One save of a machine, from the order to its end, in the main loop: what vmm_save.h wants of its
 * guest, done with a machine.
 */
#ifndef VMM_SAVER_H
#define VMM_SAVER_H

#include <qb/qbloop.h>

#include "vmm-core/run/vmm_machine_save.h"
#include "vmm-core/save/vmm_save.h"

/* Whose state it is, and by whom it is written. */
struct vmm_identity {
    uint8_t vm_uuid[16];
    uint16_t node;
    uint32_t generation; /* of ownership */
};

/* Where to, or from: a state area. */
struct vmm_place {
    struct vmm_save_queue queue;
    uint8_t *part; /* the private part, all zero */
    uint64_t area_bytes;
};

struct vmm_saver_order {
    bool live; /* while the guest runs; else it is stopped first */
    uint32_t downtime_ms, budget_ms;
    uint64_t bandwidth_bytes_per_s; /* as in struct vmm_save_options */
};

struct vmm_saver_callbacks {
    /* Its guest is about to stand: it gets nothing from outside any more. */
    void (*stops)(void *context);
    /* It is not saved, or not yet: let the guest run again, unless it stood before. */
    void (*resumes)(void *context);
    /* As in vmm_save.h; `error` says why, if it was not saved. Called once, and once more after
     * vmm_saver_resume(). */
    void (*ended)(void *context, enum vmm_save_outcome outcome, const struct hw_error *error);
    /* The guest stands until the storage answers; it is asked again and again. */
    void (*frozen)(void *context, const struct hw_error *error);
    void *context;
};

struct vmm_saver;

/* Begin; everything named must outlive it. 0 or -errno with the error; then ended() is not called.
 */
int vmm_saver_start(qb_loop_t *loop, struct vmm_machine *machine, const struct vmm_identity *who,
                    const struct vmm_saver_order *order, const struct vmm_place *place,
                    const struct vmm_saver_callbacks *callbacks, struct vmm_saver **ret_saver,
                    struct hw_error *error);
/* Not from within a callback. NULL is allowed. */
void vmm_saver_free(struct vmm_saver *saver);

void vmm_saver_cancel(struct vmm_saver *saver, int rc);     /* see vmm_save_cancel() */
void vmm_saver_power_off(struct vmm_saver *saver);          /* see vmm_save_power_off() */
int vmm_saver_resume(struct vmm_saver *saver);              /* see vmm_save_resume() */
void vmm_saver_storage(struct vmm_saver *saver, bool back); /* its server is gone, or back */
/* See vmm_save_progress(). */
void vmm_saver_progress(const struct vmm_saver *saver, struct vmm_save_progress *ret_progress);

#endif
