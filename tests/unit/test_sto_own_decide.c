/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/sto_own_decide: keys, holders and records that are found on the LUN, and what the
 * machine makes of them.
 */
#include <config.h>

#include "storage/sto_own_priv.h"

#include <string.h>

#include "tests/unit/own_machine.h"

enum { FOREIGN = 0x1234 };

static struct machine m;

/* What is on the LUN, the grant, and what comes of it. */
static const struct {
    const char *what;
    uint16_t holder_node; /* 0: nobody holds; FOREIGN: a stranger's key */
    uint32_t holder;      /* generation */
    uint16_t other_node;  /* registered only */
    uint32_t other;
    bool takeover, force, expected_set;
    uint32_t expected;          /* generation of MACHINE_OTHER's key, 0: none */
    enum sto_own_reason reason; /* NONE: owned */
    uint32_t generation;        /* then */
} rows[] = {
    { "free", 0, 0, 0, 0, false, false, false, 0, STO_OWN_REASON_NONE, 17 },
    { "held by another node", 7, 5, 0, 0, false, false, false, 0, STO_OWN_REASON_HELD, 0 },
    { "taken over", 7, 5, 0, 0, true, false, false, 0, STO_OWN_REASON_NONE, 17 },
    { "held by this node's past", 3, 5, 0, 0, false, false, false, 0, STO_OWN_REASON_NONE, 17 },
    { "a past key of another node", 0, 0, 7, 5, false, false, false, 0, STO_OWN_REASON_NONE, 17 },
    { "held by a newer grant", 7, 33, 0, 0, true, false, false, 0, STO_OWN_REASON_STALE, 0 },
    { "a newer grant registered", 7, 5, 2, 33, true, false, false, 0, STO_OWN_REASON_STALE, 0 },
    { "the same generation elsewhere", 0, 0, 7, 17, true, false, false, 0, STO_OWN_REASON_NONE,
      17 },
    { "held by the same generation", 7, 17, 0, 0, true, false, false, 0, STO_OWN_REASON_STALE, 0 },
    { "an own newer grant", 3, 40, 0, 0, true, false, false, 0, STO_OWN_REASON_STALE, 0 },
    { "own key of this grant", 3, 17, 0, 0, false, false, false, 0, STO_OWN_REASON_NONE, 18 },
    { "own key within the block", 0, 0, 3, 31, false, false, false, 0, STO_OWN_REASON_NONE, 32 },
    { "own key at the block's end", 3, 32, 0, 0, false, false, false, 0,
      STO_OWN_REASON_GENERATIONS_USED, 0 },
    { "a stranger holds", FOREIGN, 1, 0, 0, true, false, false, 0, STO_OWN_REASON_FOREIGN_KEY, 0 },
    { "a stranger is registered", 7, 5, FOREIGN, 1, true, false, false, 0,
      STO_OWN_REASON_FOREIGN_KEY, 0 },
    { "a stranger holds, forced", FOREIGN, 1, 0, 0, true, true, false, 0, STO_OWN_REASON_NONE, 17 },
    { "a stranger is registered, forced", 0, 0, FOREIGN, 1, true, true, false, 0,
      STO_OWN_REASON_NONE, 17 },
    { "the expected holder", 7, 5, 0, 0, true, false, true, 5, STO_OWN_REASON_NONE, 17 },
    { "another holder than expected", 7, 5, 0, 0, true, false, true, 4, STO_OWN_REASON_UNEXPECTED,
      0 },
    { "held, expected free", 7, 5, 0, 0, true, false, true, 0, STO_OWN_REASON_UNEXPECTED, 0 },
    { "free, expected held", 0, 0, 0, 0, true, false, true, 5, STO_OWN_REASON_UNEXPECTED, 0 },
    { "free, as expected", 0, 0, 0, 0, true, false, true, 0, STO_OWN_REASON_NONE, 17 },
};

static uint64_t key_of(uint16_t node, uint32_t generation)
{
    return node == FOREIGN ? 0xabcdef0000000000 + generation : machine_key(node, generation);
}

static void judges_keys(void)
{
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sto_own_grant grant = { .generation = 17,
                                       .takeover = rows[i].takeover,
                                       .force_foreign = rows[i].force,
                                       .expected_set = rows[i].expected_set };
        bool owned = rows[i].reason == STO_OWN_REASON_NONE;
        bool good;

        machine_init(&m);
        if (rows[i].holder != 0)
            machine_held_by(&m, key_of(rows[i].holder_node, rows[i].holder));
        if (rows[i].other != 0)
            m.others[m.other_count++] = key_of(rows[i].other_node, rows[i].other);
        if (rows[i].expected != 0)
            grant.expected_key = machine_key(MACHINE_OTHER, rows[i].expected);
        CU_ASSERT_EQUAL(machine_grant(&m, &grant), 0);
        machine_run(&m);
        good = owned ? machine_is_sound(&m) && sto_own_generation(m.own) == rows[i].generation &&
                           m.other_count == 0
                     : machine_ended(&m, STO_OWN_NOTICE_REFUSED, rows[i].reason) && m.mine == 0;
        CU_ASSERT_TRUE(good);
        if (!good)
            printf("# %s: %s\n", rows[i].what, sto_own_reason_name(m.last.reason));
        machine_fini(&m);
    }
}

/* The compare-and-swap is about the first look: our own PREEMPT whose answer got lost is no other
 * holder. */
static void knows_its_own_takeover(void)
{
    for (int executed = 0; executed <= 1; executed++) {
        struct sto_own_grant grant = { .generation = 17, .takeover = true, .expected_set = true };

        machine_init(&m);
        grant.expected_key = machine_key(MACHINE_OTHER, 5);
        machine_held_by(&m, grant.expected_key);
        CU_ASSERT_EQUAL(machine_grant(&m, &grant), 0);
        CU_ASSERT_TRUE(machine_until_pr(&m, STO_PR_PREEMPT));
        machine_answer(&m, &(struct machine_answer) { .rc = STO_UNKNOWN, .executed = executed });
        machine_run(&m);
        CU_ASSERT_TRUE(machine_is_sound(&m));
        CU_ASSERT_EQUAL(sto_own_generation(m.own), 18);
        machine_fini(&m);
    }
}

/* --- records --- */

static void given_record(uint16_t node, uint32_t generation)
{
    machine_init(&m);
    m.record.state = STO_RECORD_OWNED;
    m.record.node = node;
    m.record.generation = generation;
}

static void ends_as(bool takeover, bool force, enum sto_own_reason reason)
{
    CU_ASSERT_EQUAL(machine_grant(&m, &(struct sto_own_grant) { .generation = 17,
                                                                .takeover = takeover,
                                                                .force_foreign = force }),
                    0);
    machine_run(&m);
    CU_ASSERT_TRUE(reason == STO_OWN_REASON_NONE
                       ? machine_is_sound(&m)
                       : machine_ended(&m, STO_OWN_NOTICE_REFUSED, reason));
}

static void judges_generations_of_records(void)
{
    given_record(MACHINE_OTHER, 5); /* its target lost the reservation: still not ours to claim */
    ends_as(false, false, STO_OWN_REASON_HELD);
    machine_fini(&m);

    given_record(MACHINE_OTHER, 5);
    ends_as(true, false, STO_OWN_REASON_NONE);
    machine_fini(&m);

    given_record(MACHINE_OTHER, 17); /* a free LUN is refused before it is touched */
    ends_as(true, false, STO_OWN_REASON_STALE);
    CU_ASSERT_EQUAL(m.last.generation, 17);
    CU_ASSERT_EQUAL(sto_own_registered_ns(m.own), 0);
    machine_fini(&m);

    given_record(MACHINE_OTHER, 40); /* a held one when the record can be read */
    machine_held_by(&m, machine_key(MACHINE_OTHER, 5));
    ends_as(true, false, STO_OWN_REASON_STALE);
    CU_ASSERT_TRUE(m.held); /* and the reservation stays: nothing else stops old writes */
    machine_fini(&m);

    given_record(MACHINE_NODE, 20); /* an earlier process of ours under this grant */
    ends_as(false, false, STO_OWN_REASON_NONE);
    CU_ASSERT_EQUAL(sto_own_generation(m.own), 21);
    machine_fini(&m);

    given_record(MACHINE_NODE, 20);
    machine_held_by(&m, machine_key(MACHINE_NODE, 5));
    ends_as(true, false, STO_OWN_REASON_NONE);
    CU_ASSERT_EQUAL(sto_own_generation(m.own), 21);
    machine_fini(&m);

    given_record(MACHINE_NODE, 32);
    ends_as(false, false, STO_OWN_REASON_GENERATIONS_USED);
    machine_fini(&m);

    given_record(MACHINE_NODE, 33);
    ends_as(false, false, STO_OWN_REASON_STALE);
    machine_fini(&m);
}

static void judges_whose_record_it_is(void)
{
    given_record(MACHINE_OTHER, 5);
    m.record.cluster_uuid[0] ^= 1;
    ends_as(true, false, STO_OWN_REASON_FOREIGN_RECORD);
    machine_fini(&m);

    given_record(MACHINE_OTHER, 99); /* forced: whatever generation it says */
    m.record.cluster_uuid[0] ^= 1;
    m.record.vm_uuid[3] = 7;
    ends_as(true, true, STO_OWN_REASON_NONE);
    CU_ASSERT_EQUAL(memcmp(m.record.cluster_uuid, m.config.cluster_uuid, 16), 0);
    CU_ASSERT_EQUAL(m.record.vm_uuid[3], 0); /* a VM of theirs means nothing here */
    machine_fini(&m);

    given_record(MACHINE_OTHER, 5);
    memcpy(m.record.wwid, "naa.2", 6);
    ends_as(true, false, STO_OWN_REASON_COPY);
    machine_fini(&m);

    given_record(MACHINE_OTHER, 5);
    memcpy(m.record.wwid, "naa.2", 6);
    m.record.vm_uuid[3] = 7;
    ends_as(true, true, STO_OWN_REASON_NONE);
    CU_ASSERT_STRING_EQUAL(m.record.wwid, "naa.1");
    CU_ASSERT_EQUAL(m.record.vm_uuid[3], 0); /* the original is that VM's, not the copy */
    machine_fini(&m);

    given_record(MACHINE_OTHER, 5); /* a LUN without a name is not the one that had it */
    m.wwid = NULL;
    memcpy(m.record.wwid, "naa.2", 6);
    ends_as(true, false, STO_OWN_REASON_COPY);
    machine_fini(&m);

    given_record(MACHINE_OTHER, 5); /* forced, once: the record names it no more */
    m.wwid = NULL;
    memcpy(m.record.wwid, "naa.2", 6);
    ends_as(true, true, STO_OWN_REASON_NONE);
    CU_ASSERT_STRING_EQUAL(m.record.wwid, "");
    machine_fini(&m);

    given_record(MACHINE_OTHER, 5); /* a record of no LUN in particular, a LUN without a name */
    m.wwid = NULL;
    ends_as(true, false, STO_OWN_REASON_NONE);
    machine_fini(&m);
}

static void judges_the_vm(void)
{
    given_record(MACHINE_OTHER, 5);
    m.config.vm_uuid[3] = 1;
    m.record.vm_uuid[3] = 2;
    ends_as(true, false, STO_OWN_REASON_WRONG_VM);
    machine_fini(&m);

    given_record(MACHINE_OTHER, 5);
    m.config.vm_uuid[3] = m.record.vm_uuid[3] = 2;
    ends_as(true, false, STO_OWN_REASON_NONE);
    machine_fini(&m);

    given_record(MACHINE_OTHER, 5); /* no VM yet */
    m.config.vm_uuid[3] = 1;
    ends_as(true, false, STO_OWN_REASON_NONE);
    machine_fini(&m);

    given_record(MACHINE_OTHER, 5); /* whatever it says */
    m.record.vm_uuid[3] = 1;
    ends_as(true, false, STO_OWN_REASON_NONE);
    CU_ASSERT_EQUAL(m.record.vm_uuid[3], 1);
    machine_fini(&m);
}

/* The nexus outlived us: registered with a key of before, or with one that nobody shows. */
static void registers_over_its_past(void)
{
    machine_init(&m);
    CU_ASSERT_EQUAL(machine_start(&m, 17, false), 0);
    CU_ASSERT_TRUE(machine_until(&m, STO_OWN_IDENTIFY));
    m.mine = machine_key(MACHINE_NODE, 2);
    m.others[m.other_count++] = machine_key(MACHINE_NODE, 9);
    machine_run(&m);
    CU_ASSERT_TRUE(machine_is_sound(&m));
    CU_ASSERT_EQUAL(m.other_count, 0);
    machine_fini(&m);

    machine_init(&m);
    CU_ASSERT_EQUAL(machine_start(&m, 17, false), 0);
    while (machine_until_pr(&m, STO_PR_REGISTER))
        machine_answer(&m, &(struct machine_answer) { .rc = STO_CONFLICT });
    machine_run(&m);
    CU_ASSERT_TRUE(machine_ended(&m, STO_OWN_NOTICE_REFUSED, STO_OWN_REASON_REGISTERED_ELSEHOW));
    machine_fini(&m);
}

/* Our key, but not as it has to be: the wrong type, or all registrants hold. */
static void mends_the_reservation(void)
{
    machine_init(&m);
    CU_ASSERT_EQUAL(machine_start(&m, 17, false), 0);
    CU_ASSERT_TRUE(machine_until_pr(&m, STO_PR_RESERVE));
    m.held = m.holds = true;
    m.type = STO_PR_WRITE_EXCLUSIVE;
    machine_answer(&m, &(struct machine_answer) { .rc = STO_CONFLICT });
    CU_ASSERT_TRUE(machine_until_pr(&m, STO_PR_PREEMPT));
    CU_ASSERT_EQUAL(m.command.request.service_key, m.command.request.key);
    machine_run(&m);
    CU_ASSERT_TRUE(machine_is_sound(&m));
    machine_fini(&m);

    machine_init(&m);
    m.held = true;
    m.type = STO_PR_EXCLUSIVE_ACCESS_ALL;
    ends_as(true, false, STO_OWN_REASON_FOREIGN_KEY);
    machine_fini(&m);
}

const struct unit_case unit_cases[] = {
    { "keys and holders", judges_keys },
    { "a takeover whose answer got lost is the expected one", knows_its_own_takeover },
    { "generations of records", judges_generations_of_records },
    { "records of other clusters and LUNs", judges_whose_record_it_is },
    { "records of other VMs", judges_the_vm },
    { "a nexus that is registered already", registers_over_its_past },
    { "a reservation that is ours but not right", mends_the_reservation },
    { 0 },
};
