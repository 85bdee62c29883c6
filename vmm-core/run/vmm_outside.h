/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a machine's serial port and virtio devices lead in this process and its host. It outlives
 * the machine: a guest that resets itself gets a new machine on the same ones. Main loop only.
 */
#ifndef VMM_OUTSIDE_H
#define VMM_OUTSIDE_H

#include <qb/qbloop.h>

#include "common/hw_call.h"
#include "vmm-core/run/vmm_console.h"
#include "vmm-core/run/vmm_tap.h"

struct vmm_outside;

/* What the command line says of them. */
struct vmm_outside_options {
    const char *serial, *console; /* "none", "stdio" or "file:PATH" */
    uint64_t balloon_bytes;       /* that the guest is asked to give up */
    unsigned net_count;
    struct vmm_tap_words nets[VMM_MACHINE_NETS];
};

/* Read and judge them. 0 or -EINVAL with the error. */
int vmm_outside_options(const struct hw_call *call, struct vmm_outside_options *ret_options,
                        struct hw_error *error);
/*
 * Open them, and put into `config` what a machine needs to have them. `quit` as in
 * vmm_console_new(). 0 or -errno with the error.
 */
int vmm_outside_new(qb_loop_t *loop, const struct vmm_outside_options *options,
                    void (*quit)(void *context), void *context, struct vmm_machine_config *config,
                    struct vmm_outside **ret_outside, struct hw_error *error);
void vmm_outside_free(struct vmm_outside *outside); /* NULL is allowed */

/* That of the serial port, for a machine's callbacks. */
struct vmm_console *vmm_outside_serial(const struct vmm_outside *outside);
/* From now on they serve this machine, made with that config, or none (NULL). */
void vmm_outside_set_machine(struct vmm_outside *outside, struct vmm_machine *machine);
/* The guest of a saved state runs here now: see vmm_net_announce(). */
void vmm_outside_announce(struct vmm_outside *outside);
/* Ask the guest, and the one after its reset, to give up so much of its memory. */
void vmm_outside_set_balloon(struct vmm_outside *outside, uint64_t bytes);
/* What the guest wrote so far is passed on now, as far as that is possible. */
void vmm_outside_flush(struct vmm_outside *outside);

#endif
