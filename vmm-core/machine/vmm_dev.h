/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every device of the machine offers to the machine. A device is made by its own function,
 * which takes what it needs (bus, interrupt lines, a file descriptor); from then on the machine
 * knows it by this table only. All calls come with the machine's lock held, from whatever thread.
 */
#ifndef VMM_DEV_H
#define VMM_DEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm-core/machine/vmm_state.h"

struct vmm_dev_ops {
    const char *name; /* for people: "uart" */
    uint32_t id;      /* type of its section in the saved state, never used again for another */
    uint16_t version; /* of the section that it writes; it loads this one and all before */
    /* These four may be NULL: there is nothing to do, and nothing under way. */
    void (*reset)(void *dev); /* as after power-on; never blocks */
    /* The vCPUs stand still: take no more from outside. Never blocks. */
    void (*pause)(void *dev);
    /* True: nothing of the guest's is under way in it any more. Asked again until so. */
    bool (*drained)(void *dev);
    /* The vCPUs are about to run: take from outside again, tell the guest what it may have missed.
     */
    void (*resume)(void *dev);
    /* Its fields, out or in (vmm_state.h). Loaded into a device that was reset; what is wrong is
     * told by the state, and the device is not used. Never blocks. */
    void (*state)(void *dev, struct vmm_state *state);
    void (*fini)(void *dev); /* end it and free it */
};

/* A device as the machine holds it. */
struct vmm_dev {
    const struct vmm_dev_ops *ops;
    void *dev;
    uint32_t instance; /* of its kind, from 0 */
};

/* Each as said at struct vmm_dev_ops. */
static inline void vmm_dev_reset(const struct vmm_dev *dev)
{
    if (dev->ops->reset != NULL)
        dev->ops->reset(dev->dev);
}

/* Likewise. */
static inline void vmm_dev_pause(const struct vmm_dev *dev)
{
    if (dev->ops->pause != NULL)
        dev->ops->pause(dev->dev);
}

/* Likewise. */
static inline bool vmm_dev_drained(const struct vmm_dev *dev)
{
    return dev->ops->drained == NULL || dev->ops->drained(dev->dev);
}

/* Likewise. */
static inline void vmm_dev_resume(const struct vmm_dev *dev)
{
    if (dev->ops->resume != NULL)
        dev->ops->resume(dev->dev);
}

/* An interrupt line: raised and lowered by a device, wired by the machine. */
struct vmm_line {
    void (*set)(void *context, unsigned number, bool high); /* never blocks */
    void *context;
    unsigned number; /* global system interrupt */
};

/* Raise or lower it. */
static inline void vmm_line_set(const struct vmm_line *line, bool high)
{
    line->set(line->context, line->number, high);
}

/* The same, told only if it is a change: `is_high` is how the line is, and then becomes. */
static inline void vmm_line_change(const struct vmm_line *line, bool *is_high, bool high)
{
    if (*is_high == high)
        return;
    *is_high = high;
    vmm_line_set(line, high);
}

#endif
