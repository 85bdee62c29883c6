/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine as whoever saves and restores it sees it: its pages and which of them were written, its
 * sections, and what it needs of its host.
 */
#ifndef VMM_MACHINE_SAVE_H
#define VMM_MACHINE_SAVE_H

#include "vmm-core/run/vmm_machine.h"
#include "vmm-core/save/vmm_save_memory.h"
#include "vmm-core/save/vmm_save_needs.h"
#include "vmm-core/save/vmm_save_tlv.h"

unsigned vmm_machine_cpus(const struct vmm_machine *machine); /* how many it has */
/* Its memory; it lives as long as the machine. */
void vmm_machine_pages(const struct vmm_machine *machine, struct vmm_save_memory *ret_memory);
/* All of its memory is zero again: what KVM wrote there while the machine was loaded is no guest's.
 * 0 or -errno. */
int vmm_machine_clear(struct vmm_machine *machine);

/* Begin (nothing counts as written yet) or end to note which pages are written. 0 or -errno. */
int vmm_machine_track(struct vmm_machine *machine, bool on);
/* Set the bits of the pages written since the last time, by the guest, KVM or a device (see struct
 * vmm_save_guest). 0 or -errno. */
int vmm_machine_dirty(struct vmm_machine *machine, uint64_t *bitmap);

/* It has ended (callbacks.ended): it does not run any more. */
bool vmm_machine_has_ended(struct vmm_machine *machine);
/* While it stands: nothing of the guest's is under way in a device any more. */
bool vmm_machine_drained(struct vmm_machine *machine);

/* As vmm_machine_save(), into `writer`; what does not fit is told by vmm_save_tlv_finish(). */
int vmm_machine_put(struct vmm_machine *machine, struct vmm_save_tlv_writer *writer,
                    struct hw_error *error);
/* Can it load a section of this type and version? */
bool vmm_machine_knows(const struct vmm_machine *machine, uint32_t type, uint16_t version);

/*
 * While it stands: what it needs of a host, into an empty list. Of one that was just made: what
 * this host has. 0 or -errno.
 */
int vmm_machine_needs(const struct vmm_machine *machine, struct vmm_save_needs *needs);

#endif
