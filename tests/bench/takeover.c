/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long a takeover takes: two nodes in one process take a LUN from each other in turn, under
 * rising generations; the one that loses stays logged in and idle. Prints one JSON object:
 * microseconds from the first REGISTER to "verified", and to the open gate (record written).
 *   takeover URL CLUSTER TAKEOVERS
 * The LUN needs hawser's layout. Status 0, or 1 if a takeover did not end in ownership.
 */
#include "config.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uuid/uuid.h>

#include "storage/sto_owner.h"
#include "storage/sto_url.h"

enum { NODES = 2, TAKEOVER_MS = 20000, FIRST_GENERATION = 1024 };

struct node {
    struct sto_owner *owner;
    bool told; /* owned or refused since the last start */
    bool owned;
    int64_t open_ns; /* when the gate opened */
    enum sto_own_reason reason;
};

static void noticed(void *context, const struct sto_owner_notice *notice)
{
    struct node *node = context;

    if (notice->notice == STO_OWN_NOTICE_OWNED) {
        node->told = node->owned = true;
        node->open_ns = hw_clock_now_ns(sto_lun_clock(sto_owner_lun(node->owner)));
    } else if (notice->notice == STO_OWN_NOTICE_REFUSED) {
        node->told = true;
        node->reason = notice->reason;
    }
}

static int open_node(struct node *node, uint16_t number, const char *url_text,
                     const uint8_t cluster[16])
{
    const struct sto_owner_callbacks callbacks = { .notice = noticed, .context = node };
    struct sto_owner_config config = { .lease_ms = 0 };
    struct sto_lun_options options = { .node = number };
    struct hw_error error = { 0 };
    char line[HW_ERROR_LINE_BYTES], initiator[64];
    struct sto_lun *lun = NULL;
    struct sto_url url;

    (void)snprintf(initiator, sizeof(initiator), "iqn.2026-11.lab:n%u", (unsigned)number);
    options.initiator = initiator;
    memcpy(config.own.cluster_uuid, cluster, 16);
    config.own.node = number;
    config.own.use_record = true;
    config.own.barrier_attempts = 1;
    config.own.seed = number;
    if (sto_url_parse(url_text, &url, &error) < 0 ||
        sto_lun_open(&url, &options, &lun, &error) < 0) {
        (void)hw_error_line(&error, line, sizeof(line));
        (void)fprintf(stderr, "takeover: %s\n", line);
        return -1;
    }
    if (sto_owner_new(lun, &config, &callbacks, &node->owner) == 0)
        return 0;
    sto_lun_close(lun);
    return -1;
}

/* Wait for either node, and serve both. */
static void serve(struct node nodes[NODES])
{
    struct pollfd fds[NODES];
    int timeout_ms = -1;

    for (unsigned i = 0; i < NODES; i++) {
        int mine_ms = sto_owner_timeout_ms(nodes[i].owner);

        fds[i] = (struct pollfd) { .fd = sto_owner_fd(nodes[i].owner),
                                   .events = sto_owner_events(nodes[i].owner) };
        if (mine_ms >= 0 && (timeout_ms < 0 || mine_ms < timeout_ms))
            timeout_ms = mine_ms;
    }
    (void)poll(fds, NODES, timeout_ms < 0 || timeout_ms > 1000 ? 1000 : timeout_ms);
    for (unsigned i = 0; i < NODES; i++)
        sto_owner_service(nodes[i].owner, fds[i].revents);
}

static int take_over(struct node nodes[NODES], struct node *taker, uint32_t generation)
{
    const struct sto_own_grant grant = { .generation = generation, .takeover = true };
    const struct hw_clock *clock = sto_lun_clock(sto_owner_lun(taker->owner));
    int64_t end_ns = hw_clock_now_ns(clock) + (int64_t)TAKEOVER_MS * 1000000;

    sto_owner_stop(taker->owner); /* what is left of its last turn */
    taker->told = taker->owned = false;
    taker->reason = STO_OWN_REASON_NONE;
    if (sto_owner_start(taker->owner, &grant) < 0)
        return -1;
    while (!taker->told && hw_clock_now_ns(clock) < end_ns)
        serve(nodes);
    if (taker->owned)
        return 0;
    (void)fprintf(stderr, "takeover: generation %" PRIu32 ": %s\n", generation,
                  taker->told ? sto_own_reason_text(taker->reason) : "no answer in time");
    return -1;
}

static int compare(const void *a, const void *b)
{
    const int64_t *left = a, *right = b;

    return (*left > *right) - (*left < *right);
}

/* The smallest value that `percent` of all values do not exceed. */
static double percentile_us(const int64_t *sorted, size_t count, unsigned percent)
{
    size_t rank = (count * percent + 99) / 100;

    return (double)sorted[rank > 0 ? rank - 1 : 0] / 1000.0;
}

static int measure(struct node nodes[NODES], size_t count, int64_t *verified, int64_t *opened)
{
    uint32_t generation = FIRST_GENERATION;

    /* the first is a claim of a free LUN, not a takeover */
    if (take_over(nodes, &nodes[0], generation) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        struct node *taker = &nodes[(i + 1) % NODES];
        const struct sto_own *own = sto_owner_machine(taker->owner);

        generation = sto_own_generation(sto_owner_machine(nodes[i % NODES].owner));
        generation += 2 * STO_GENERATION_BLOCK - generation % STO_GENERATION_BLOCK;
        if (take_over(nodes, taker, generation) < 0)
            return -1;
        verified[i] = sto_own_verified_ns(own) - sto_own_registered_ns(own);
        opened[i] = taker->open_ns - sto_own_registered_ns(own);
    }
    qsort(verified, count, sizeof(*verified), compare);
    qsort(opened, count, sizeof(*opened), compare);
    (void)printf("{\"takeovers\": %zu, \"verified_p50_us\": %.1f, \"verified_p99_us\": %.1f, "
                 "\"open_p50_us\": %.1f, \"open_p99_us\": %.1f}\n",
                 count, percentile_us(verified, count, 50), percentile_us(verified, count, 99),
                 percentile_us(opened, count, 50), percentile_us(opened, count, 99));
    return 0;
}

int main(int argc, char **argv)
{
    struct node nodes[NODES] = { 0 };
    size_t count = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
    int64_t *verified = NULL, *opened = NULL;
    uint8_t cluster[16];
    int rc = -1;

    if (count == 0 || count > 100000 || uuid_parse(argv[2], cluster) != 0) {
        (void)fprintf(stderr, "usage: takeover URL CLUSTER TAKEOVERS\n");
        return 2;
    }
    verified = calloc(count, sizeof(*verified));
    opened = calloc(count, sizeof(*opened));
    if (verified != NULL && opened != NULL && open_node(&nodes[0], 1, argv[1], cluster) == 0 &&
        open_node(&nodes[1], 2, argv[1], cluster) == 0)
        rc = measure(nodes, count, verified, opened);
    for (unsigned i = 0; i < NODES; i++)
        sto_owner_free(nodes[i].owner);
    free(verified);
    free(opened);
    return rc == 0 ? 0 : 1;
}
