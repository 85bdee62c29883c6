/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lab's adversary. It can *be* the old owner (initiator name, ISID and key from the command
 * line): registers, reserves, keeps writes of every opcode in flight over the whole range, ignores
 * every error, logs in again at once, meddles with its own registration at random. SIGUSR1: stop
 * the opcodes named by --until-quiet. SIGUSR2: one LOGICAL UNIT RESET. SIGTERM or --seconds: stop
 * and print the counters. It must never be linked with hawser's code.
 */
#include "config.h"

#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "adversary.h"

#define RELOGIN_MS 5
#define SERVE_MS   5
#define LOGIN_MS   2000  /* an old session that is being dropped can leave a login unanswered */
#define STALL_MS   10000 /* writes in flight and no answer at all: log in again */

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static void print_counters(const struct adversary *adversary)
{
    printf("{\"event\":\"done\",\"logins\":%" PRIu64 ",\"resets\":%" PRIu64
           ",\"submitted\":%" PRIu64 ",\"ops\":{",
           adversary->logins, adversary->resets, adversary->next_number);
    for (unsigned op = 0; op < ADV_OP_COUNT; op++) {
        printf("%s\"%s\":{", op ? "," : "", adv_ops()[op].name);
        for (unsigned result = 0; result < ADV_RESULTS; result++)
            printf("%s\"%s\":%" PRIu64, result ? "," : "", adv_result_name((enum adv_result)result),
                   adversary->results[op][result]);
        printf("}");
    }
    printf("},\"reservation_commands\":{");
    for (unsigned action = 0; action < 8; action++) {
        printf("%s\"%u\":{", action ? "," : "", action);
        for (unsigned result = 0; result < ADV_RESULTS; result++)
            printf("%s\"%s\":%" PRIu64, result ? "," : "", adv_result_name((enum adv_result)result),
                   adversary->pr_results[action][result]);
        printf("}");
    }
    printf("}}\n");
}

/* Returns true when the program shall stop. */
static bool take_signals(struct adversary *adversary, int signals)
{
    struct signalfd_siginfo info;
    bool stop = false;

    while (read(signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGUSR1) {
            adversary->quiet = true;
        } else if (info.ssi_signo == SIGUSR2) {
            if (adversary->state == ADV_READY && adv_session_reset(adversary) != 0)
                adversary->broken = true;
        } else {
            stop = true;
        }
    }
    return stop;
}

/* Whether the session has been silent for too long. */
static bool is_stalled(struct adversary *adversary, uint64_t now)
{
    uint64_t limit_ms = adversary->state == ADV_READY ? STALL_MS : LOGIN_MS;

    if (adversary->answers != adversary->answers_seen || adversary->answers_ms == 0) {
        adversary->answers_seen = adversary->answers;
        adversary->answers_ms = now;
    }
    return adversary->options.depth > 0 && now - adversary->answers_ms > limit_ms;
}

static void act(struct adversary *adversary)
{
    uint64_t now = now_ms();

    if (adversary->session != NULL && is_stalled(adversary, now)) {
        adversary->broken = true;
        adversary->answers_ms = now;
    }
    if (adversary->broken || adversary->session == NULL) {
        adv_session_end(adversary);
        if (adv_session_start(adversary) != 0)
            poll(NULL, 0, RELOGIN_MS);
        return;
    }
    if (adversary->state != ADV_READY)
        return;
    if (adversary->options.pr_every_ms > 0 && now >= adversary->next_pr_ms) {
        if (adversary->next_pr_ms > 0)
            adv_session_meddle(adversary);
        adversary->next_pr_ms =
            now + 1 + lab_random(&adversary->random) % (2 * adversary->options.pr_every_ms);
    }
    if (adversary->options.reset_every_ms > 0 && now >= adversary->next_reset_ms) {
        if (adversary->next_reset_ms > 0 && adv_session_reset(adversary) != 0)
            adversary->broken = true;
        adversary->next_reset_ms = now + adversary->options.reset_every_ms;
    }
    if (!adversary->broken)
        adv_write_fill(adversary);
}

/*
 * Whether none of the stopped opcodes is left on our side of the wire. Their data is short and goes
 * with the command, unless the target has to ask for it (R2T): then only the answer says so.
 */
static bool is_quiet(const struct adversary *adversary)
{
    if (adversary->session == NULL || adversary->broken)
        return true;
    for (uint64_t i = 0; adversary->options.r2t && i < adversary->options.depth; i++) {
        const struct adv_slot *slot = &adversary->slots[i];

        if (slot->busy && adversary->options.until_quiet[slot->op])
            return false;
    }
    return iscsi_out_queue_length(adversary->session) == 0;
}

/* One line each, once: the lab waits for these instead of sleeping. */
static void say_progress(struct adversary *adversary)
{
    if (!adversary->flooding_said && adversary->good_writes >= adversary->options.depth) {
        adversary->flooding_said = true;
        printf("{\"event\":\"flooding\"}\n");
    }
    if (adversary->quiet && !adversary->quiet_said && is_quiet(adversary)) {
        adversary->quiet_said = true;
        printf("{\"event\":\"quiet\"}\n");
    }
    if (!adversary->conflict_said && adversary->conflicts > 0) {
        adversary->conflict_said = true;
        printf("{\"event\":\"conflict\"}\n");
    }
}

static int flood(struct adversary *adversary, int signals)
{
    uint64_t end =
        adversary->options.seconds > 0 ? now_ms() + adversary->options.seconds * 1000u : UINT64_MAX;

    while (!take_signals(adversary, signals) && now_ms() < end) {
        bool was_broken = adversary->broken;
        act(adversary);
        adv_session_serve(adversary, was_broken ? RELOGIN_MS : SERVE_MS);
        say_progress(adversary);
    }
    adv_session_end(adversary);
    print_counters(adversary);
    return 0;
}

/* Marks the opcodes named in a comma list, or all but these when it begins with '^'. */
static int mark_ops(bool marks[ADV_OP_COUNT], const char *list)
{
    bool invert = *list == '^';
    bool named[ADV_OP_COUNT] = { false };

    list += invert ? 1 : 0;
    while (*list != '\0') {
        size_t length = strcspn(list, ",");
        int op = adv_op_find(list, length);
        if (op < 0) {
            fprintf(stderr, "adversary: no opcode is called \"%.*s\"\n", (int)length, list);
            return -1;
        }
        named[op] = true;
        list += length + (list[length] == ',' ? 1 : 0);
    }
    for (unsigned i = 0; i < ADV_OP_COUNT; i++)
        marks[i] = marks[i] || (named[i] != invert);
    return 0;
}

static int take_number(const char *word, uint64_t *ret_number)
{
    char *end = NULL;
    uint64_t number = strtoull(word, &end, 0);
    if (*word == '\0' || *end != '\0') {
        fprintf(stderr, "adversary: not a number: \"%s\"\n", word);
        return -1;
    }
    *ret_number = number;
    return 0;
}

static int take_isid(struct adv_options *options, const char *word)
{
    return sscanf(word, "%" SCNx32 ":%" SCNx32, &options->isid_en, &options->isid_qualifier) == 2
               ? 0
               : -1;
}

enum { OPT_NUMBER = 1000 };

struct number_option {
    const char *name;
    size_t offset;
};

static const struct number_option number_options[] = {
    { "key", offsetof(struct adv_options, key) },
    { "node", offsetof(struct adv_options, node) },
    { "generation", offsetof(struct adv_options, generation) },
    { "first", offsetof(struct adv_options, first_lba) },
    { "count", offsetof(struct adv_options, blocks) },
    { "seed", offsetof(struct adv_options, seed) },
    { "depth", offsetof(struct adv_options, depth) },
    { "seconds", offsetof(struct adv_options, seconds) },
    { "pr-every", offsetof(struct adv_options, pr_every_ms) },
    { "storm-resets", offsetof(struct adv_options, reset_every_ms) },
    { "max-blocks", offsetof(struct adv_options, max_blocks) },
};
#define NUMBER_OPTIONS (sizeof(number_options) / sizeof(number_options[0]))

static const struct option other_options[] = {
    { "url", required_argument, NULL, 'u' },
    { "initiator", required_argument, NULL, 'i' },
    { "isid", required_argument, NULL, 'I' },
    { "without", required_argument, NULL, 'w' },
    { "until-quiet", required_argument, NULL, 'q' },
    { "mode", required_argument, NULL, 'm' },
    { "no-own", no_argument, NULL, 'n' },
    { "r2t", no_argument, NULL, 'r' },
};
#define OTHER_OPTIONS (sizeof(other_options) / sizeof(other_options[0]))

static int take_option(struct adv_options *options, int which)
{
    switch (which) {
    case 'u':
        options->url = optarg;
        return 0;
    case 'i':
        options->initiator = optarg;
        return 0;
    case 'I':
        return take_isid(options, optarg);
    case 'w':
        return mark_ops(options->disabled, optarg);
    case 'q':
        return mark_ops(options->until_quiet, optarg);
    case 'm':
        options->mode = optarg;
        return 0;
    case 'n':
        options->own = false;
        return 0;
    case 'r':
        options->r2t = true;
        return 0;
    default:
        if (which < OPT_NUMBER)
            return -1;
        return take_number(optarg, (uint64_t *)(void *)((char *)options +
                                                        number_options[which - OPT_NUMBER].offset));
    }
}

static int parse(struct adv_options *options, int argc, char **argv)
{
    struct option all[NUMBER_OPTIONS + OTHER_OPTIONS + 1];
    int which;

    memset(all, 0, sizeof(all));
    memcpy(all, other_options, sizeof(other_options));
    for (size_t i = 0; i < NUMBER_OPTIONS; i++)
        all[OTHER_OPTIONS + i] = (struct option) { number_options[i].name, required_argument, NULL,
                                                   OPT_NUMBER + (int)i };
    while ((which = getopt_long(argc, argv, "", all, NULL)) != -1) {
        if (take_option(options, which) != 0)
            return -1;
    }
    if (optind != argc || options->url == NULL || options->initiator == NULL ||
        options->depth > ADV_MAX_DEPTH || options->max_blocks == 0 ||
        options->max_blocks > ADV_MAX_BLOCKS || options->node > UINT16_MAX)
        return -1;
    if (strcmp(options->mode, "flood") == 0 && options->depth > 0 && options->blocks == 0)
        return -1;
    if (options->blocks == 0)
        options->blocks = 1;
    return 0;
}

static int prepare(struct adversary *adversary)
{
    struct iscsi_context *parser = iscsi_create_context(adversary->options.initiator);

    adversary->where = parser != NULL ? iscsi_parse_full_url(parser, adversary->options.url) : NULL;
    if (parser != NULL)
        iscsi_destroy_context(parser);
    adversary->random = lab_mix(adversary->options.seed);
    for (uint64_t i = 0; i < ADV_MAX_DEPTH; i++) {
        adversary->slots[i].adversary = adversary;
        adversary->slots[i].data = malloc(2 * ADV_MAX_BLOCKS * LAB_STAMP_BYTES);
        if (adversary->slots[i].data == NULL)
            return -1;
    }
    return adversary->where != NULL ? 0 : -1;
}

static void dispose(struct adversary *adversary)
{
    adv_session_end(adversary);
    if (adversary->where != NULL)
        iscsi_destroy_url(adversary->where);
    for (uint64_t i = 0; i < ADV_MAX_DEPTH; i++)
        free(adversary->slots[i].data);
    free(adversary);
}

static int run(struct adversary *adversary, int signals)
{
    const char *mode = adversary->options.mode;

    if (strcmp(mode, "flood") == 0)
        return flood(adversary, signals);
    if (strcmp(mode, "probe") == 0)
        return adv_mode_probe(adversary);
    if (strcmp(mode, "show") == 0)
        return adv_mode_show(adversary);
    if (strcmp(mode, "clear") == 0)
        return adv_mode_clear(adversary);
    fprintf(stderr, "adversary: no mode is called \"%s\"\n", mode);
    return 2;
}

int main(int argc, char **argv)
{
    struct adversary *adversary = calloc(1, sizeof(*adversary));
    sigset_t set;
    int signals, rc = 1;

    if (adversary == NULL)
        return 1;
    adversary->options = (struct adv_options) { .mode = "flood",
                                                .depth = 64,
                                                .max_blocks = ADV_MAX_BLOCKS,
                                                .own = true,
                                                .pr_every_ms = 50,
                                                .isid_en = 0xab0001 };
    if (parse(&adversary->options, argc, argv) != 0) {
        fprintf(stderr,
                "usage: adversary --url URL --initiator NAME --isid HEX:HEX --key K --node N "
                "--generation G "
                "--first LBA --count BLOCKS [--seed N] [--depth N] [--seconds N] [--pr-every MS] "
                "[--storm-resets MS] [--without OPS] [--until-quiet OPS] [--no-own] [--r2t] "
                "[--mode flood|probe|show|clear]\n");
        free(adversary);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (signals >= 0 && prepare(adversary) == 0)
        rc = run(adversary, signals);
    if (signals >= 0)
        close(signals);
    dispose(adversary);
    return rc;
}
