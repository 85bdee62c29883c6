/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The verbs of `hawser lun` on a file, from the words to exit status and output:
 * cli/cmd_lun_init cli/cmd_lun_show cli/cmd_lun_list cli/cmd_lun_verify cli/cmd_lun_import
 * cli/cmd_lun_bench cli/cmd_lun_scan cli/cmd_lun_own, on top of cli/lun_open cli/lun_owner
 * cli/lun_probe cli/lun_view cli/lun_wait. Real targets are in the lab (tests/lab/test_cli.sh).
 */
#include <config.h>

#include "common/hw_call.h"
#include "cli/lun_wait.h"
#include "cli/lun_owner.h"

#include "tests/unit/fail_alloc.h"
#include "tests/unit/iscsi_target.h"
#include "cli/verbs.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CLUSTER "6b1f0c5e-8f0a-4d1e-9d5a-0c2b7a3e4f11"

enum { WORDS_MOST = 16 };

static char path[64], url[96], image[64];
static char *out, *err;
static int fail_at = -1; /* the allocation of the verb that fails, -1 = none */
static bool failed;      /* it did */

/* Run "lun show URL ..." : "@" stands for the LUN's URL, "%" for the image. Exit status. */
static int hawser(const char *line)
{
    char copy[512], *words[WORDS_MOST], *rest = NULL;
    struct hw_call call = { 0 };
    struct hw_error error = { 0 };
    size_t out_bytes, err_bytes;
    int count = 0, status;

    free(out);
    free(err);
    snprintf(copy, sizeof(copy), "%s", line);
    for (char *word = strtok_r(copy, " ", &rest); word != NULL && count < WORDS_MOST;
         word = strtok_r(NULL, " ", &rest))
        words[count++] = strcmp(word, "@") == 0 ? url : strcmp(word, "%") == 0 ? image : word;
    CU_ASSERT_EQUAL_FATAL(hw_call_parse(&cli_program, count, words, &call, &error), 0);
    call.out = open_memstream(&out, &out_bytes);
    call.err = open_memstream(&err, &err_bytes);
    CU_ASSERT_FATAL(call.out != NULL && call.err != NULL);
    if (fail_at >= 0)
        fail_alloc_arm((unsigned)fail_at);
    status = call.verb->run(&call);
    failed = fail_alloc_disarm();
    CU_ASSERT_EQUAL(fclose(call.out), 0);
    CU_ASSERT_EQUAL(fclose(call.err), 0);
    hw_call_free(&call);
    return status;
}

static void make_file(char *name, size_t size, off_t bytes)
{
    int fd;

    snprintf(name, size, "/tmp/hawser-unit-XXXXXX");
    fd = mkstemp(name);
    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL_FATAL(ftruncate(fd, bytes), 0);
    close(fd);
}

static void make_lun(void)
{
    make_file(path, sizeof(path), (off_t)64 << 20);
    snprintf(url, sizeof(url), "file:%s", path);
}

static void drop_lun(void)
{
    unlink(path);
    free(out);
    free(err);
    out = err = NULL;
}

static bool says(const char *text, const char *words)
{
    return text != NULL && strstr(text, words) != NULL;
}

#define INIT "lun init @ --max-memory 16M --cluster " CLUSTER

static void lays_out_and_shows(void)
{
    make_lun();
    CU_ASSERT_EQUAL(hawser(INIT), 0);
    CU_ASSERT(says(out, "laid out: disk 23 MiB, 38 MiB reserved"));
    CU_ASSERT(says(err, "a file cannot be fenced by reservations"));
    CU_ASSERT_EQUAL(hawser("lun show @"), 0);
    CU_ASSERT(says(out, "saved state   38 MiB reserved at 25 MiB"));
    CU_ASSERT(says(out, "a VM of up to 16 MiB and 1 vCPU"));
    CU_ASSERT(says(out, "cannot be fenced (file)"));
    CU_ASSERT_EQUAL(hawser("lun show @ --json"), 0);
    CU_ASSERT(says(out, "\"copies\":\"both\""));
    CU_ASSERT_EQUAL(hawser("lun list @ @"), 0);
    CU_ASSERT(says(out, "state space 38 MiB\n"));
    CU_ASSERT_EQUAL(hawser("lun verify @"), 0);
    CU_ASSERT(says(out, "both copies of the table are good"));
    CU_ASSERT_EQUAL(hawser(INIT), 3);
    CU_ASSERT(says(err, "ownership record of this cluster"));
    CU_ASSERT_EQUAL(hawser(INIT " --force"), 0);
    drop_lun();
}

/* A state area on a sparse file is written, so that a save cannot run out of space. */
static void reserves_the_state_area(void)
{
    struct stat status;

    make_lun();
    CU_ASSERT_EQUAL(hawser(INIT), 0);
    CU_ASSERT_EQUAL(stat(path, &status), 0);
    CU_ASSERT((uint64_t)status.st_blocks * 512 >= UINT64_C(38) << 20);
    drop_lun();
}

static void tells_long_waits(void)
{
    char line[600] = "";
    struct cli_wait wait;
    FILE *told;
    int fds[2];

    CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
    told = fdopen(fds[1], "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(told);
    cli_wait_begin(&wait, told, "a LUN", "its target", 0, 60001);
    CU_ASSERT_TRUE(wait.started);
    CU_ASSERT_TRUE(read(fds[0], line, sizeof(line) - 1) > 0);
    CU_ASSERT_STRING_EQUAL(line, "a LUN: waits for its target, at most 61 s; Ctrl-C ends it\n");
    cli_wait_end(&wait);
    cli_wait_begin(&wait, told, "a LUN", "its target", 3600000, 7200000);
    cli_wait_end(&wait); /* it came before that */
    cli_wait_begin(&wait, told, "a LUN", "its target", 700, 700);
    CU_ASSERT_FALSE(wait.started); /* the failure comes as early as the line would */
    cli_wait_end(&wait);
    cli_wait_begin(&wait, NULL, "a LUN", "its target", 0, 1000);
    CU_ASSERT_FALSE(wait.started);
    cli_wait_end(&wait);
    (void)fclose(told);
    CU_ASSERT_EQUAL(read(fds[0], line, sizeof(line)), 0);
    (void)close(fds[0]);
}

static void refuses_and_changes_nothing(void)
{
    static const struct {
        const char *line;
        int status;
        const char *words;
    } bad[] = {
        { "lun init @ --max-memory 1G --cluster " CLUSTER, 3, "too small: it has 64 MiB" },
        { "lun init @ --cluster " CLUSTER, 2, "--max-memory: is missing" },
        { "lun init @ --max-memory 16M", 3, "which cluster" },
        { "lun init @ --max-memory 16M --cluster lab", 2, "is not a UUID" },
        { "lun claim @", 3, "(no --cluster --node --generation): clusterd is not part" },
        { "lun claim @ --node 1 --cluster " CLUSTER, 3, "(no --generation)" },
        { "lun claim @ --generation 1", 3, "(no --cluster --node)" },
        { "lun show @ --timeout 9h", 2, "9h is not within 1ms to 1h" },
        { "lun claim @ --cluster " CLUSTER " --node 1 --generation 1", 3, "a file cannot be" },
        { "lun release @ --cluster " CLUSTER " --node 1 --generation 1", 3, "a file cannot be" },
        { "lun handover @ --cluster " CLUSTER " --node 1 --generation 1", 2, "--to: is missing" },
        { "lun takeover @ --cluster " CLUSTER " --node 0 --generation 1", 2, "--node" },
        { "lun import @ /nonexistent/image", 1, "/nonexistent/image: cannot be read" },
        { "lun bench @ --write --seconds 1", 3, "holds no hawser layout" },
        { "lun list", 2, "no LUN is named" },
        { "lun list --from /nonexistent", 1, "; name a file that is there" },
        { "lun init @ --max-memory 64 --cluster " CLUSTER, 2, "; name a unit, e.g. 64M" },
        { "lun show file:/nonexistent", 1, "; check the path" },
        { "lun show block:/nonexistent", 1, "; check the path" },
        { "lun scan not/a/portal", 2, "is not a portal" },
        { "lun show @#disk", 2, "" },
        { "lun verify @ --probe --cluster " CLUSTER " --node 1 --generation 1", 3, "only a LUN" },
    };
    struct stat status;

    make_lun();
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CU_ASSERT_EQUAL(hawser(bad[i].line), bad[i].status);
        CU_ASSERT(says(err, bad[i].words));
    }
    CU_ASSERT_EQUAL(stat(path, &status), 0);
    CU_ASSERT_EQUAL(status.st_blocks, 0);
    drop_lun();
}

static void imports_and_reads_back(void)
{
    FILE *file;
    uint8_t disk[5000];

    make_lun();
    make_file(image, sizeof(image), 5000);
    file = fopen(image, "r+");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs("boot sector", file);
    fclose(file);
    CU_ASSERT_EQUAL(hawser("lun import @ %"), 3);
    CU_ASSERT(says(err, "holds no hawser layout"));
    CU_ASSERT_EQUAL(hawser(INIT), 0);
    CU_ASSERT_EQUAL(hawser("lun import @ %"), 0);
    CU_ASSERT(says(out, "imported (5000 bytes) and read back"));
    file = fopen(path, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL(fseek(file, 2 << 20, SEEK_SET), 0);
    CU_ASSERT_EQUAL(fread(disk, 1, sizeof(disk), file), sizeof(disk));
    CU_ASSERT_EQUAL(memcmp(disk, "boot sector", 12), 0);
    fclose(file);
    CU_ASSERT_EQUAL(truncate(image, (off_t)24 << 20), 0);
    CU_ASSERT_EQUAL(hawser("lun import @ %"), 3);
    CU_ASSERT(says(err, "does not fit: it has 24 MiB, the disk 23 MiB"));
    CU_ASSERT_EQUAL(truncate(image, 0), 0);
    CU_ASSERT_EQUAL(hawser("lun import @ %"), 2);
    unlink(image);
    drop_lun();
}

static void finds_damage(void)
{
    static const uint8_t zeroes[4096];
    FILE *file;

    make_lun();
    CU_ASSERT_EQUAL(hawser(INIT), 0);
    file = fopen(path, "r+");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL(fwrite(zeroes, 1, sizeof(zeroes), file), sizeof(zeroes));
    CU_ASSERT_EQUAL(fseek(file, (1 << 20) + (64 << 10), SEEK_SET), 0);
    CU_ASSERT_EQUAL(fwrite(zeroes, 1, sizeof(zeroes), file), sizeof(zeroes));
    fclose(file);
    CU_ASSERT_EQUAL(hawser("lun verify @"), 1);
    CU_ASSERT(says(out, "only its last copy is good"));
    CU_ASSERT(says(out, "one of its two copies is bad or old"));
    CU_ASSERT(says(err, "1 of the checks are bad"));
    CU_ASSERT_EQUAL(hawser("lun verify @ --json"), 1);
    CU_ASSERT(says(out, "\"bad\":1"));
    drop_lun();
}

static void measures(void)
{
    make_lun();
    CU_ASSERT_EQUAL(hawser(INIT), 0);
    CU_ASSERT_EQUAL(hawser("lun bench @ --seconds 1 --depth 4 --json"), 0);
    CU_ASSERT(says(out, "\"sequential read\""));
    CU_ASSERT_FALSE(says(out, "write"));
    drop_lun();
}

/* Fail allocation 0, 1, 2 ... of an init until none is left to fail. Its table is written last:
 * what failed is not taken for a LUN that is laid out, but where only the flush behind the table
 * failed. */
static void init_survives_failed_allocations(void)
{
    unsigned unfinished = 0, complete = 0;

    for (int at = 0;; at++) {
        int status;

        make_lun();
        fail_at = at;
        status = hawser("lun init @ --max-memory 1M --cluster " CLUSTER);
        fail_at = -1;
        if (!failed) {
            CU_ASSERT_EQUAL(status, 0);
            drop_lun();
            break;
        }
        if (hawser("lun show @") == 0 && says(out, "saved state"))
            complete++;
        else
            unfinished++;
        CU_ASSERT(status != 0 || says(out, "saved state"));
        drop_lun();
    }
    CU_ASSERT(unfinished > 5);
    CU_ASSERT(complete <= 3);
}

/* The same for verbs that look: status 0 only with all that there is to say. */
static void looks_survive_failed_allocations(void)
{
    static const struct {
        const char *line, *last_words;
    } looks[] = {
        { "lun show @", "record        free, node 0, generation 0" },
        { "lun list @", "state space 38 MiB\n" },
        { "lun verify @", "record         free, node 0, generation 0" },
    };

    make_lun();
    CU_ASSERT_EQUAL(hawser(INIT), 0);
    for (unsigned i = 0; i < sizeof(looks) / sizeof(looks[0]); i++) {
        unsigned failures = 0;

        for (fail_at = 0;; fail_at++) {
            int status = hawser(looks[i].line);

            CU_ASSERT(status == 1 || (status == 0 && says(out, looks[i].last_words)));
            if (!failed)
                break;
            failures += status != 0;
        }
        fail_at = -1;
        CU_ASSERT(failures > 3);
    }
    drop_lun();
}

/* A target that knows no PERSISTENT RESERVE: seen, listed, and not laid out or claimed. */
static void refuses_targets_without_reservations(void)
{
    uint16_t port = target_start();

    CU_ASSERT_NOT_EQUAL_FATAL(port, 0);
    memset(target_disk(), 0, (size_t)TARGET_BLOCK_BYTES * TARGET_BLOCKS);
    snprintf(url, sizeof(url), "iscsi://127.0.0.1:%u/iqn.2026-11.test:unit/0", port);
    CU_ASSERT_EQUAL(hawser("lun show @"), 0);
    CU_ASSERT(says(out, "none: it cannot be fenced by reservations"));
    CU_ASSERT_EQUAL(hawser(INIT), 3);
    CU_ASSERT(says(err, "its target offers no persistent reservations"));
    CU_ASSERT_EQUAL(hawser("lun claim @ --cluster " CLUSTER " --node 1 --generation 1"), 3);
    CU_ASSERT(says(err, "its target offers no persistent reservations"));
    for (size_t i = 0; i < (size_t)TARGET_BLOCK_BYTES * TARGET_BLOCKS; i++)
        CU_ASSERT_FATAL(target_disk()[i] == 0);
    target_stop();
    free(out);
    free(err);
    out = err = NULL;
}

/* Whose a LUN is that would be overwritten. */
static void names_the_owner(void)
{
    const struct sto_key_parts parts = { .cluster_hash = 7, .node = 3, .generation = 41 };
    struct sto_pr_reservation held = { .held = true, .key = sto_key_make(&parts) };
    struct hw_error error = { 0 };

    CU_ASSERT_EQUAL(cli_owner_want_none("lun", &held, &error), -EBUSY);
    CU_ASSERT(says(error.reason, "node 3 owns it (generation 41)"));
    CU_ASSERT(says(error.remedy, "release it first"));
    held.key = 0x1234;
    CU_ASSERT_EQUAL(cli_owner_want_none("lun", &held, NULL), 0);
    held = (struct sto_pr_reservation) { .key = sto_key_make(&parts) };
    CU_ASSERT_EQUAL(cli_owner_want_none("lun", &held, NULL), 0);
}

/* Each reason why ownership is not had has words, and one of the statuses of a refusal. */
static void says_reasons(void)
{
    const struct cli_owner stale = { .reason = STO_OWN_REASON_STALE, .generation = 41 };
    const struct cli_owner silent = { .reason = STO_OWN_REASON_UNREACHABLE,
                                      .detail = "192.0.2.1:3260: no answer" };
    struct hw_error told = { 0 };

    for (unsigned i = STO_OWN_REASON_STALE; i < STO_OWN_REASON_COUNT; i++) {
        const struct cli_owner owner = { .reason = (enum sto_own_reason)i, .key = 0x1234 };
        struct hw_error error = { 0 };

        CU_ASSERT(cli_owner_fail("lun", &owner, &error) < 0);
        CU_ASSERT(error.kind == HW_ERROR_FAILED || error.kind == HW_ERROR_REFUSED ||
                  error.kind == HW_ERROR_TIMED_OUT);
        CU_ASSERT(says(error.reason, sto_own_reason_text((enum sto_own_reason)i)));
        CU_ASSERT(says(error.reason, "0x0000000000001234"));
        CU_ASSERT(error.remedy[0] != '\0');
    }
    CU_ASSERT(cli_owner_fail("lun", &stale, &told) < 0);
    CU_ASSERT(says(told.reason, "stale: generation 41 was there"));
    hw_error_clear(&told);
    CU_ASSERT(cli_owner_fail("lun", &silent, &told) < 0);
    CU_ASSERT_EQUAL(hw_error_exit_status(&told), 5);
}

const struct unit_case unit_cases[] = {
    { "a file is laid out, shown, listed, verified", lays_out_and_shows },
    { "the state area is written, not only planned", reserves_the_state_area },
    { "what is wrong is refused, and nothing is changed", refuses_and_changes_nothing },
    { "long waits are told of", tells_long_waits },
    { "an image is imported and read back", imports_and_reads_back },
    { "damage is found", finds_damage },
    { "bench reads, and writes only when asked", measures },
    { "an init whose allocation fails leaves no half LUN", init_survives_failed_allocations },
    { "looks whose allocation fails say so", looks_survive_failed_allocations },
    { "a target without reservations is refused", refuses_targets_without_reservations },
    { "whose a LUN is that is not overwritten", names_the_owner },
    { "each reason has words and a remedy", says_reasons },
    { 0 },
};
