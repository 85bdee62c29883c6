/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Load on one LUN through hawser's own access to it, for a time, and what it moved:
 *   lun_load --initiator NAME --mode read|write --order sequential|random --bytes N --depth N
 *            --seconds N URL
 * Prints "OPERATIONS-PER-SECOND BYTES-PER-SECOND". Writes destroy what is on the LUN.
 */
#include <config.h>

#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hw_prng.h"
#include "storage/sto_lun.h"
#include "storage/sto_url.h"

enum { DEPTH_MAX = 256, BYTES_MAX = 1 << 20, ALIGN_BYTES = 4096, NS_PER_S = 1000000000 };

struct load {
    struct sto_lun *lun;
    const char *initiator;
    enum sto_op_kind kind;
    bool random;
    uint64_t bytes, depth, seconds;
    uint64_t places, next; /* in units of `bytes` */
    uint64_t moved, failed;
    int64_t end_ns;
    struct hw_prng prng;
    struct sto_op ops[DEPTH_MAX];
    struct iovec iov[DEPTH_MAX];
};

static void again(struct sto_op *op)
{
    struct load *load = op->context;

    if (op->result.rc != STO_OK) {
        load->failed++;
        return;
    }
    load->moved++;
    if (op->result.done_ns >= load->end_ns)
        return;
    op->offset_bytes = load->bytes * (load->random ? hw_prng_below(&load->prng, load->places)
                                                   : load->next++ % load->places);
    if (sto_lun_submit(load->lun, op) < 0)
        load->failed++;
}

static void nothing(struct sto_op *op)
{
    (void)op;
}

static bool start(struct load *load)
{
    const struct hw_clock *clock = sto_lun_clock(load->lun);
    int64_t start_ns = hw_clock_now_ns(clock);

    load->end_ns = start_ns + (int64_t)load->seconds * NS_PER_S;
    for (unsigned i = 0; i < load->depth; i++) {
        void *data = NULL;

        if (posix_memalign(&data, ALIGN_BYTES, load->bytes) != 0)
            return false;
        memset(data, (int)i + 1, load->bytes);
        load->iov[i] = (struct iovec) { data, load->bytes };
        load->ops[i] =
            (struct sto_op) { .kind = load->kind,
                              .iov = &load->iov[i],
                              .iov_count = 1,
                              .offset_bytes = load->bytes * (load->next++ % load->places),
                              .done = again,
                              .context = load };
        if (sto_lun_submit(load->lun, &load->ops[i]) < 0)
            return false;
    }
    while (sto_lun_in_flight(load->lun) > 0) {
        struct pollfd poll_fd = { sto_lun_fd(load->lun), sto_lun_events(load->lun), 0 };

        (void)poll(&poll_fd, 1, 1000);
        sto_lun_service(load->lun, poll_fd.revents);
    }
    if (load->failed > 0)
        return false;
    {
        double seconds = (double)(hw_clock_now_ns(clock) - start_ns) / NS_PER_S;

        printf("%.0f %.0f\n", (double)load->moved / seconds,
               (double)(load->moved * load->bytes) / seconds);
    }
    return true;
}

static bool set_option(struct load *load, const char *name, const char *value)
{
    if (strcmp(name, "--initiator") == 0)
        load->initiator = value;
    else if (strcmp(name, "--mode") == 0)
        load->kind = strcmp(value, "write") == 0 ? STO_OP_WRITE : STO_OP_READ;
    else if (strcmp(name, "--order") == 0)
        load->random = strcmp(value, "random") == 0;
    else if (strcmp(name, "--bytes") == 0)
        load->bytes = strtoull(value, NULL, 10);
    else if (strcmp(name, "--depth") == 0)
        load->depth = strtoull(value, NULL, 10);
    else if (strcmp(name, "--seconds") == 0)
        load->seconds = strtoull(value, NULL, 10);
    else
        return false;
    return true;
}

static int bring_up(struct load *load, const char *text, struct hw_error *error)
{
    struct sto_lun_options options = { .initiator = load->initiator };
    struct sto_op login = { .kind = STO_OP_LOGIN, .done = nothing };
    struct sto_facts facts;
    struct sto_url url;
    const char *rest;
    int rc = sto_url_parse_option(text, &url, &rest, error);

    if (rc == 0)
        rc = sto_lun_open(&url, &options, &load->lun, error);
    if (rc == 0)
        rc = sto_run_op(load->lun, &login);
    if (rc == 0 && login.result.rc != STO_OK)
        return hw_error_set(error, HW_ERROR_FAILED, 0, text, login.result.detail, NULL);
    if (rc == 0)
        rc = sto_run_identify(load->lun, 10000, &facts, error);
    if (rc == 0)
        load->places = facts.capacity_bytes / load->bytes;
    return rc;
}

int main(int argc, char **argv)
{
    struct load *load = calloc(1, sizeof(*load));
    struct hw_error error = { 0 };
    char line[HW_ERROR_LINE_BYTES];
    bool good;
    int at = 1;

    if (load == NULL)
        return 1;
    load->bytes = 4096;
    load->depth = 32;
    load->seconds = 2;
    load->kind = STO_OP_READ;
    load->prng = hw_prng_seeded(1);
    for (; at + 2 < argc; at += 2)
        if (!set_option(load, argv[at], argv[at + 1]))
            break;
    if (at + 1 != argc || load->depth == 0 || load->depth > DEPTH_MAX || load->bytes == 0 ||
        load->bytes > BYTES_MAX || load->seconds == 0) {
        fprintf(stderr, "usage: lun_load [OPTION VALUE]... URL\n");
        return 2;
    }
    if (bring_up(load, argv[at], &error) < 0 || load->places == 0) {
        hw_error_line(&error, line, sizeof(line));
        fprintf(stderr, "lun_load: %s\n", line);
        return 1;
    }
    good = start(load);
    if (!good)
        fprintf(stderr, "lun_load: operations failed\n");
    sto_lun_close(load->lun);
    for (unsigned i = 0; i < DEPTH_MAX; i++)
        free(load->iov[i].iov_base);
    free(load);
    return good ? 0 : 1;
}
