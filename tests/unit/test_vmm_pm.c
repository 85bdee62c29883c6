/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/machine/vmm_pm: events and their interrupt, the timer also over a save, S5, and where a
 * guest may put it all.
 */
#include <config.h>

#include "vmm-core/machine/vmm_pm.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/fail_alloc.h"
#include "tests/unit/pci_world.h"
#include "tests/unit/unit.h"
#include "vmm-core/machine/vmm_dev_ids.h"

enum { BYTES = VMM_PCI_STATE_BYTES + 16 + 10 };
enum { STS = 0x600, EN = 0x602, CNT = 0x604, TMR = 0x608, GPSTS = 0x60c, GPEN = 0x60e };
#define SECOND UINT64_C(1000000000)

struct world {
    struct vmm_bus *bus;
    struct vmm_dev pci_dev, dev;
    struct vmm_pci *pci;
    struct vmm_pm *pm;
    uint64_t now_ns, wake_ns;
    bool sci;
    unsigned power_offs, wakes;
};

static struct world w;

static void set_sci(void *context, unsigned number, bool high)
{
    CU_ASSERT_EQUAL(number, 9);
    ((struct world *)context)->sci = high;
}

static uint64_t now_ns(void *context)
{
    return ((struct world *)context)->now_ns;
}

static void wake_at(void *context, uint64_t at_ns)
{
    struct world *world = context;

    CU_ASSERT_NOT_EQUAL(at_ns, world->wake_ns); /* changes only */
    world->wake_ns = at_ns;
    world->wakes++;
}

static void power_off(void *context)
{
    ((struct world *)context)->power_offs++;
}

static int make(void)
{
    const struct vmm_line sci = { set_sci, &w, 9 };
    const struct vmm_pm_callbacks callbacks = { now_ns, wake_at, power_off, &w };

    return vmm_pm_new(w.pci, &sci, &callbacks, &w.dev, &w.pm);
}

static void begin_bus(uint64_t at_ns)
{

    w = (struct world) { .bus = vmm_bus_new(), .now_ns = at_ns, .wake_ns = UINT64_MAX };
    CU_ASSERT_EQUAL_FATAL(pci_quiet_new(w.bus, &w.pci_dev, &w.pci), 0);
}

static void begin(uint64_t at_ns)
{
    begin_bus(at_ns);
    CU_ASSERT_EQUAL_FATAL(make(), 0);
}

static void end(void)
{
    w.dev.ops->fini(w.dev.dev);
    CU_ASSERT_EQUAL(vmm_bus_read(w.bus, VMM_PORTS, TMR, 4), 0xffffffff);
    w.pci_dev.ops->fini(w.pci_dev.dev);
    vmm_bus_free(w.bus);
}

static uint32_t in(uint16_t port, unsigned bytes)
{
    return (uint32_t)vmm_bus_read(w.bus, VMM_PORTS, port, bytes);
}

static void out(uint16_t port, unsigned bytes, uint32_t value)
{
    vmm_bus_write(w.bus, VMM_PORTS, port, bytes, value);
}

static void config(unsigned at, unsigned bytes, uint32_t value)
{
    pci_write(w.bus, 1, 3, at, bytes, value);
}

static void a_guest_sees_it(void)
{
    begin(0);
    CU_ASSERT_EQUAL(pci_read(w.bus, 1, 3, 0, 4), 0x71138086);
    CU_ASSERT_EQUAL(pci_read(w.bus, 1, 3, 8, 4), 0x06800003);
    CU_ASSERT_EQUAL(pci_read(w.bus, 1, 3, 0x3c, 2), 0x0109);
    CU_ASSERT_EQUAL(pci_read(w.bus, 1, 3, 0x40, 4), 0x601);
    CU_ASSERT_EQUAL(pci_read(w.bus, 1, 3, 0x58, 4), 0x02000000);
    CU_ASSERT_EQUAL(pci_read(w.bus, 1, 3, 0x80, 1), 1);
    CU_ASSERT_EQUAL(in(CNT, 2), 1); /* ACPI is on */
    CU_ASSERT_EQUAL(in(0x60a, 4), 0);
    CU_ASSERT_EQUAL(in(0x610, 4), 0);
    CU_ASSERT_EQUAL(in(0x63f, 1), 0);
    CU_ASSERT_EQUAL(in(0x640, 1), 0xff);
    end();
}

static void the_power_button(void)
{
    begin(0);
    out(EN, 2, 0x100);
    CU_ASSERT_FALSE(w.sci);
    vmm_pm_power_button(w.pm);
    CU_ASSERT_TRUE(w.sci);
    CU_ASSERT_EQUAL(in(STS, 2), 0x100);
    CU_ASSERT_EQUAL(in(STS, 4), 0x01000100);
    out(STS, 2, 0x0421); /* the others */
    CU_ASSERT_TRUE(w.sci);
    out(STS + 1, 1, 0x01);
    CU_ASSERT_FALSE(w.sci);
    CU_ASSERT_EQUAL(in(STS, 2), 0);
    out(EN, 2, 0);
    vmm_pm_power_button(w.pm);
    CU_ASSERT_FALSE(w.sci);
    out(EN + 1, 1, 0x01); /* it waits for that */
    CU_ASSERT_TRUE(w.sci);
    vmm_dev_reset(&w.dev);
    CU_ASSERT_FALSE(w.sci);
    CU_ASSERT_EQUAL(in(STS, 4), 0);
    CU_ASSERT_EQUAL(w.power_offs, 0);
    end();
}

static void general_purpose_events(void)
{
    begin(0);
    vmm_pm_raise_gpe(w.pm, 3);
    vmm_pm_raise_gpe(w.pm, 15);
    vmm_pm_raise_gpe(w.pm, 16); /* there is none */
    CU_ASSERT_EQUAL(in(GPSTS, 2), 0x8008);
    CU_ASSERT_FALSE(w.sci);
    out(GPEN, 1, 0x09);
    CU_ASSERT_TRUE(w.sci);
    CU_ASSERT_EQUAL(in(GPEN, 2), 0x0009);
    out(GPSTS, 1, 0x08);
    CU_ASSERT_FALSE(w.sci);
    out(GPEN + 1, 1, 0x80);
    CU_ASSERT_TRUE(w.sci);
    CU_ASSERT_EQUAL(in(GPSTS, 4), 0x80098000);
    out(GPSTS, 4, 0x00008000);
    CU_ASSERT_EQUAL(in(GPSTS, 4), 0);
    CU_ASSERT_FALSE(w.sci);
    end();
}

static void it_switches_itself_off(void)
{
    begin(0);
    out(CNT, 2, 0x1c03);
    CU_ASSERT_EQUAL(in(CNT, 2), 0x1c03);
    out(CNT, 2, 0x3400); /* S1 or so: there is no such state */
    CU_ASSERT_EQUAL(in(CNT, 2), 0x1401);
    out(CNT, 1, 0x02);
    CU_ASSERT_EQUAL(in(CNT, 2), 0x1403);
    CU_ASSERT_EQUAL(w.power_offs, 0);
    out(CNT, 2, 0x2000);
    CU_ASSERT_EQUAL(w.power_offs, 1);
    CU_ASSERT_EQUAL(in(CNT, 2), 1); /* SLP_EN reads 0 */
    out(CNT + 1, 1, 0x20);
    CU_ASSERT_EQUAL(w.power_offs, 2);
    end();
}

/* --- the timer --- */

static void the_timer_counts(void)
{
    uint32_t before;

    begin(77 * SECOND);
    CU_ASSERT_EQUAL(in(TMR, 4), 0);
    w.now_ns += SECOND;
    CU_ASSERT_EQUAL(in(TMR, 4), 3579545);
    out(TMR, 4, 0);
    CU_ASSERT_EQUAL(in(TMR, 2), 3579545 % 0x10000);
    w.now_ns += 4 * SECOND;
    CU_ASSERT_EQUAL(in(TMR, 4), 5 * 3579545 - 0x1000000); /* 24 bits */
    w.now_ns += 1000000 * SECOND;
    before = in(TMR, 4);
    CU_ASSERT_EQUAL(before, 1000005 * UINT64_C(3579545) % 0x1000000);
    w.now_ns -= 3 * SECOND; /* the clock was set back: it stands */
    CU_ASSERT_EQUAL(in(TMR, 4), before);
    w.now_ns += 4 * SECOND;
    CU_ASSERT_EQUAL(in(TMR, 4), (before + 3579545) % 0x1000000);
    end();
}

static void it_tells_when_its_highest_bit_changes(void)
{
    begin(5);
    CU_ASSERT_EQUAL(w.wakes, 0);
    out(EN, 2, 1);
    CU_ASSERT_EQUAL(w.wake_ns, 5 + UINT64_C(2343484438)); /* 2^23 ticks, rounded up */
    w.now_ns = w.wake_ns - 1;
    w.wake_ns = 0; /* too early: it is asked for again */
    vmm_pm_wake(w.pm);
    CU_ASSERT_EQUAL(w.wake_ns, 5 + UINT64_C(2343484438));
    CU_ASSERT_EQUAL(in(STS, 2), 0);
    w.now_ns = w.wake_ns;
    vmm_pm_wake(w.pm);
    CU_ASSERT_TRUE(w.sci);
    CU_ASSERT_EQUAL(w.wakes, 2); /* that order is used up: nothing to take back */
    CU_ASSERT_EQUAL(in(STS, 2), 1);
    out(STS, 2, 1);
    CU_ASSERT_FALSE(w.sci);
    CU_ASSERT_EQUAL(w.wake_ns, 5 + UINT64_C(4686968875));
    w.now_ns += 3 * SECOND; /* nobody wakes it: a look at it is enough */
    CU_ASSERT_EQUAL(in(STS, 2), 1);
    CU_ASSERT_TRUE(w.sci);
    CU_ASSERT_EQUAL(w.wake_ns, UINT64_MAX);
    out(STS, 4, 1);
    CU_ASSERT_FALSE(w.sci);
    w.now_ns += 3 * SECOND; /* without being asked for: in its status all the same */
    CU_ASSERT_EQUAL(in(STS, 2), 1);
    CU_ASSERT_FALSE(w.sci);
    end();
}

static void move(uint8_t bytes[BYTES], uint64_t to_ns)
{
    dev_save(&w.dev, bytes, BYTES);
    end();
    begin(to_ns);
    CU_ASSERT_EQUAL(dev_load(&w.dev, bytes, BYTES), 0);
    vmm_dev_resume(&w.dev);
}

static void the_timer_goes_on_after_a_save(void)
{
    uint8_t bytes[BYTES];

    begin(3 * SECOND);
    w.now_ns += SECOND;
    move(bytes, 6 * SECOND); /* the guest's clock went on by two */
    CU_ASSERT_EQUAL(in(TMR, 4), 3 * 3579545);
    move(bytes, SECOND); /* and was lost: it goes on from where it was */
    CU_ASSERT_EQUAL(in(TMR, 4), 3 * 3579545);
    w.now_ns += SECOND;
    CU_ASSERT_EQUAL(in(TMR, 4), 4 * 3579545);
    w.now_ns -= SECOND;
    move(bytes, 2 * SECOND); /* saved while it stood */
    CU_ASSERT_EQUAL(in(TMR, 4), 5 * 3579545 - 0x1000000);
    out(STS, 2, 1);
    move(bytes, 2 * SECOND); /* what was told is not told again */
    CU_ASSERT_EQUAL(in(STS, 2), 0);
    out(EN, 2, 1);
    w.now_ns += 3 * SECOND;
    dev_save(&w.dev, bytes, BYTES); /* a save sees it, and so does the guest here */
    CU_ASSERT_TRUE(w.sci);
    end();
}

/* --- state --- */

static void it_comes_back(void)
{
    uint8_t bytes[BYTES], again[BYTES];

    begin(0);
    CU_ASSERT_EQUAL(w.dev.ops->id, VMM_DEV_PM);
    out(EN, 2, 0x121);
    out(CNT, 2, 0x1402);
    out(GPEN, 2, 0x8001);
    vmm_pm_raise_gpe(w.pm, 2);
    vmm_pm_power_button(w.pm);
    config(0x40, 4, 0xb000);
    move(bytes, 0);
    dev_save(&w.dev, again, BYTES);
    CU_ASSERT_EQUAL(memcmp(bytes, again, BYTES), 0);
    CU_ASSERT_TRUE(w.sci);
    CU_ASSERT_EQUAL(w.wake_ns, UINT64_C(2343484438));
    CU_ASSERT_EQUAL(in(0x600, 4), 0xffffffff);
    CU_ASSERT_EQUAL(in(0xb000, 4), 0x01210100);
    CU_ASSERT_EQUAL(in(0xb004, 2), 0x1403);
    CU_ASSERT_EQUAL(in(0xb00c, 4), 0x80010004);
    CU_ASSERT_EQUAL(w.power_offs, 0);
    vmm_dev_reset(&w.dev);
    CU_ASSERT_EQUAL(in(0x604, 2), 1);
    CU_ASSERT_EQUAL(w.wake_ns, UINT64_MAX);
    end();
}

static void a_wrong_state_is_refused(void)
{
    enum { TICKS = VMM_PCI_STATE_BYTES, REGISTERS = TICKS + 16 };
    static const struct {
        unsigned at;
        uint8_t bits;
    } wrong[] = {
        { 0x08, 1 },          { TICKS - 1, 1 }, /* its pin */
        { TICKS + 7, 0x40 },  { REGISTERS, 2 },        { REGISTERS + 3, 2 },
        { REGISTERS + 4, 1 }, { REGISTERS + 5, 0x20 },
    };
    uint8_t bytes[BYTES];

    begin(UINT64_MAX - 5);
    dev_save(&w.dev, bytes, BYTES);
    for (size_t size = 0; size < BYTES; size++)
        CU_ASSERT_EQUAL(dev_load(&w.dev, bytes, size), -EBADMSG);
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        bytes[wrong[i].at] ^= wrong[i].bits;
        CU_ASSERT_EQUAL(dev_load(&w.dev, bytes, BYTES), -EBADMSG);
        bytes[wrong[i].at] ^= wrong[i].bits;
    }
    memset(bytes + TICKS, 0xff, 7); /* as many as there can be, since the year dot */
    bytes[TICKS + 7] = 0x3f;
    memset(bytes + TICKS + 8, 0, 8);
    bytes[REGISTERS + 2] = 1;
    CU_ASSERT_EQUAL(dev_load(&w.dev, bytes, BYTES), 0);
    out(STS, 2, 1);
    CU_ASSERT_TRUE(w.wake_ns > w.now_ns);
    end();
}

static void a_guest_moves_it(void)
{
    begin(0);
    config(0x40, 4, 0xffffffff);
    CU_ASSERT_EQUAL(pci_read(w.bus, 1, 3, 0x40, 4), 0xffc1);
    CU_ASSERT_EQUAL(in(0xffc4, 2), 1);
    CU_ASSERT_EQUAL(in(CNT, 2), 0xffff);
    config(0x40, 4, 0xcc0); /* over the configuration ports: nowhere */
    CU_ASSERT_EQUAL(pci_read(w.bus, 1, 3, 0x40, 4), 0xcc1);
    config(0x40, 4, 0);
    CU_ASSERT_EQUAL(in(0x4, 2), 0xffff);
    config(0x40, 4, 0xb040);
    config(0x80, 1, 0xfe); /* PMIOSE */
    CU_ASSERT_EQUAL(in(0xb044, 2), 0xffff);
    config(0x80, 1, 1);
    CU_ASSERT_EQUAL(in(0xb044, 2), 1);
    end();
}

static void without_memory(void)
{
    begin_bus(0);
    (void)fail_alloc_each(make);
    CU_ASSERT_EQUAL(make(), -EEXIST);
    end();
}

const struct unit_case unit_cases[] = {
    { "a guest sees it", a_guest_sees_it },
    { "the power button", the_power_button },
    { "general purpose events", general_purpose_events },
    { "it switches itself off", it_switches_itself_off },
    { "the timer counts", the_timer_counts },
    { "it tells when its highest bit changes", it_tells_when_its_highest_bit_changes },
    { "the timer goes on after a save", the_timer_goes_on_after_a_save },
    { "it comes back", it_comes_back },
    { "a wrong state is refused", a_wrong_state_is_refused },
    { "a guest moves it", a_guest_moves_it },
    { "without memory, or a place", without_memory },
    { 0 },
};
