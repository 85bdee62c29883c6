/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Nothing runs: whenever somebody looks, the seconds and the ticks that have gone by since the last
 * look are made up for. A wake-up is asked for only while an interrupt is due that the guest has
 * enabled, and not told yet.
 */
#include "config.h"

#include "vmm-core/machine/vmm_cmos.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm-core/machine/vmm_cmos_priv.h"
#include "vmm-core/machine/vmm_dev_ids.h"

enum { INDEX_PORT = 0x70, PORTS = 2, INDEX_BITS = 0x7f };
/* register A: update in progress, divider, rate */
enum { A_UIP = 0x80, A_DIVIDER = 0x70, A_DIVIDER_32768 = 0x20, A_RATE = 15, A_AT_START = 0x26 };
enum { B_SET = 0x80, B_PERIODIC = 0x40, B_ALARM = 0x20, B_UPDATE = 0x10, B_SQUARE = 8 };
/* register C; each of the flags has its place in B */
enum { C_IRQ = 0x80, C_FLAGS = 0x70, C_UNUSED = 15, D_VALID = 0x80 };

#define SECOND    INT64_C(1000000000)
#define UPDATE_NS INT64_C(2228000) /* of UIP: 244 us before the update, 1984 us of it (table 6) */
#define STAND_NS  (2 * SECOND)     /* the wall clock set back by more is followed */

struct vmm_cmos {
    struct vmm_bus *bus;
    struct vmm_line line;
    struct vmm_cmos_clock clock;
    uint8_t index;
    uint8_t ram[VMM_RTC_BYTES];
    int64_t second_at_ns; /* wall clock when the second began that the registers show */
    int64_t seen_ns;      /* how much of that second has been looked at; the divider's state */
    int64_t wake_at_ns;   /* what was asked for */
    bool paused;
};

/* --- time goes by --- */

/* Without the divider nothing goes on. It is made for one crystal, as in every PC. */
static bool runs(const struct vmm_cmos *cmos)
{
    return (cmos->ram[VMM_RTC_A] & A_DIVIDER) == A_DIVIDER_32768;
}

static bool updates(const struct vmm_cmos *cmos)
{
    return runs(cmos) && (cmos->ram[VMM_RTC_B] & B_SET) == 0;
}

/* Periodic ticks a second (table 5); 0: none. The first two rates are those of the eighth. */
static int64_t tick_hz(const struct vmm_cmos *cmos)
{
    const unsigned rate = cmos->ram[VMM_RTC_A] & A_RATE;

    if (rate == 0)
        return 0;
    return rate < 3 ? 512 >> rate : 65536 >> rate;
}

/* Of the second, after this much of it. */
static int64_t ticks(const struct vmm_cmos *cmos, int64_t ns)
{
    return ns * tick_hz(cmos) / SECOND;
}

static void pass_seconds(struct vmm_cmos *cmos, int64_t seconds)
{
    const unsigned alarm = vmm_rtc_until_alarm(cmos->ram);

    if (seconds > 0)
        cmos->ram[VMM_RTC_C] |= B_UPDATE;
    if (alarm > 0 && seconds >= alarm)
        cmos->ram[VMM_RTC_C] |= B_ALARM;
    (void)vmm_rtc_pass(cmos->ram, seconds);
}

/* Up to now. */
static void catch_up(struct vmm_cmos *cmos)
{
    const int64_t gone = cmos->clock.wall_ns(cmos->clock.context) - cmos->second_at_ns;
    const int64_t seconds = gone / SECOND - (gone % SECOND < 0 ? 1 : 0);
    const int64_t rest = gone - seconds * SECOND;

    if (!runs(cmos) || (gone < cmos->seen_ns && gone > -STAND_NS))
        return;
    if (tick_hz(cmos) > 0 &&
        (seconds > 0 || (seconds == 0 && ticks(cmos, rest) > ticks(cmos, cmos->seen_ns))))
        cmos->ram[VMM_RTC_C] |= B_PERIODIC;
    if (seconds != 0 && updates(cmos))
        pass_seconds(cmos, seconds);
    cmos->second_at_ns += seconds * SECOND;
    cmos->seen_ns = rest;
}

/* --- interrupts --- */

static bool wants(const struct vmm_cmos *cmos, uint8_t flag)
{
    return (cmos->ram[VMM_RTC_B] & flag) != 0 && (cmos->ram[VMM_RTC_C] & flag) == 0;
}

static int64_t sooner(int64_t one, int64_t other)
{
    return one < other ? one : other;
}

/* When the next interrupt is due that would change anything. */
static int64_t next_ns(const struct vmm_cmos *cmos)
{
    const int64_t hz = tick_hz(cmos);
    int64_t next = INT64_MAX;
    unsigned alarm;

    if (runs(cmos) && hz > 0 && wants(cmos, B_PERIODIC))
        next = ((ticks(cmos, cmos->seen_ns) + 1) * SECOND + hz - 1) / hz;
    if (updates(cmos) && wants(cmos, B_UPDATE))
        next = sooner(next, SECOND);
    if (updates(cmos) && wants(cmos, B_ALARM)) {
        alarm = vmm_rtc_until_alarm(cmos->ram);
        next = alarm > 0 ? sooner(next, alarm * SECOND) : next;
    }
    return next == INT64_MAX ? next : cmos->second_at_ns + next;
}

static void ask_wake(struct vmm_cmos *cmos, int64_t at_ns)
{
    if (at_ns != cmos->wake_at_ns)
        cmos->clock.wake_at(cmos->clock.context, at_ns);
    cmos->wake_at_ns = at_ns;
}

static void update(struct vmm_cmos *cmos)
{
    const bool high = (cmos->ram[VMM_RTC_C] & cmos->ram[VMM_RTC_B] & C_FLAGS) != 0;

    cmos->ram[VMM_RTC_C] = (uint8_t)((cmos->ram[VMM_RTC_C] & C_FLAGS) | (high ? C_IRQ : 0));
    vmm_line_set(&cmos->line, high);
    ask_wake(cmos, cmos->paused ? INT64_MAX : next_ns(cmos));
}

void vmm_cmos_wake(struct vmm_cmos *cmos)
{
    if (cmos->paused)
        return;
    cmos->wake_at_ns = INT64_MAX;
    catch_up(cmos);
    update(cmos);
}

/* --- what the guest does --- */

static uint8_t read_register(struct vmm_cmos *cmos)
{
    uint8_t value = cmos->ram[cmos->index];

    if (cmos->index == VMM_RTC_A && updates(cmos) && cmos->seen_ns >= SECOND - UPDATE_NS)
        value |= A_UIP;
    if (cmos->index == VMM_RTC_C)
        cmos->ram[VMM_RTC_C] = 0;
    return value;
}

/* A divider that is let go on begins in the middle of a second (data sheet, DV2 to DV0). */
static void write_a(struct vmm_cmos *cmos, uint8_t value)
{
    const bool ran = runs(cmos);

    cmos->ram[VMM_RTC_A] = value & (uint8_t)~A_UIP;
    if (!ran && runs(cmos)) {
        cmos->seen_ns = SECOND / 2;
        cmos->second_at_ns = cmos->clock.wall_ns(cmos->clock.context) - cmos->seen_ns;
    }
}

/* SET going high clears UIE. */
static void write_b(struct vmm_cmos *cmos, uint8_t value)
{
    if ((value & B_SET) != 0 && (cmos->ram[VMM_RTC_B] & B_SET) == 0)
        value &= (uint8_t)~B_UPDATE;
    cmos->ram[VMM_RTC_B] = value;
}

static void write_register(struct vmm_cmos *cmos, uint8_t value)
{
    if (cmos->index == VMM_RTC_A)
        write_a(cmos, value);
    else if (cmos->index == VMM_RTC_B)
        write_b(cmos, value);
    else if (cmos->index != VMM_RTC_C && cmos->index != VMM_RTC_D)
        cmos->ram[cmos->index] = value;
}

/* The index cannot be read back. */
static uint64_t cmos_read(void *dev, uint64_t offset, unsigned bytes)
{
    struct vmm_cmos *cmos = dev;
    uint64_t value = 0xff;

    if (offset + bytes < PORTS)
        return value;
    catch_up(cmos);
    value = read_register(cmos);
    update(cmos);
    return bytes == 1 ? value : value << 8 | 0xff;
}

static void cmos_write(void *dev, uint64_t offset, unsigned bytes, uint64_t value)
{
    struct vmm_cmos *cmos = dev;

    if (offset == 0)
        cmos->index = value & INDEX_BITS;
    if (offset + bytes < PORTS)
        return;
    catch_up(cmos);
    write_register(cmos, (uint8_t)(offset == 0 ? value >> 8 : value));
    update(cmos);
}

static const struct vmm_range_ops range_ops = { cmos_read, cmos_write };

/* --- making it --- */

static void set_by_wall(struct vmm_cmos *cmos)
{
    const int64_t now = cmos->clock.wall_ns(cmos->clock.context);

    cmos->ram[VMM_RTC_A] = A_AT_START;
    cmos->ram[VMM_RTC_B] = VMM_RTC_B_24_HOURS;
    cmos->ram[VMM_RTC_D] = D_VALID;
    vmm_rtc_set(cmos->ram, now / SECOND);
    cmos->seen_ns = now % SECOND;
    cmos->second_at_ns = now - cmos->seen_ns;
}

static void begin(struct vmm_cmos *cmos, const struct vmm_cmos_config *config)
{
    const struct vmm_cmos_battery *battery = config->battery;

    if (battery != NULL && battery->charged) {
        memcpy(cmos->ram, battery->ram, sizeof(cmos->ram));
        cmos->second_at_ns = battery->second_at_ns;
        cmos->seen_ns = battery->seen_ns;
    } else {
        set_by_wall(cmos);
    }
    cmos->wake_at_ns = INT64_MAX;
    cmos_describe(cmos->ram, config);
}

void vmm_cmos_keep(struct vmm_cmos *cmos, struct vmm_cmos_battery *ret_battery)
{
    catch_up(cmos);
    ret_battery->charged = true;
    memcpy(ret_battery->ram, cmos->ram, sizeof(cmos->ram));
    ret_battery->second_at_ns = cmos->second_at_ns;
    ret_battery->seen_ns = cmos->seen_ns;
}

/* --- for the machine --- */

/* What the reset pin does (data sheet, RESET): the battery keeps time and memory. */
static void cmos_reset(void *dev)
{
    struct vmm_cmos *cmos = dev;

    cmos->index = 0;
    cmos->ram[VMM_RTC_B] &= (uint8_t) ~(B_PERIODIC | B_ALARM | B_UPDATE | B_SQUARE);
    cmos->ram[VMM_RTC_C] = 0;
    update(cmos);
}

static void cmos_pause(void *dev)
{
    struct vmm_cmos *cmos = dev;

    cmos->paused = true;
    ask_wake(cmos, INT64_MAX);
}

static void cmos_resume(void *dev)
{
    struct vmm_cmos *cmos = dev;

    cmos->paused = false;
    catch_up(cmos);
    update(cmos);
}

static void cmos_state(void *dev, struct vmm_state *state)
{
    struct vmm_cmos *cmos = dev;
    uint64_t second_at = (uint64_t)cmos->second_at_ns, seen = (uint64_t)cmos->seen_ns;
    bool good;

    vmm_state_u8(state, &cmos->index);
    vmm_state_bytes(state, cmos->ram, sizeof(cmos->ram));
    vmm_state_u64(state, &second_at);
    vmm_state_u64(state, &seen);
    good = cmos->index <= INDEX_BITS && (cmos->ram[VMM_RTC_A] & A_UIP) == 0 &&
           (cmos->ram[VMM_RTC_C] & C_UNUSED) == 0 && cmos->ram[VMM_RTC_D] == D_VALID &&
           second_at <= INT64_MAX / 2 && seen < (uint64_t)SECOND;
    vmm_state_require(state, good);
    if (!state->loading)
        return;
    cmos->index &= INDEX_BITS;
    cmos->second_at_ns = good ? (int64_t)second_at : 0;
    cmos->seen_ns = good ? (int64_t)seen : 0;
    update(cmos);
}

static void cmos_fini(void *dev)
{
    struct vmm_cmos *cmos = dev;

    ask_wake(cmos, INT64_MAX);
    (void)vmm_bus_remove(cmos->bus, VMM_PORTS, INDEX_PORT);
    free(cmos);
}

static const struct vmm_dev_ops dev_ops = {
    .name = "real-time clock",
    .id = VMM_DEV_CMOS,
    .version = 1,
    .reset = cmos_reset,
    .pause = cmos_pause,
    .resume = cmos_resume,
    .state = cmos_state,
    .fini = cmos_fini,
};

int vmm_cmos_new(struct vmm_bus *bus, const struct vmm_line *line,
                 const struct vmm_cmos_config *config, const struct vmm_cmos_clock *clock,
                 struct vmm_dev *ret_dev, struct vmm_cmos **ret_cmos)
{
    struct vmm_cmos *cmos = calloc(1, sizeof(*cmos));
    int rc;

    if (cmos == NULL)
        return -ENOMEM;
    cmos->bus = bus;
    cmos->line = *line;
    cmos->clock = *clock;
    begin(cmos, config);
    rc = vmm_bus_add(bus, VMM_PORTS, INDEX_PORT, PORTS, &range_ops, cmos);
    if (rc < 0) {
        free(cmos);
        return rc;
    }
    cmos_reset(cmos);
    *ret_dev = (struct vmm_dev) { .ops = &dev_ops, .dev = cmos };
    *ret_cmos = cmos;
    return 0;
}
