/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/sto_fault_rules: the rules' language, and which operation of which kind a rule is for.
 */
#include <config.h>

#include "storage/sto_fault_rules.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/unit.h"

static const struct sto_fault_rule *match(struct sto_fault_rules *rules, enum sto_op_kind kind)
{
    struct sto_op op = { .kind = kind };

    return sto_fault_match(rules, &op);
}

/* Which of ten writes a rule fires for, as bits. */
static unsigned fires(const char *text)
{
    struct sto_fault_rules rules;
    unsigned bits = 0;

    CU_ASSERT_EQUAL_FATAL(sto_fault_parse(text, &rules, NULL), 0);
    for (unsigned i = 0; i < 10; i++) {
        CU_ASSERT_PTR_NULL(match(&rules, STO_OP_FLUSH)); /* not counted, not met */
        if (match(&rules, STO_OP_WRITE) != NULL)
            bits |= 1u << i;
    }
    return bits;
}

static void chooses_by_number(void)
{
    CU_ASSERT_EQUAL(fires(""), 0);
    CU_ASSERT_EQUAL(fires("fail:write"), 0x3ff);
    CU_ASSERT_EQUAL(fires("fail:write:*"), 0x3ff);
    CU_ASSERT_EQUAL(fires("fail:write:1"), 0x001);
    CU_ASSERT_EQUAL(fires("fail:write:3"), 0x004);
    CU_ASSERT_EQUAL(fires("fail:write:9-"), 0x300);
    CU_ASSERT_EQUAL(fires("fail:write:2-4"), 0x00e);
    CU_ASSERT_EQUAL(fires("fail:read:*"), 0);
    CU_ASSERT_EQUAL(fires("fail:write:1+hang:write:4"), 0x009);
}

static void any_counts_all_kinds(void)
{
    struct sto_fault_rules rules;

    CU_ASSERT_EQUAL_FATAL(sto_fault_parse("ua:*:2:2a03+fail:any:3", &rules, NULL), 0);
    CU_ASSERT_PTR_NULL(match(&rules, STO_OP_READ));
    CU_ASSERT_EQUAL(match(&rules, STO_OP_FLUSH)->action, STO_FAULT_UNIT_ATTENTION);
    CU_ASSERT_EQUAL(match(&rules, STO_OP_WRITE)->action, STO_FAULT_FAIL);
    CU_ASSERT_PTR_NULL(match(&rules, STO_OP_WRITE));
    CU_ASSERT_EQUAL(rules.rules[0].argument, 0x2a03);
}

static void the_first_rule_wins_and_all_count(void)
{
    struct sto_fault_rules rules;

    CU_ASSERT_EQUAL_FATAL(sto_fault_parse("busy:write:1+fail:write:1-2", &rules, NULL), 0);
    CU_ASSERT_EQUAL(match(&rules, STO_OP_WRITE)->action, STO_FAULT_BUSY);
    CU_ASSERT_EQUAL(match(&rules, STO_OP_WRITE)->action, STO_FAULT_FAIL);
    CU_ASSERT_PTR_NULL(match(&rules, STO_OP_WRITE));
}

static void reads_arguments(void)
{
    struct sto_fault_rules rules;

    CU_ASSERT_EQUAL_FATAL(
        sto_fault_parse("delay:read:50ms+delay:write:2-:3s+torn:write:2:512+hang:lun-reset:1+"
                        "ua:scsi",
                        &rules, NULL),
        0);
    CU_ASSERT_EQUAL(rules.count, 5);
    CU_ASSERT_EQUAL(rules.rules[0].argument, 50000000);
    CU_ASSERT_EQUAL(rules.rules[0].last, UINT64_MAX);
    CU_ASSERT_EQUAL(rules.rules[1].argument, 3000000000);
    CU_ASSERT_EQUAL(rules.rules[1].first, 2);
    CU_ASSERT_EQUAL(rules.rules[2].argument, 512);
    CU_ASSERT_EQUAL(rules.rules[3].kind, STO_OP_LUN_RESET);
    CU_ASSERT_EQUAL(rules.rules[4].argument, 0x2900);
}

static void refuses_and_names_the_rule(void)
{
    static const char *const bad[] = {
        "fail",
        "fail:",
        "explode:write",
        "fail:writ:1",
        "fail:write:0",
        "fail:write:x",
        "fail:write:3-2",
        "fail:write:1:2",
        "delay:read",
        "delay:read:1",
        "delay:read:1:5",
        "delay:read:1:5m",
        "torn:write:1",
        "torn:write:1:x",
        "ua:write:1:29",
        "ua:write:1:29xx",
        "fail:write:1:2:3",
        "+",
        "fail:write:1++fail:write:2",
        "fail:write:99999999999999999999999",
        "delay:read:99999999999999s",
    };

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct sto_fault_rules rules = { .count = 77 };
        struct hw_error error = { 0 };

        CU_ASSERT_EQUAL(sto_fault_parse(bad[i], &rules, &error), -EINVAL);
        CU_ASSERT_EQUAL(rules.count, 77);
        CU_ASSERT_NOT_EQUAL(error.reason[0], '\0');
    }
}

static void too_many_are_refused(void)
{
    char text[STO_FAULT_RULES * 12 + 24] = "";
    struct sto_fault_rules rules;

    for (unsigned i = 0; i < STO_FAULT_RULES; i++)
        strcat(text, i == 0 ? "fail:any" : "+fail:any");
    CU_ASSERT_EQUAL(sto_fault_parse(text, &rules, NULL), 0);
    strcat(text, "+fail:any");
    CU_ASSERT_EQUAL(sto_fault_parse(text, &rules, NULL), -EINVAL);
}

const struct unit_case unit_cases[] = {
    { "operations are chosen by number", chooses_by_number },
    { "`any` counts all kinds together", any_counts_all_kinds },
    { "the first rule wins, all count", the_first_rule_wins_and_all_count },
    { "arguments are read", reads_arguments },
    { "wrong rules are refused", refuses_and_names_the_rule },
    { "too many rules are refused", too_many_are_refused },
    { 0 },
};
