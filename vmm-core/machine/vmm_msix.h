/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MSI-X of a PCI function (PCI Local Bus Specification 3.0, 6.8.2): the capability, and a BAR with
 * the table and the pending bit array. What cannot be sent now (the vector or the function is
 * masked, or it is no bus master) is pending, and sent once when it can be. Pure.
 */
#ifndef VMM_MSIX_H
#define VMM_MSIX_H

#include "vmm-core/machine/vmm_dev.h"
#include "vmm-core/machine/vmm_pci.h"

enum {
    VMM_MSIX_VECTORS = 128, /* at most */
    VMM_MSIX_BAR_BYTES = 4096,
    VMM_MSIX_PENDING_AT = 2048, /* the table is at 0 */
};

struct vmm_msix;

/*
 * `vectors` (1 to VMM_MSIX_VECTORS) of a function that is not on the bus yet, in its BAR `bar`. The
 * function's changed() has to call vmm_msix_changed(). `ret_dev` is for the machine, behind the
 * function's own device; `ret_msix` lives as long. 0; or -ENOMEM, -EINVAL (the BAR
 * is taken, or `vectors` is none of these) or -ENOSPC (for the capability): the function is not to
 * be used then.
 */
int vmm_msix_new(struct vmm_pci_function *function, unsigned bar, unsigned vectors,
                 struct vmm_dev *ret_dev, struct vmm_msix **ret_msix);
/* Something of the function's configuration space has changed. */
void vmm_msix_changed(struct vmm_msix *msix);

/* The guest has switched it on: interrupts come by vectors, not by the pin (6.8.2.3). */
bool vmm_msix_enabled(const struct vmm_msix *msix);
/* The message of `vector`, if it would be sent now; false: it would be kept, or there is none. */
bool vmm_msix_message(const struct vmm_msix *msix, unsigned vector, uint64_t *ret_address,
                      uint32_t *ret_data);
/* From now on `changed` is told when the guest may have changed a message, or what masks it, in the
 * table; of the configuration space the function is told. NULL: nobody. Never blocks. */
void vmm_msix_watch(struct vmm_msix *msix, void (*changed)(void *dev), void *dev);
/* Send or keep the interrupt of `vector`; nothing if it is switched off or there is no such one. */
void vmm_msix_raise(struct vmm_msix *msix, unsigned vector);

#endif
