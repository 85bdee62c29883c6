/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The LUNs of one VM: lead first, all or none. */
#include "config.h"

#include "storage/sto_set.h"

#include <errno.h>
#include <string.h>

#include "common/hw_prng.h"
#include "unit.h"

static const char *const wwids[] = { "naa.6003", "naa.6001", "naa.6002" };

static struct sto_set three(void)
{
    struct sto_set set;

    CU_ASSERT_EQUAL(sto_set_init(&set, wwids, 3), 0);
    return set;
}

static void lead_is_the_same_everywhere(void)
{
    const char *const other_order[] = { "naa.6002", "naa.6003", "naa.6001" };
    const char *const twice[] = { "naa.6002", "naa.6001", "naa.6002" };
    struct sto_set set = three(), other;

    CU_ASSERT_EQUAL(set.order[0], 1);
    CU_ASSERT_EQUAL(sto_set_init(&other, other_order, 3), 0);
    CU_ASSERT_EQUAL(other.order[0], 2);
    CU_ASSERT_EQUAL(sto_set_init(&other, twice, 3), -EEXIST);
    CU_ASSERT_EQUAL(sto_set_init(&other, wwids, 0), -EINVAL);
    CU_ASSERT_EQUAL(sto_set_init(&other, wwids, STO_SET_LUNS + 1), -EINVAL);
}

static void expect(const struct sto_set_actions *actions, unsigned at,
                   enum sto_set_action_kind kind, unsigned lun)
{
    CU_ASSERT_FATAL(at < actions->count);
    CU_ASSERT_EQUAL(actions->items[at].kind, kind);
    CU_ASSERT_EQUAL(actions->items[at].lun, lun);
}

static void opens_only_when_all_are_owned(void)
{
    struct sto_set set = three();
    struct sto_set_actions actions;

    CU_ASSERT_EQUAL(sto_set_start(&set, &actions), 0);
    CU_ASSERT_EQUAL(actions.count, 2);
    expect(&actions, 0, STO_SET_HOLD, 0);
    expect(&actions, 1, STO_SET_START, 1);
    sto_set_notice(&set, 2, STO_OWN_NOTICE_OWNED, STO_OWN_REASON_NONE, &actions);
    CU_ASSERT_EQUAL(actions.count, 0); /* nobody started it */
    sto_set_notice(&set, 1, STO_OWN_NOTICE_OWNED, STO_OWN_REASON_NONE, &actions);
    CU_ASSERT_EQUAL(actions.count, 1);
    expect(&actions, 0, STO_SET_START, 2);
    sto_set_notice(&set, 1, STO_OWN_NOTICE_SUSPENDED, STO_OWN_REASON_UNREACHABLE, &actions);
    sto_set_notice(&set, 1, STO_OWN_NOTICE_OWNED, STO_OWN_REASON_NONE, &actions);
    CU_ASSERT_EQUAL(actions.count, 0); /* its reconnect changes nothing */
    sto_set_notice(&set, 2, STO_OWN_NOTICE_OWNED, STO_OWN_REASON_NONE, &actions);
    expect(&actions, 0, STO_SET_START, 0);
    CU_ASSERT_EQUAL(set.state, STO_SET_CLAIMING);
    sto_set_notice(&set, 0, STO_OWN_NOTICE_OWNED, STO_OWN_REASON_NONE, &actions);
    expect(&actions, 0, STO_SET_OPEN, 0);
    CU_ASSERT_EQUAL(set.state, STO_SET_OWNED);
    CU_ASSERT_EQUAL(sto_set_start(&set, &actions), -EALREADY);
}

static void gives_back_what_it_won_lead_last(void)
{
    struct sto_set set = three();
    struct sto_set_actions actions;

    CU_ASSERT_EQUAL(sto_set_start(&set, &actions), 0);
    sto_set_notice(&set, 1, STO_OWN_NOTICE_OWNED, STO_OWN_REASON_NONE, &actions);
    sto_set_notice(&set, 2, STO_OWN_NOTICE_OWNED, STO_OWN_REASON_NONE, &actions);
    sto_set_notice(&set, 0, STO_OWN_NOTICE_REFUSED, STO_OWN_REASON_STALE, &actions);
    CU_ASSERT_EQUAL(actions.count, 1);
    expect(&actions, 0, STO_SET_HAND_OVER, 2);
    sto_set_notice(&set, 2, STO_OWN_NOTICE_HANDED, STO_OWN_REASON_NONE, &actions);
    expect(&actions, 0, STO_SET_HAND_OVER, 1);
    sto_set_notice(&set, 1, STO_OWN_NOTICE_LOST, STO_OWN_REASON_CONFLICTED, &actions);
    CU_ASSERT_EQUAL(actions.count, 1);
    expect(&actions, 0, STO_SET_TELL, 0);
    CU_ASSERT_EQUAL(actions.items[0].state, STO_SET_IDLE);
    CU_ASSERT_EQUAL(actions.items[0].reason, STO_OWN_REASON_STALE);
    CU_ASSERT_EQUAL(sto_set_start(&set, &actions), 0);
}

static void a_refused_lead_ends_it(void)
{
    struct sto_set set = three();
    struct sto_set_actions actions;

    CU_ASSERT_EQUAL(sto_set_start(&set, &actions), 0);
    sto_set_notice(&set, 1, STO_OWN_NOTICE_REFUSED, STO_OWN_REASON_HELD, &actions);
    CU_ASSERT_EQUAL(actions.count, 1);
    expect(&actions, 0, STO_SET_TELL, 1);
    CU_ASSERT_EQUAL(set.state, STO_SET_IDLE);
}

static void one_lost_holds_all(void)
{
    struct sto_set set = three();
    struct sto_set_actions actions;

    CU_ASSERT_EQUAL(sto_set_start(&set, &actions), 0);
    for (unsigned i = 0; i < 3; i++)
        sto_set_notice(&set, set.order[i], STO_OWN_NOTICE_OWNED, STO_OWN_REASON_NONE, &actions);
    sto_set_notice(&set, 2, STO_OWN_NOTICE_LOST, STO_OWN_REASON_CONFLICTED, &actions);
    CU_ASSERT_EQUAL(actions.count, 2);
    expect(&actions, 0, STO_SET_HOLD, 0);
    expect(&actions, 1, STO_SET_TELL, 2);
    CU_ASSERT_EQUAL(set.state, STO_SET_LOST);
    sto_set_notice(&set, 0, STO_OWN_NOTICE_LOST, STO_OWN_REASON_CONFLICTED, &actions);
    CU_ASSERT_EQUAL(actions.count, 0);
}

static void lost_on_the_way(void)
{
    struct sto_set set = three();
    struct sto_set_actions actions;

    CU_ASSERT_EQUAL(sto_set_start(&set, &actions), 0);
    sto_set_notice(&set, set.order[0], STO_OWN_NOTICE_OWNED, STO_OWN_REASON_NONE, &actions);
    sto_set_notice(&set, set.order[0], STO_OWN_NOTICE_LOST, STO_OWN_REASON_CONFLICTED, &actions);
    CU_ASSERT_EQUAL(actions.count, 3);
    expect(&actions, 0, STO_SET_HOLD, 0);
    expect(&actions, 1, STO_SET_REVOKE, set.order[1]);
    expect(&actions, 2, STO_SET_TELL, set.order[0]);
    CU_ASSERT_EQUAL(set.state, STO_SET_LOST);
    sto_set_notice(&set, set.order[1], STO_OWN_NOTICE_REFUSED, STO_OWN_REASON_REVOKED, &actions);
    CU_ASSERT_EQUAL(actions.count, 0);
    CU_ASSERT_EQUAL(set.reason, STO_OWN_REASON_CONFLICTED);
}

/* All go on under the next grant, also the one that is on its way. */
static void used_up_on_the_way(void)
{
    struct sto_set set = three();
    struct sto_set_actions actions;

    CU_ASSERT_EQUAL(sto_set_start(&set, &actions), 0);
    sto_set_notice(&set, set.order[0], STO_OWN_NOTICE_OWNED, STO_OWN_REASON_NONE, &actions);
    sto_set_notice(&set, set.order[0], STO_OWN_NOTICE_LOST, STO_OWN_REASON_GENERATIONS_USED,
                   &actions);
    CU_ASSERT_EQUAL(actions.count, 2);
    expect(&actions, 0, STO_SET_HOLD, 0);
    expect(&actions, 1, STO_SET_TELL, set.order[0]);
    sto_set_notice(&set, set.order[1], STO_OWN_NOTICE_OWNED, STO_OWN_REASON_NONE, &actions);
    CU_ASSERT_EQUAL(actions.count, 0);
    CU_ASSERT_EQUAL(set.state, STO_SET_LOST);
}

static void gives_up_in_order(void)
{
    struct sto_set set = three();
    struct sto_set_actions actions;

    sto_set_give(&set, true, 0, &actions);
    CU_ASSERT_EQUAL(actions.count, 0);
    CU_ASSERT_EQUAL(sto_set_start(&set, &actions), 0);
    for (unsigned i = 0; i < 3; i++)
        sto_set_notice(&set, set.order[i], STO_OWN_NOTICE_OWNED, STO_OWN_REASON_NONE, &actions);
    sto_set_give(&set, true, 0, &actions);
    expect(&actions, 0, STO_SET_RELEASE, 0);
    sto_set_notice(&set, 0, STO_OWN_NOTICE_LEFT, STO_OWN_REASON_RELEASED, &actions);
    expect(&actions, 0, STO_SET_RELEASE, 2);
    sto_set_notice(&set, 2, STO_OWN_NOTICE_LEFT, STO_OWN_REASON_RELEASED, &actions);
    expect(&actions, 0, STO_SET_RELEASE, 1);
    sto_set_notice(&set, 1, STO_OWN_NOTICE_LEFT, STO_OWN_REASON_RELEASED, &actions);
    expect(&actions, 0, STO_SET_TELL, 0);
    CU_ASSERT_EQUAL(set.state, STO_SET_IDLE);
}

/* Two nodes race for three LUNs, each LUN slow for another node: one wins all, the other none. */
enum { NODES = 2, LUNS = 3 };

struct race {
    struct sto_set set[NODES];
    int holder[LUNS];  /* node, or -1 */
    int trying[NODES]; /* LUN, or -1 */
    int giving[NODES];
    bool open[NODES];
    struct hw_prng prng;
};

static void obey(struct race *race, int node, const struct sto_set_actions *actions)
{
    for (unsigned i = 0; i < actions->count; i++) {
        const struct sto_set_action *action = &actions->items[i];

        if (action->kind == STO_SET_START)
            race->trying[node] = (int)action->lun;
        else if (action->kind == STO_SET_HAND_OVER)
            race->giving[node] = (int)action->lun;
        else if (action->kind == STO_SET_OPEN)
            race->open[node] = true;
        else if (action->kind == STO_SET_HOLD)
            race->open[node] = false;
    }
}

static void race_step(struct race *race, int node)
{
    struct sto_set_actions actions = { 0 };
    int lun = race->trying[node];

    if (race->giving[node] >= 0) {
        lun = race->giving[node];
        race->giving[node] = -1;
        race->holder[lun] = -1;
        sto_set_notice(&race->set[node], (unsigned)lun, STO_OWN_NOTICE_HANDED, STO_OWN_REASON_NONE,
                       &actions);
    } else if (lun >= 0) {
        bool free = race->holder[lun] < 0;

        race->trying[node] = -1;
        if (free)
            race->holder[lun] = node;
        sto_set_notice(&race->set[node], (unsigned)lun,
                       free ? STO_OWN_NOTICE_OWNED : STO_OWN_NOTICE_REFUSED,
                       free ? STO_OWN_REASON_NONE : STO_OWN_REASON_HELD, &actions);
    }
    obey(race, node, &actions);
}

static void two_nodes_never_split_it(void)
{
    for (uint64_t seed = 1; seed <= 500; seed++) {
        struct race race = { .holder = { -1, -1, -1 },
                             .trying = { -1, -1 },
                             .giving = { -1, -1 },
                             .prng = hw_prng_seeded(seed) };
        struct sto_set_actions actions;

        for (int node = 0; node < NODES; node++) {
            race.set[node] = three();
            CU_ASSERT_EQUAL(sto_set_start(&race.set[node], &actions), 0);
            obey(&race, node, &actions);
        }
        for (unsigned step = 0; step < 40; step++)
            race_step(&race, (int)hw_prng_below(&race.prng, NODES));
        for (unsigned step = 0; step < 20; step++)
            race_step(&race, (int)(step % NODES));
        CU_ASSERT_EQUAL((int)race.open[0] + (int)race.open[1], 1);
        for (int lun = 0; lun < LUNS; lun++)
            CU_ASSERT_EQUAL(race.holder[lun], race.open[0] ? 0 : 1);
    }
}

const struct unit_case unit_cases[] = {
    { "the lead is the same on every node, a LUN twice is refused", lead_is_the_same_everywhere },
    { "gates open only when all LUNs are owned", opens_only_when_all_are_owned },
    { "what was won is given back, lead last", gives_back_what_it_won_lead_last },
    { "a refused lead ends the claim", a_refused_lead_ends_it },
    { "one lost LUN holds all", one_lost_holds_all },
    { "giving up goes lead last", gives_up_in_order },
    { "lost while another is on its way: that one is undone", lost_on_the_way },
    { "a grant used up while another is on its way", used_up_on_the_way },
    { "two nodes never split a VM's LUNs", two_nodes_never_split_it },
    { NULL, NULL },
};
