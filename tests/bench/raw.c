/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The peer for writes: the load of lun_load by nothing but libiscsi, without sessions to watch and
 * deadlines. It links none of hawser's code.
 *   raw URL sequential|random BYTES DEPTH SECONDS SIZE
 * Writes over the first SIZE bytes of the LUN; prints operations per second.
 */
#include "config.h"

#include <inttypes.h>
#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BLOCK = 512, DEPTH_MOST = 128, PAGE = 4096 };

struct load;

struct slot {
    struct load *load;
    unsigned char *data;
    struct scsi_iovec iov;
};

struct load {
    struct iscsi_context *session;
    int lun;
    bool random, failed;
    uint64_t bytes, size, at, seed, done;
    unsigned depth, out;
    int64_t end_ns;
    struct slot slots[DEPTH_MOST];
};

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static uint64_t chance(struct load *load)
{
    load->seed ^= load->seed << 13;
    load->seed ^= load->seed >> 7;
    load->seed ^= load->seed << 17;
    return load->seed;
}

static void submit(struct slot *slot);

static void answered(struct iscsi_context *session, int status, void *data, void *context)
{
    struct slot *slot = context;
    struct load *load = slot->load;
    struct scsi_task *task = data;

    (void)session;
    load->out--;
    if (task != NULL)
        scsi_free_scsi_task(task);
    if (status != SCSI_STATUS_GOOD) {
        load->failed = true;
        return;
    }
    load->done++;
    submit(slot);
}

static void submit(struct slot *slot)
{
    struct load *load = slot->load;
    uint64_t places = load->size / load->bytes;
    uint64_t place, lba;
    struct scsi_task *task;

    if (load->failed || now_ns() >= load->end_ns)
        return;
    place = load->random ? chance(load) % places : load->at++ % places;
    lba = place * load->bytes / BLOCK;
    task = iscsi_write16_iov_task(load->session, load->lun, lba, NULL, (uint32_t)load->bytes, BLOCK,
                                  0, 0, 0, 0, 0, answered, slot, &slot->iov, 1);
    if (task == NULL)
        load->failed = true;
    else
        load->out++;
}

static int connect_to(struct load *load, const char *text)
{
    struct iscsi_url *url;
    int rc = -1;

    load->session = iscsi_create_context("iqn.2026-11.lab:raw");
    url = load->session != NULL ? iscsi_parse_full_url(load->session, text) : NULL;
    if (url == NULL)
        return -1;
    load->lun = url->lun;
    iscsi_set_targetname(load->session, url->target);
    iscsi_set_session_type(load->session, ISCSI_SESSION_NORMAL);
    iscsi_set_header_digest(load->session, ISCSI_HEADER_DIGEST_NONE);
    if (iscsi_full_connect_sync(load->session, url->portal, url->lun) == 0)
        rc = 0;
    iscsi_destroy_url(url);
    return rc;
}

static void run(struct load *load, unsigned seconds)
{
    int64_t start = now_ns();
    double took;

    load->end_ns = start + (int64_t)seconds * 1000000000;
    for (unsigned i = 0; i < load->depth; i++)
        submit(&load->slots[i]);
    while (load->out > 0 && !load->failed) {
        struct pollfd fd = { .fd = iscsi_get_fd(load->session),
                             .events = (short)iscsi_which_events(load->session) };

        if (poll(&fd, 1, 10000) <= 0 || iscsi_service(load->session, fd.revents) < 0)
            load->failed = true;
    }
    took = (double)(now_ns() - start) / 1e9;
    if (!load->failed)
        (void)printf("%.0f\n", (double)load->done / took);
}

int main(int argc, char **argv)
{
    static struct load load = { .seed = 20261122 };
    unsigned seconds;

    if (argc != 7) {
        (void)fprintf(stderr, "usage: raw URL sequential|random BYTES DEPTH SECONDS SIZE\n");
        return 2;
    }
    load.random = strcmp(argv[2], "random") == 0;
    load.bytes = strtoull(argv[3], NULL, 10);
    load.depth = (unsigned)strtoul(argv[4], NULL, 10);
    seconds = (unsigned)strtoul(argv[5], NULL, 10);
    load.size = strtoull(argv[6], NULL, 10);
    if (load.bytes < PAGE || load.bytes % PAGE != 0 || load.size < load.bytes || load.depth == 0 ||
        load.depth > DEPTH_MOST || connect_to(&load, argv[1]) < 0) {
        (void)fprintf(stderr, "raw: %s\n",
                      load.session != NULL ? iscsi_get_error(load.session) : "a bad number");
        return 1;
    }
    for (unsigned i = 0; i < load.depth; i++) {
        struct slot *slot = &load.slots[i];

        slot->load = &load;
        slot->data = aligned_alloc(PAGE, load.bytes);
        if (slot->data == NULL)
            return 1;
        memset(slot->data, (int)i + 1, load.bytes);
        slot->iov = (struct scsi_iovec) { .iov_base = slot->data, .iov_len = load.bytes };
    }
    run(&load, seconds);
    if (load.failed)
        (void)fprintf(stderr, "raw: %s\n", iscsi_get_error(load.session));
    iscsi_destroy_context(load.session);
    for (unsigned i = 0; i < load.depth; i++)
        free(load.slots[i].data);
    return load.failed ? 1 : 0;
}
