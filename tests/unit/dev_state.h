/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A device's state out and in, as the machine asks for it: for the tests of devices.
 */
#ifndef DEV_STATE_H
#define DEV_STATE_H

#include "common/hw_cursor.h"
#include "tests/unit/unit.h"
#include "vmm-core/machine/vmm_dev.h"

/* The device's state into exactly `size` bytes. */
static inline void dev_save(const struct vmm_dev *dev, uint8_t *bytes, size_t size)
{
    struct hw_writer writer = hw_writer_over(bytes, size);
    struct vmm_state state = vmm_state_saving(&writer, dev->ops->version);

    vmm_dev_pause(dev);
    CU_ASSERT_TRUE(vmm_dev_drained(dev));
    dev->ops->state(dev->dev, &state);
    CU_ASSERT_EQUAL(vmm_state_end(&state), 0);
    CU_ASSERT_EQUAL(writer.at, size);
}

/* And into the device, reset before: what vmm_state_end() says. */
static inline int dev_load(const struct vmm_dev *dev, const uint8_t *bytes, size_t size)
{
    struct vmm_state state = vmm_state_loading(bytes, size, dev->ops->version);

    vmm_dev_reset(dev);
    dev->ops->state(dev->dev, &state);
    return vmm_state_end(&state);
}

#endif
