/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clusterd/core/core_config, clusterd/core/core_config_keys, clusterd/core/core_config_print,
 * clusterd/core/core_config_check, clusterd/core/core_line: what is printed parses to the same, and
 * what is wrong is refused with its line and a remedy.
 */
#include <config.h>

#include "clusterd/core/core_config.h"

#include "clusterd/core/core_snapshot.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char lab[] =
    "# a lab\n"
    "cluster lab losses=1 lease=storage failback=on witness=l9\n"
    "node n2 id=2 memory=4G cpus=4\n"
    "node n1 id=1 address=10.77.0.1,10.78.0.1 \\\n"
    "     votes=1 memory=4096M cpus=4\n"
    "lun l1 url=iscsi://10.77.0.100/iqn.2026-11.lab:san/1 max-memory=256M\n"
    "lun l2 url=file:/a\nlun l9 url=file:/b secret-file=/etc/s\n"
    "vm web1 disk=l1 memory=128M wanted=running priority=-10 on-drain=shutdown restarts=3 "
    "kernel=/k append=\"a \\\"b\\\" \\\\ #c\" net=bridge:br0,mac:02:00:00:00:00:01\n"
    "vm db1 disk=l2 memory=64M cpus=2 failback=off\n"
    "prefer web1 n2=50 n1=100 strict\navoid db1 n1\n"
    "together web1 db1\norder db1 web1 strict\n"
    "fence f1 agent=fence_ipmilan nodes=n2,n1 ip=10.0.0.1 username=\"a b\" secret-file=/x\n";

static const char printed[] =
    "cluster lab lease=storage losses=1 failback=on witness=l9\n"
    "node n1 id=1 address=10.77.0.1,10.78.0.1 memory=4096M cpus=4\n"
    "node n2 id=2 memory=4096M cpus=4\n"
    "lun l1 url=iscsi://10.77.0.100/iqn.2026-11.lab:san/1 max-memory=256M\n"
    "lun l2 url=file:/a\n"
    "lun l9 url=file:/b secret-file=/etc/s\n"
    "vm db1 disk=l2 memory=64M cpus=2 failback=off\n"
    "vm web1 disk=l1 memory=128M wanted=running priority=-10 on-drain=shutdown kernel=/k "
    "append=\"a \\\"b\\\" \\\\ #c\" net=bridge:br0,mac:02:00:00:00:00:01\n"
    "avoid db1 n1\n"
    "order db1 web1 strict\n"
    "prefer web1 n1=100 n2=50 strict\n"
    "together db1 web1\n"
    "fence f1 agent=fence_ipmilan nodes=n1,n2 ip=10.0.0.1 secret-file=/x username=\"a b\"\n";

static int parse(const char *text, struct core_state *ret_state, struct hw_error *error)
{
    if (error != NULL)
        hw_error_clear(error);
    return core_config_parse(text, strlen(text), ret_state, error);
}

static void what_is_printed_is_the_same(void)
{
    struct core_state state, again;
    uint64_t hash, other;
    char *text = NULL;

    CU_ASSERT_EQUAL_FATAL(parse(lab, &state, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(core_config_print(&state, &text), 0);
    CU_ASSERT_STRING_EQUAL(text, printed);
    CU_ASSERT_EQUAL_FATAL(parse(text, &again, NULL), 0);
    CU_ASSERT_EQUAL(core_state_hash(&state, &hash), 0);
    CU_ASSERT_EQUAL(core_state_hash(&again, &other), 0);
    CU_ASSERT_EQUAL(hash, other);
    CU_ASSERT_EQUAL(core_vm_find(&state, "web1")->restarts, 3);
    CU_ASSERT_EQUAL(core_vm_find(&state, "web1")->priority, -10);
    CU_ASSERT_EQUAL(core_node_find(&state, "n2")->votes, 1);
    CU_ASSERT_STRING_EQUAL(core_vm_find(&state, "web1")->append, "a \"b\" \\ #c");
    free(text);
    core_state_free(&again);
    core_state_free(&state);
}

static void nothing_is_a_configuration_too(void)
{
    struct core_state state;
    char *text = NULL;

    CU_ASSERT_EQUAL_FATAL(parse("\n # only this\n\n", &state, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(core_config_print(&state, &text), 0);
    CU_ASSERT_STRING_EQUAL(text, "");
    free(text);
    core_state_free(&state);
}

#define BASE                                                     \
    "node n1 id=1 memory=1G\nnode n2 id=2 memory=1G\n"           \
    "lun l1 url=a max-memory=128M\nlun l2 url=b\nlun l3 url=c\n" \
    "vm a disk=l1 memory=128M\nvm b disk=l2 memory=128M\nvm c disk=l3 memory=1M\n"

static void what_is_wrong_is_refused(void)
{
    static const struct {
        const char *text;
        const char *object, *reason;
    } bad[] = {
        { "nodes n1", "line 1: nodes n1", "is no kind of object" },
        { "\n\nnode n1 id=1", "line 3: node n1", "lacks memory" },
        { "node n1 id=0 memory=1M", "line 1: node n1", "out of range: id=0" },
        { "node n1 id=65536 memory=1M", "line 1: node n1", "out of range: id=65536" },
        { "node n1 id=1 id=1 memory=1M", "line 1: node n1", "key given twice: id=1" },
        { "node n1 id=1 memory=1M colour=red", "line 1: node n1", "unknown key colour=red" },
        { "node n1 id=1 memory=1M fast", "line 1: node n1", "expects KEY=VALUE, not fast" },
        { "node n1 id=1 memory=1000K", "line 1: node n1", "bad value: memory=1000K" },
        { "node n1 id=1 memory=", "line 1: node n1", "bad value: memory=" },
        { "node n/1 id=1 memory=1M", "line 1: node n/1", "has no valid name" },
        { "node", "line 1: node ", "has no valid name" },
        { "cluster a\ncluster b", "line 2: cluster b", "is the second cluster line" },
        { "cluster a lease=none", "line 1: cluster a", "bad value: lease=none" },
        { "cluster a failback=default", "line 1: cluster a", "bad value: failback=default" },
        { "cluster a witness=l1", "a", "has a witness that is not there: l1" },
        { "vm a disk=l1,l1 memory=1M", "line 1: vm a", "bad value: disk=l1,l1" },
        { "vm a disk=l1, memory=1M", "line 1: vm a", "bad value: disk=l1," },
        { "vm a disk=l1 memory=1M priority=--1", "line 1: vm a", "bad value: priority=--1" },
        { "vm a disk=l1 memory=1M", "a", "has a disk that is not there: l1" },
        { "vm a disk=l1 memory=1M \"", "line 1", "cannot be read as words" },
        { "vm a disk=l1 memory=1M x=\001", "line 1", "cannot be read as words" },
        { "vm a \\x", "line 1", "cannot be read as words" },
        { BASE "node n3 id=2 memory=1M", "n3", "has the id of n2" },
        { BASE "vm d disk=l1 memory=1M", "a", "shares its disk with d" },
        { BASE "cluster c witness=l1", "a", "uses the witness as a disk: l1" },
        { BASE "vm a disk=l3 memory=1M", "line 9: vm a", "is there already" },
        { BASE "lun m url=m max-memory=1M\nvm d disk=m memory=2M", "d",
          "has more memory than is reserved to save it on m" },
        { BASE "lun m url=m\nvm d disk=m memory=2M max-memory=1M", "d",
          "has a max-memory below its memory" },
        { BASE "lun m url=m\nvm d disk=m memory=2M initrd=i", "d",
          "has initrd or append without kernel" },
        { BASE "lun m url=m\nvm d disk=m memory=2M kernel=k firmware=f", "d",
          "has both kernel and firmware" },
        { BASE "apart a", "line 9: apart a", "says too little" },
        { BASE "prefer a", "line 9: prefer a", "says too little" },
        { BASE "prefer a n1", "line 9: prefer a", "expects nodes, not n1" },
        { BASE "avoid a n1=5", "line 9: avoid a", "expects nodes, not n1=5" },
        { BASE "prefer a n1=0", "line 9: prefer a", "bad score: n1=0" },
        { BASE "avoid a n1 n1", "line 9: avoid a", "named twice, or no name: n1" },
        { BASE "apart a a", "line 9: apart a", "named twice: a" },
        { BASE "apart a b\napart b a", "line 10: apart b", "there is such a rule already" },
        { BASE "apart a x", "apart:a:x", "names a VM that is not there: x" },
        { BASE "avoid a n9", "avoid:a", "names a node that is not there: n9" },
        { BASE "apart a b c\ntogether c b", "together:b:c", "contradicts apart:a:b:c" },
        { BASE "prefer a n1=1\navoid a n1", "prefer:a", "contradicts avoid:a" },
        { BASE "order a b\norder b c\norder c a", "a", "waits for itself by order rules" },
        { BASE "fence f agent=x nodes=n9", "f", "fences a node that is not there: n9" },
        { BASE "fence f agent=x", "line 9: fence f", "lacks nodes" },
        { BASE "fence f agent=x nodes=n1 a=1 a=2", "line 9: fence f", "key given twice: a=2" },
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct core_state state;
        struct hw_error error;

        CU_ASSERT_EQUAL_FATAL(parse(bad[i].text, &state, &error), -EINVAL);
        CU_ASSERT_STRING_EQUAL(error.object, bad[i].object);
        CU_ASSERT_STRING_EQUAL(error.reason, bad[i].reason);
        CU_ASSERT(error.remedy[0] != '\0');
    }
}

static void what_is_right_passes(void)
{
    static const char *const good[] = {
        BASE "apart a b\ntogether b c\norder a b c",
        BASE "prefer a n1=1\navoid b n1\navoid a n2 strict",
        "cluster a failback=off lease=member parallel=4",
        BASE "order a b\norder a c\norder b c",
    };

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct core_state state;

        CU_ASSERT_EQUAL_FATAL(parse(good[i], &state, NULL), 0);
        core_state_free(&state);
    }
}

/* Rules whose names would be too long are still told apart, and stay the same. */
static void long_rules_have_names(void)
{
    static char text[8192];
    struct core_state state;
    size_t at = 0;

    for (unsigned i = 0; i < 12; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at,
                               "lun l%u url=x\nvm a-rather-long-name-of-a-vm-%02u disk=l%u "
                               "memory=1M\n",
                               i, i, i);
    for (unsigned i = 0; i < 11; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at,
                               "apart a-rather-long-name-of-a-vm-00 "
                               "a-rather-long-name-of-a-vm-%02u\n",
                               i + 1);
    CU_ASSERT_EQUAL_FATAL(parse(text, &state, NULL), 0);
    CU_ASSERT_EQUAL(state.rules.count, 11);
    core_state_free(&state);
}

static void a_failed_allocation_leaves_nothing(void)
{
    for (unsigned n = 0;; n++) {
        struct core_state state;
        char *text = NULL;
        int rc;

        fail_alloc_arm(n);
        rc = parse(lab, &state, NULL);
        if (rc == 0) {
            rc = core_config_print(&state, &text);
            core_state_free(&state);
        }
        free(text);
        if (!fail_alloc_disarm()) {
            CU_ASSERT_EQUAL(rc, 0);
            CU_ASSERT(n > 100);
            break;
        }
        CU_ASSERT_EQUAL_FATAL(rc, -ENOMEM);
    }
}

const struct unit_case unit_cases[] = {
    { "what is printed parses to the same", what_is_printed_is_the_same },
    { "nothing is a configuration too", nothing_is_a_configuration_too },
    { "what is wrong is refused with line and remedy", what_is_wrong_is_refused },
    { "what is right passes", what_is_right_passes },
    { "long rules have names", long_rules_have_names },
    { "a failed allocation leaves nothing behind", a_failed_allocation_leaves_nothing },
    { NULL, NULL },
};
