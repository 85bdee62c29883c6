/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The registers, and the timer as a count since `base_ns`. A loaded guest's counter goes on by what
 * its clock went on; it stands where the clock was set back.
 */
#include "config.h"

#include "vmm-core/machine/vmm_pm.h"

#include <errno.h>
#include <stdlib.h>

#include "common/hw_le.h"
#include "vmm-core/machine/vmm_dev_ids.h"

enum { SLOT = 1, NUMBER = 3, GSI = 9 };

/* configuration space: PMBASE, DEVACTB, PMREGMISC */
enum { PMBASE = 0x40, PMBASE_BITS = 0xffc0, PMBASE_IO = 1, DEVACTB = 0x58, DEVACTB_BYTES = 4 };
enum { APMC_EN = 2, PMREGMISC = 0x80, PMIOSE = 1 }; /* APMC_EN: bit 25 of DEVACTB */

/* ports: status, enable and control of PM1, timer, status and enable of GPE0 */
enum { PMSTS = 0, PMEN = 2, PMCNTRL = 4, PMTMR = 8, GPSTS = 12, GPEN = 14, VIEW_BYTES = 16 };
enum { TMR = 1, GBL = 0x20, PWRBTN = 0x100, RTC = 0x400, PM1_EVENTS = TMR | GBL | PWRBTN | RTC };
enum { SCI_EN = 1, CONTROL_KEPT = 0x1c02, SLP_TYP = 0x1c00, SLP_EN = 0x2000, SLP_TYP_S5 = 0 };

enum { CARRY_BITS = 23 }; /* TMR_STS: the highest of 24 bits has changed */
#define NS            UINT64_C(1000000000)
#define TIMER_BITS    UINT32_C(0xffffff)
#define TICKS_AT_MOST (UINT64_C(1) << 62)

static const struct vmm_pci_identity identity = {
    .vendor = 0x8086,
    .device = 0x7113,
    .subsystem_vendor = 0x1af4,
    .subsystem = 0x1100,
    .class_code = 0x068000,
    .revision = 3,
    .pin = 1, /* never asserted: it raises the SCI */
};

struct vmm_pm {
    struct vmm_pci_function function;
    struct vmm_line sci;
    struct vmm_pm_callbacks callbacks;
    uint16_t status, enable, control, gpe_status, gpe_enable;
    uint64_t base_ns, base_ticks;
    uint64_t ticks;   /* as they were seen last: they never go back */
    uint64_t carries; /* so many of them were told in TMR_STS */
    uint64_t wake_ns; /* the order that stands; UINT64_MAX: none */
};

/* --- the timer (ACPI 6.4, 4.8.3.3) --- */

static uint64_t to_ticks(uint64_t ns)
{
    return ns / NS * VMM_PM_TIMER_HZ + ns % NS * VMM_PM_TIMER_HZ / NS;
}

/* The first nanosecond of that tick; UINT64_MAX: it is not to be seen. */
static uint64_t to_ns(uint64_t ticks)
{
    if (ticks / VMM_PM_TIMER_HZ >= UINT64_MAX / NS)
        return UINT64_MAX;
    return ticks / VMM_PM_TIMER_HZ * NS +
           (ticks % VMM_PM_TIMER_HZ * NS + VMM_PM_TIMER_HZ - 1) / VMM_PM_TIMER_HZ;
}

/* What the clock shows. */
static uint64_t count(struct vmm_pm *pm)
{
    const uint64_t now_ns = pm->callbacks.now_ns(pm->callbacks.context);
    const uint64_t ticks =
        pm->base_ticks + (now_ns > pm->base_ns ? to_ticks(now_ns - pm->base_ns) : 0);

    if (ticks > pm->ticks)
        pm->ticks = ticks;
    if (pm->ticks >> CARRY_BITS != pm->carries) {
        pm->carries = pm->ticks >> CARRY_BITS;
        pm->status |= TMR;
    }
    return now_ns;
}

static uint64_t next_carry_ns(const struct vmm_pm *pm)
{
    const uint64_t ticks = (pm->carries + 1) << CARRY_BITS;
    uint64_t at_ns;

    if (__builtin_add_overflow(pm->base_ns, to_ns(ticks - pm->base_ticks), &at_ns))
        return UINT64_MAX;
    return at_ns;
}

/* --- events --- */

static void update(struct vmm_pm *pm)
{
    uint64_t wake_ns = UINT64_MAX;

    (void)count(pm);
    vmm_line_set(&pm->sci,
                 (pm->status & pm->enable) != 0 || (pm->gpe_status & pm->gpe_enable) != 0);
    if ((pm->enable & TMR) != 0 && (pm->status & TMR) == 0)
        wake_ns = next_carry_ns(pm);
    if (wake_ns != pm->wake_ns)
        pm->callbacks.wake_at(pm->callbacks.context, wake_ns);
    pm->wake_ns = wake_ns;
}

void vmm_pm_power_button(struct vmm_pm *pm)
{
    pm->status |= PWRBTN;
    update(pm);
}

void vmm_pm_raise_gpe(struct vmm_pm *pm, unsigned gpe)
{
    if (gpe < VMM_PM_GPES)
        pm->gpe_status |= (uint16_t)(1U << gpe);
    update(pm);
}

void vmm_pm_wake(struct vmm_pm *pm)
{
    pm->wake_ns = UINT64_MAX; /* that order is used up */
    update(pm);
}

/* --- ports --- */

static uint64_t port_read(void *dev, uint64_t offset, unsigned bytes)
{
    struct vmm_pm *pm = dev;
    uint8_t view[VIEW_BYTES] = { 0 };
    uint64_t value = 0;

    update(pm);
    hw_le_store(view + PMSTS, 2, pm->status);
    hw_le_store(view + PMEN, 2, pm->enable);
    hw_le_store(view + PMCNTRL, 2, pm->control | SCI_EN);
    hw_le_store(view + PMTMR, 4, (uint32_t)pm->ticks & TIMER_BITS);
    hw_le_store(view + GPSTS, 2, pm->gpe_status);
    hw_le_store(view + GPEN, 2, pm->gpe_enable);
    for (unsigned i = 0; i < bytes && offset + i < VIEW_BYTES; i++)
        value |= (uint64_t)view[offset + i] << (i * 8);
    return value;
}

/* The byte of `bits` that `mask` names takes the place of that of `value`. */
static uint16_t merge(uint16_t value, unsigned bits, unsigned mask)
{
    return (uint16_t)((value & ~mask) | (bits & mask));
}

static void write_control(struct vmm_pm *pm, unsigned bits, unsigned mask)
{
    pm->control = merge(pm->control, bits & CONTROL_KEPT, mask);
    if ((bits & SLP_EN) != 0 && (pm->control & SLP_TYP) == SLP_TYP_S5)
        pm->callbacks.power_off(pm->callbacks.context);
}

static void write_byte(struct vmm_pm *pm, uint64_t offset, uint8_t byte)
{
    const unsigned shift = offset % 2 * 8, mask = 0xffU << shift, bits = (unsigned)byte << shift;

    switch (offset - offset % 2) {
    case PMSTS:
        pm->status &= (uint16_t)~bits;
        break;
    case PMEN:
        pm->enable = merge(pm->enable, bits & PM1_EVENTS, mask);
        break;
    case PMCNTRL:
        write_control(pm, bits, mask);
        break;
    case GPSTS:
        pm->gpe_status &= (uint16_t)~bits;
        break;
    case GPEN:
        pm->gpe_enable = merge(pm->gpe_enable, bits, mask);
        break;
    default: /* the timer, and what is not there */
        break;
    }
}

static void port_write(void *dev, uint64_t offset, unsigned bytes, uint64_t value)
{
    struct vmm_pm *pm = dev;

    (void)count(pm);
    for (unsigned i = 0; i < bytes; i++)
        write_byte(pm, offset + i, (uint8_t)(value >> (i * 8)));
    update(pm);
}

static const struct vmm_range_ops port_ops = { port_read, port_write };

static void changed(void *dev, unsigned at, unsigned bytes)
{
    struct vmm_pm *pm = dev;
    const uint8_t *config = pm->function.config;
    const unsigned base = (config[PMBASE] | (unsigned)config[PMBASE + 1] << 8) & PMBASE_BITS;

    (void)at;
    (void)bytes;
    vmm_pci_move_window(&pm->function, (config[PMREGMISC] & PMIOSE) != 0 ? base : 0);
}

/* --- for the machine --- */

static void pm_reset(void *dev)
{
    struct vmm_pm *pm = dev;

    pm->status = pm->enable = pm->control = pm->gpe_status = pm->gpe_enable = 0;
    pm->base_ns = pm->callbacks.now_ns(pm->callbacks.context);
    pm->base_ticks = pm->ticks = pm->carries = 0;
    vmm_pci_reset(&pm->function);
    update(pm);
}

static void pm_resume(void *dev)
{
    update(dev);
}

/* As many ticks as there were when the clock showed `at_ns`, and on from there. */
static void state_of_timer(struct vmm_pm *pm, struct vmm_state *state)
{
    const uint64_t now_ns = count(pm);
    uint64_t at_ns = now_ns;

    vmm_state_u64(state, &pm->ticks);
    vmm_state_require(state, pm->ticks < TICKS_AT_MOST);
    vmm_state_u64(state, &at_ns);
    if (!state->loading)
        return;
    pm->ticks %= TICKS_AT_MOST;
    pm->base_ticks = pm->ticks;
    pm->base_ns = at_ns < now_ns ? at_ns : now_ns;
    pm->carries = pm->ticks >> CARRY_BITS;
}

static void pm_state(void *dev, struct vmm_state *state)
{
    struct vmm_pm *pm = dev;

    if (!state->loading)
        update(pm); /* the line is what the status says, here as where it is loaded */
    vmm_pci_function_state(&pm->function, state);
    vmm_state_require(state, !pm->function.asserted);
    state_of_timer(pm, state);
    vmm_state_u16(state, &pm->status);
    vmm_state_u16(state, &pm->enable);
    vmm_state_u16(state, &pm->control);
    vmm_state_u16(state, &pm->gpe_status);
    vmm_state_u16(state, &pm->gpe_enable);
    vmm_state_require(state, (pm->status & ~PM1_EVENTS) == 0 && (pm->enable & ~PM1_EVENTS) == 0 &&
                                 (pm->control & ~CONTROL_KEPT) == 0);
    if (state->loading)
        update(pm);
}

static void pm_fini(void *dev)
{
    struct vmm_pm *pm = dev;

    vmm_pci_remove(&pm->function);
    free(pm);
}

static const struct vmm_dev_ops dev_ops = {
    .name = "power management",
    .id = VMM_DEV_PM,
    .version = 1,
    .reset = pm_reset,
    .resume = pm_resume,
    .state = pm_state,
    .fini = pm_fini,
};

static void begin_function(struct vmm_pm *pm)
{
    struct vmm_pci_function *function = &pm->function;

    vmm_pci_begin(function, &identity);
    function->config[VMM_PCI_INTERRUPT_LINE] = GSI;
    hw_le_store(function->config + PMBASE, 2, VMM_PM_BASE | PMBASE_IO);
    hw_le_store(function->writable + PMBASE, 2, PMBASE_BITS);
    function->config[DEVACTB + DEVACTB_BYTES - 1] = APMC_EN; /* SeaBIOS: SMM is set up already */
    hw_le_store(function->writable + DEVACTB, DEVACTB_BYTES, UINT32_MAX);
    function->config[PMREGMISC] = PMIOSE;
    function->writable[PMREGMISC] = PMIOSE;
    function->changed = changed;
    function->dev = pm;
    vmm_pci_add_window(function, VMM_PORTS, VMM_PM_PORTS, &port_ops, pm);
}

int vmm_pm_new(struct vmm_pci *pci, const struct vmm_line *sci,
               const struct vmm_pm_callbacks *callbacks, struct vmm_dev *ret_dev,
               struct vmm_pm **ret_pm)
{
    struct vmm_pm *pm = calloc(1, sizeof(*pm));
    int rc;

    if (pm == NULL)
        return -ENOMEM;
    pm->sci = *sci;
    pm->callbacks = *callbacks;
    pm->wake_ns = UINT64_MAX;
    begin_function(pm);
    rc = vmm_pci_add(pci, &pm->function, SLOT, NUMBER);
    if (rc < 0) {
        free(pm);
        return rc;
    }
    pm_reset(pm);
    *ret_dev = (struct vmm_dev) { .ops = &dev_ops, .dev = pm };
    *ret_pm = pm;
    return 0;
}
