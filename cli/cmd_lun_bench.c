/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hawser lun bench: sequential and random throughput of a LUN. Reads the guest disk, or the whole
 * LUN where it has no layout; writes only with --write, only into the guest disk, and only under
 * ownership.
 */
#include <config.h>

#include "cli/cmd_lun.h"

#include "cli/lun_owner.h"
#include "common/hw_values.h"
#include "common/hw_prng.h"
#include "storage/sto_bulk.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum { SEQUENTIAL_BYTES = 1024 * 1024, RANDOM_BYTES = 4096, NS_PER_MS = 1000000 };
enum { SECONDS_MOST = 3600, DEPTH_MOST = 128 };

struct bench {
    struct hw_call *call;
    struct sto_window window; /* what is measured */
    uint64_t seconds, depth;
    struct hw_prng prng;
    bool random;
    uint64_t at;
    int64_t end_ns;
    json_t *json;
};

static bool next_place(void *context, uint64_t *offset_bytes, size_t *bytes)
{
    struct bench *bench = context;
    uint64_t places = bench->window.size_bytes / *bytes;
    uint64_t place;

    if (hw_clock_now_ns(hw_clock_boottime()) >= bench->end_ns)
        return false;
    place = bench->random ? hw_prng_below(&bench->prng, places) : bench->at++ % places;
    *offset_bytes = bench->window.offset_bytes + place * *bytes;
    return true;
}

static int fill(void *context, uint64_t offset_bytes, void *data, size_t bytes,
                struct hw_error *error)
{
    struct bench *bench = context;
    uint64_t *words = data;

    (void)offset_bytes;
    (void)error;
    for (size_t i = 0; i < bytes / sizeof(*words); i += RANDOM_BYTES / sizeof(*words))
        words[i] = hw_prng_next(&bench->prng); /* no two pages alike: nothing is folded together */
    return 0;
}

static void report(struct bench *bench, const char *name, const struct sto_bulk_stats *stats)
{
    double seconds = (double)(stats->last_ns - stats->first_ns) / 1e9;
    double mib = seconds > 0 ? (double)stats->bytes / 1048576 / seconds : 0;
    double rate = seconds > 0 ? (double)stats->operations / seconds : 0;

    if (bench->json != NULL)
        (void)json_array_append_new(
            bench->json,
            json_pack("{s:s, s:I, s:I, s:f, s:f, s:f}", "name", name, "operations",
                      (json_int_t)stats->operations, "bytes", (json_int_t)stats->bytes, "seconds",
                      seconds, "mib_per_second", mib, "operations_per_second", rate));
    else
        (void)fprintf(bench->call->out, "  %-18s %9.1f MiB/s %10.0f operations/s\n", name, mib,
                      rate);
}

static int measure(struct bench *bench, const char *name, struct sto_lun *lun,
                   struct sto_owner *owner, bool write, bool random, struct hw_error *error)
{
    const struct sto_bulk bulk = { .lun = lun,
                                   .owner = owner,
                                   .write = write,
                                   .depth = (unsigned)bench->depth,
                                   .io_bytes = random ? RANDOM_BYTES : SEQUENTIAL_BYTES,
                                   .verb = write ? "write" : "read",
                                   .next = next_place,
                                   .data = write ? fill : NULL,
                                   .context = bench };
    struct sto_bulk_stats stats = { 0 };
    int rc;

    bench->random = random;
    bench->at = 0;
    bench->end_ns =
        hw_clock_now_ns(hw_clock_boottime()) + (int64_t)bench->seconds * 1000 * NS_PER_MS;
    rc = sto_bulk_run(&bulk, &stats, error);
    if (rc == 0)
        report(bench, name, &stats);
    return rc;
}

static int measure_all(struct bench *bench, struct sto_lun *lun, struct sto_owner *owner,
                       bool write, struct hw_error *error)
{
    int rc = measure(bench, "sequential read", lun, owner, false, false, error);

    if (rc == 0)
        rc = measure(bench, "random read", lun, owner, false, true, error);
    if (rc == 0 && write)
        rc = measure(bench, "sequential write", lun, owner, true, false, error);
    if (rc == 0 && write)
        rc = measure(bench, "random write", lun, owner, true, true, error);
    return rc;
}

/* The guest disk; without a layout the whole LUN, which is then only read. */
static int choose_window(struct bench *bench, struct cli_lun *lun, bool write,
                         struct hw_error *error)
{
    struct sto_layout layout;
    int rc = sto_tool_read_layout(lun->lun, &layout, error);

    if (rc == 0) {
        bench->window = layout.disk;
        return 0;
    }
    if ((rc != -ENOENT && rc != -EBADMSG && rc != -EINVAL) || write)
        return rc; /* writes go to a guest disk or nowhere */
    hw_error_clear(error);
    bench->window = (struct sto_window) { 0, lun->facts.capacity_bytes };
    if (bench->window.size_bytes < SEQUENTIAL_BYTES)
        return hw_error_set(error, HW_ERROR_REFUSED, ENOSPC, sto_lun_name(lun->lun),
                            "too small to be measured", "use a LUN of 1 MiB at least");
    return 0;
}

static int run_owned(struct bench *bench, struct cli_lun *lun, const struct cli_identity *identity,
                     struct hw_error *error)
{
    const struct cli_owner_wish wish = { .identity = identity };
    struct cli_owner owner;
    int rc = cli_owner_claim(lun, &wish, &owner, error);

    if (rc < 0)
        return rc;
    rc = measure_all(bench, sto_owner_lun(owner.owner), owner.owner, true, error);
    return cli_owner_end(&owner, rc, error);
}

static int run(struct bench *bench, struct hw_error *error)
{
    const struct hw_call *call = bench->call;
    bool write = hw_option_given(call, "write");
    struct cli_identity identity = { 0 };
    struct cli_lun lun = { 0 };
    int rc = hw_option_number(call, "seconds", 1, SECONDS_MOST, &bench->seconds, error);

    if (rc == 0)
        rc = hw_option_number(call, "depth", 1, DEPTH_MOST, &bench->depth, error);
    if (rc == 0)
        rc = cli_lun_open(call, hw_argument(call, 0),
                          CLI_LUN_SLOW | (write ? 0 : CLI_LUN_READ_ONLY), &lun, error);
    if (rc == 0 && write && lun.url.scheme != STO_SCHEME_FILE)
        rc = cli_lun_identity(call, &identity, error);
    if (rc == 0)
        rc = choose_window(bench, &lun, write, error);
    if (rc == 0 && bench->json == NULL)
        (void)fprintf(call->out, "%s, %" PRIu64 " in flight\n", sto_lun_name(lun.lun),
                      bench->depth);
    if (rc == 0 && write && cli_lun_can_reserve(&lun))
        rc = run_owned(bench, &lun, &identity, error);
    else if (rc == 0)
        rc = measure_all(bench, lun.lun, NULL, write && lun.url.scheme == STO_SCHEME_FILE, error);
    cli_lun_close(&lun);
    return rc;
}

int cmd_lun_bench(struct hw_call *call)
{
    struct bench bench = {
        .call = call, .seconds = 5, .depth = 32, .prng = hw_prng_seeded((uint64_t)20261122)
    };
    struct hw_error error = { 0 };

    if (hw_option_given(call, "json"))
        bench.json = json_array();
    if (run(&bench, &error) < 0) {
        json_decref(bench.json);
        return hw_fail(call, &error);
    }
    if (bench.json == NULL)
        return 0;
    return cli_print_json(call, json_pack("{s:s, s:I, s:o}", "url", hw_argument(call, 0), "depth",
                                          (json_int_t)bench.depth, "results", bench.json));
}
