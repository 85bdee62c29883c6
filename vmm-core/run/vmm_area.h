/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state area of a VM as its VMM has it: one queue of vhost-user-blk, driven by the VMM itself.
 * Pages go straight from and to guest memory. Headers, table and sections lie in a second memory,
 * sealed, that only this connection knows, as its rings do: no guest can name them. When the server
 * is gone it is connected to again, and what was under way goes on.
 */
#ifndef VMM_AREA_H
#define VMM_AREA_H

#include <qb/qbloop.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm-core/kvm/vmm_memory.h"
#include "vmm-core/save/vmm_save_queue.h"

struct vmm_area;

struct vmm_area_callbacks {
    /* The server serves it (`up`), or is gone: `text` says why. Not from within vmm_area_new(). */
    void (*changed)(void *context, bool up, const char *text);
    void *context;
};

/*
 * The area at this socket, for a guest with `memory` (kept; NULL: none, to look only) and a private
 * part of `part_bytes`; it is connected to from now on, again and again. `path` is copied. 0 or
 * -errno with the error.
 */
int vmm_area_new(qb_loop_t *loop, const char *path, const struct vmm_memory *memory,
                 uint64_t part_bytes, const struct vmm_area_callbacks *callbacks,
                 struct vmm_area **ret_area, struct hw_error *error);
/* Disconnect; requests under way are forgotten. NULL is allowed. */
void vmm_area_free(struct vmm_area *area);

/* Its size, as the server says when it is there for the first time; 0: not known yet. */
uint64_t vmm_area_bytes(const struct vmm_area *area);
bool vmm_area_is_up(const struct vmm_area *area); /* the server serves it, now */
/* Somebody listens there, and does not serve it yet: its LUN is not owned. */
bool vmm_area_is_near(const struct vmm_area *area);
/* Its queue; `ret_queue` is good as long as the area. A server that went away counts as a restart.
 */
void vmm_area_queue(struct vmm_area *area, struct vmm_save_queue *ret_queue);
/* The private part, all zero. While nothing is under way. */
uint8_t *vmm_area_part(struct vmm_area *area);

#endif
