/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/sto_own_decide: the line of ownership records, by which a guest of before is known.
 */
#include <config.h>

#include "storage/sto_own_priv.h"

#include "tests/unit/own_machine.h"

enum { SEED = 0x100, LINE = 77 };

static struct machine m;

/* Given up, or left by a crash, in this line; what the next owner writes is made of SEED. */
static void given_line(uint16_t node, uint64_t line)
{
    machine_init(&m);
    m.record.node = node;
    m.record.generation = node == 0 ? 0 : 5;
    m.record.line = line;
    m.config.line = SEED;
}

static void owns(bool force)
{
    CU_ASSERT_EQUAL(machine_grant(&m, &(struct sto_own_grant) { .generation = 17,
                                                                .takeover = true,
                                                                .force_foreign = force }),
                    0);
    machine_run(&m);
    CU_ASSERT_TRUE(machine_is_sound(&m));
}

/* Owned, in a line that is not this one, nor none. */
static void begins_another(bool force, uint64_t than)
{
    owns(force);
    CU_ASSERT_NOT_EQUAL(m.record.line, than);
    CU_ASSERT_NOT_EQUAL(m.record.line, 0);
    machine_fini(&m);
}

static void keeps_its_line(void)
{
    static const enum sto_record_state left[] = { STO_RECORD_FREE, STO_RECORD_OWNED,
                                                  STO_RECORD_HANDOVER };

    for (unsigned i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
        given_line(MACHINE_NODE, LINE);
        m.record.state = left[i];
        owns(false);
        CU_ASSERT_EQUAL(m.record.line, LINE);
        machine_tell(&m,
                     STO_OWN_EVENT_DATA_UNKNOWN); /* the next generation writes another record */
        machine_run(&m);
        CU_ASSERT_TRUE(machine_is_sound(&m));
        CU_ASSERT_EQUAL(m.record.generation, 18);
        CU_ASSERT_EQUAL(m.record.line, LINE);
        machine_fini(&m);
    }
}

static void begins_another_line(void)
{
    given_line(MACHINE_OTHER, LINE);
    begins_another(false, LINE);

    given_line(MACHINE_NODE, LINE); /* our node's number, of another cluster */
    m.record.cluster_uuid[0] ^= 1;
    begins_another(true, LINE);

    given_line(MACHINE_NODE, LINE);
    m.config.new_line = true; /* a tool's */
    begins_another(false, LINE);

    given_line(MACHINE_NODE, 0); /* none, of an older version or of init */
    begins_another(false, 0);

    given_line(MACHINE_NODE, 0); /* whose number happens to be that of none */
    m.config.line = 0 - ((UINT64_C(17) << 32) + m.record.sequence + 1);
    begins_another(false, 0);
}

/* One process owns it twice and draws its random number once: what came in between tells. */
static void never_draws_a_line_twice(void)
{
    for (int by_init = 0; by_init <= 1; by_init++) {
        uint64_t first;

        given_line(MACHINE_OTHER, LINE);
        owns(false);
        first = m.record.line;
        machine_tell(&m, STO_OWN_EVENT_RELEASE);
        while (sto_own_state(m.own) != STO_OWN_LEFT && machine_next(&m))
            continue;
        CU_ASSERT_EQUAL(m.record.state, STO_RECORD_FREE);
        CU_ASSERT_EQUAL(m.record.line, first);
        m.record.node = by_init ? 0 : MACHINE_OTHER;
        m.record.generation = by_init ? 0 : 33;
        m.record.line = by_init ? 0 : LINE;
        m.record.sequence = 1; /* as it was at first */
        CU_ASSERT_EQUAL(machine_start(&m, 49, false), 0);
        machine_run(&m);
        CU_ASSERT_TRUE(machine_is_sound(&m));
        CU_ASSERT_NOT_EQUAL(m.record.line, first);
        CU_ASSERT_NOT_EQUAL(m.record.line, LINE);
        machine_fini(&m);
    }
    /* and within one generation the records are counted */
    given_line(MACHINE_OTHER, LINE);
    owns(false);
    CU_ASSERT_EQUAL(m.record.line, SEED + (UINT64_C(17) << 32) + m.record.sequence);
    machine_fini(&m);
}

const struct unit_case unit_cases[] = {
    { "the same node goes on in its line", keeps_its_line },
    { "another node's, cluster's, a tool's, none: another line", begins_another_line },
    { "an init or another node in between: never a line of before", never_draws_a_line_twice },
    { 0 },
};
