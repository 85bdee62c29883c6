/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A LUN's owner for the lab: hawser's ownership (machine, driver, gate) with a guest that writes
 * stamps. It says what happens as one JSON object a line, and obeys words on its standard input:
 *   fill | flood | write LBA COUNT SEQ | verify | handover [NODE] | release | quit
 * LBA counts 512-byte units from the start of the guest's disk. A write is answered when it is
 * done ("written"), never sooner.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uuid/uuid.h>

#include "lab_words.h"
#include "storage/sto_url.h"

struct options {
    const char *url, *initiator, *mutation;
    uint8_t cluster[16];
    unsigned node, barrier_attempts;
    uint32_t generation, barrier_ms;
    bool record, claim, cluster_set;
};

struct lab {
    struct sto_owner *owner;
    struct lab_guest guest;
    bool layout;                                      /* the disk is the LUN's hawser-disk area */
    struct sto_request requests[2 * LAB_GUEST_DEPTH]; /* by their place in the guest's memory */
    bool ended;
    int status;
    enum sto_own_state state; /* as traced last */
    uint32_t generation;
};

static void end(struct lab *lab, int status)
{
    lab->ended = true;
    lab->status = status;
}

static void owned(struct lab *lab, const struct sto_owner_notice *notice)
{
    const struct sto_own *own = sto_owner_machine(lab->owner);

    if (lab->guest.generation == 0) /* the guest is the same one behind every reconnect */
        lab->guest.generation = notice->generation;
    lab_say(
        "owned",
        ", \"generation\": %" PRIu32 ", \"takeover_us\": %" PRId64 ", \"open_us\": %" PRId64,
        notice->generation, (sto_own_verified_ns(own) - sto_own_registered_ns(own)) / 1000,
        (hw_clock_now_ns(sto_lun_clock(sto_owner_lun(lab->owner))) - sto_own_registered_ns(own)) /
            1000);
}

static void noticed(void *context, const struct sto_owner_notice *notice)
{
    struct lab *lab = context;
    const char *reason = sto_own_reason_name(notice->reason);
    bool not_proven = notice->reason == STO_OWN_REASON_NOT_PROVEN;
    char key[STO_KEY_TEXT_BYTES];

    (void)sto_key_text(notice->key, key);
    switch (notice->notice) {
    case STO_OWN_NOTICE_OWNED:
        owned(lab, notice);
        break;
    case STO_OWN_NOTICE_REFUSED:
        lab_say(not_proven ? "not-proven" : "refused",
                ", \"reason\": \"%s\", \"key\": \"%s\", \"generation\": %" PRIu32
                ", \"detail\": \"%s\"",
                reason, key, notice->generation, notice->detail);
        end(lab, not_proven ? 5 : 3);
        break;
    case STO_OWN_NOTICE_LOST:
        lab_say("lost", ", \"reason\": \"%s\", \"key\": \"%s\"", reason, key);
        break;
    case STO_OWN_NOTICE_HANDED:
        lab_say("handed", ", \"generation\": %" PRIu32, notice->generation);
        break;
    case STO_OWN_NOTICE_LEFT:
        lab_say("left", ", \"reason\": \"%s\"", reason);
        if (notice->reason == STO_OWN_REASON_RELEASED)
            end(lab, 0);
        break;
    case STO_OWN_NOTICE_HELD_UP:
        lab_say(not_proven ? "not-proven" : "held-up", ", \"reason\": \"%s\", \"detail\": \"%s\"",
                reason, notice->detail);
        break;
    case STO_OWN_NOTICE_SUSPENDED:
        lab_say("suspended", ", \"reason\": \"%s\", \"detail\": \"%s\"", reason, notice->detail);
        break;
    }
}

/* --- the guest's disk: the owner's gate --- */

static void disk_window(void *context, uint64_t *ret_offset, uint64_t *ret_bytes)
{
    const struct lab *lab = context;
    const struct sto_facts *facts = sto_lun_facts(sto_owner_lun(lab->owner));

    *ret_offset = lab->layout ? 2 * STO_META_OFFSET_BYTES : 0; /* behind hawser-meta */
    *ret_bytes = facts == NULL ? 0 : facts->capacity_bytes - *ret_offset;
    if (lab->layout && *ret_bytes > STO_META_OFFSET_BYTES)
        *ret_bytes = STO_META_OFFSET_BYTES; /* the lab's layouts have at least that much disk */
}

static void request_done(struct sto_request *request)
{
    const enum sto_rc rc = request->op.result.rc;

    lab_guest_done(request->context, rc == STO_OK, sto_rc_name(rc));
}

static int disk_submit(void *context, struct lab_guest_request *one, enum sto_op_kind kind,
                       uint64_t offset_bytes)
{
    struct lab *lab = context;
    struct sto_request *request =
        &lab->requests[(one->buffer - lab->guest.disk.memory) / LAB_GUEST_RUN_BYTES];
    uint64_t offset, bytes;

    disk_window(lab, &offset, &bytes);
    memset(request, 0, sizeof(*request));
    request->op.kind = kind;
    if (kind != STO_OP_FLUSH) {
        request->op.offset_bytes = offset + offset_bytes;
        request->op.iov = &one->iov;
        request->op.iov_count = 1;
    }
    request->done = request_done;
    request->context = one;
    return sto_owner_submit(lab->owner, request);
}

/* Of standard input; its end is "quit". */
static void obey(void *context, const char *line)
{
    struct lab *lab = context;
    unsigned node = 0;

    if (strcmp(line, "quit") == 0)
        end(lab, 0);
    else if (strcmp(line, "release") == 0)
        sto_owner_release(lab->owner);
    else if (strcmp(line, "handover") == 0 || sscanf(line, "handover %u", &node) == 1)
        sto_owner_hand_over(lab->owner, (uint16_t)node);
    else if (!lab_words_for_guest(&lab->guest, line))
        lab_say("usage", ", \"reason\": \"unknown command\"");
}

/* The machine's moves on standard error, for whoever reads a red round. */
static void trace(struct lab *lab)
{
    const struct sto_own *own = sto_owner_machine(lab->owner);

    if (sto_own_state(own) == lab->state && sto_own_generation(own) == lab->generation)
        return;
    lab->state = sto_own_state(own);
    lab->generation = sto_own_generation(own);
    (void)fprintf(stderr, "%" PRId64 " %s, generation %" PRIu32 "\n",
                  hw_clock_now_ms(hw_clock_boottime()), sto_own_state_name(lab->state),
                  lab->generation);
}

static void loop(struct lab *lab)
{
    struct lab_words words = { .fill = 0 };

    while (!lab->ended) {
        struct pollfd fds[2] = {
            { .fd = sto_owner_fd(lab->owner), .events = sto_owner_events(lab->owner) },
            { .fd = STDIN_FILENO, .events = POLLIN },
        };

        (void)poll(fds, 2, sto_owner_timeout_ms(lab->owner));
        sto_owner_service(lab->owner, fds[0].revents);
        trace(lab);
        if (fds[1].revents != 0 && !lab_words_read(&words, obey, lab))
            end(lab, 0);
    }
}

static const struct option long_options[] = {
    { "lun", required_argument, NULL, 'l' },
    { "cluster", required_argument, NULL, 'c' },
    { "node", required_argument, NULL, 'n' },
    { "generation", required_argument, NULL, 'g' },
    { "initiator", required_argument, NULL, 'i' },
    { "mutation", required_argument, NULL, 'm' },
    { "barrier-ms", required_argument, NULL, 'b' },
    { "barrier-attempts", required_argument, NULL, 'a' },
    { "record", no_argument, NULL, 'r' },
    { "claim", no_argument, NULL, 'C' },
    { NULL, 0, NULL, 0 },
};

static bool parse(int argc, char **argv, struct options *options)
{
    int letter;

    while ((letter = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        switch (letter) {
        case 'l':
            options->url = optarg;
            break;
        case 'c':
            options->cluster_set = uuid_parse(optarg, options->cluster) == 0;
            break;
        case 'n':
            options->node = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'g':
            options->generation = (uint32_t)strtoul(optarg, NULL, 10);
            break;
        case 'i':
            options->initiator = optarg;
            break;
        case 'm':
            options->mutation = optarg;
            break;
        case 'b':
            options->barrier_ms = (uint32_t)strtoul(optarg, NULL, 10);
            break;
        case 'a':
            options->barrier_attempts = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'r':
            options->record = true;
            break;
        case 'C':
            options->claim = true;
            break;
        default:
            return false;
        }
    }
    return options->url != NULL && options->cluster_set && options->node != 0 &&
           options->generation != 0;
}

/* A mutant is another build of this program, beside it. */
static int run_mutant(char **argv, const char *mutation)
{
    char path[4096];
    char **keep = argv + 1;

    (void)snprintf(path, sizeof(path), "%s-%s", argv[0], mutation);
    for (char **word = argv + 1; *word != NULL; word++) {
        if (strcmp(*word, "--mutation") == 0 && word[1] != NULL)
            word++;
        else
            *keep++ = *word;
    }
    *keep = NULL;
    (void)execv(path, argv);
    (void)fprintf(stderr, "owner: %s: %s\n", path, strerror(errno));
    return 2;
}

static struct sto_lun *open_lun(const struct options *options)
{
    struct sto_lun_options lun_options = { .initiator = options->initiator,
                                           .node = options->node,
                                           .io_timeout_ms = 10000 };
    struct hw_error error = { 0 };
    struct sto_url url;
    struct sto_lun *lun = NULL;
    char line[HW_ERROR_LINE_BYTES];

    if (sto_url_parse(options->url, &url, &error) == 0 &&
        sto_lun_open(&url, &lun_options, &lun, &error) == 0)
        return lun;
    (void)hw_error_line(&error, line, sizeof(line));
    (void)fprintf(stderr, "owner: %s\n", line);
    return NULL;
}

int main(int argc, char **argv)
{
    struct options options = { .barrier_attempts = 3, .barrier_ms = 15000 };
    struct lab lab = { .status = 1 };
    struct sto_owner_config config = { .lease_ms = 0 };
    struct sto_owner_callbacks callbacks = { .notice = noticed, .context = &lab };
    struct sto_own_grant grant = { 0 };
    struct lab_guest_disk disk = { .window = disk_window, .submit = disk_submit, .context = &lab };
    struct sto_lun *lun;

    if (!parse(argc, argv, &options)) {
        (void)fprintf(stderr, "usage: owner --lun URL --cluster UUID --node N --generation G "
                              "[--initiator NAME] [--record] [--claim] [--mutation NAME]\n");
        return 2;
    }
    if (options.mutation != NULL)
        return run_mutant(argv, options.mutation);
    lun = open_lun(&options);
    if (lun == NULL)
        return 2;
    memcpy(config.own.cluster_uuid, options.cluster, 16);
    config.own.node = (uint16_t)options.node;
    config.own.use_record = options.record;
    config.own.steady_check = true;
    config.own.barrier_ms = options.barrier_ms;
    config.own.barrier_attempts = options.barrier_attempts;
    config.own.seed = options.generation;
    disk.memory = aligned_alloc(4096, LAB_GUEST_MEMORY_BYTES);
    if (disk.memory == NULL || sto_owner_new(lun, &config, &callbacks, &lab.owner) < 0)
        return 1;
    lab.layout = options.record;
    lab_guest_init(&lab.guest, &disk, (uint16_t)options.node, lab_say_guest, NULL);
    (void)fcntl(STDIN_FILENO, F_SETFL, fcntl(STDIN_FILENO, F_GETFL) | O_NONBLOCK);
    grant.generation = options.generation;
    grant.takeover = !options.claim;
    if (sto_owner_start(lab.owner, &grant) < 0)
        return 1;
    loop(&lab);
    sto_owner_free(lab.owner);
    free(disk.memory);
    return lab.status;
}
