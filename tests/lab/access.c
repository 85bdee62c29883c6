/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A player of the lab: one LUN, reached with hawser's own code, led by lines on standard input,
 * telling each outcome as a JSON line. usage: access [OPTION VALUE]... URL
 *   --initiator NAME  --connect-ms N  --io-ms N  --nop-ms N  --read-only 1
 * Commands: login data|control, identify, write SEED, verify SEED, flush, reset, drop, logout,
 * quit. `write` and `verify` keep 64 operations in flight over the first 8 MiB.
 */
#include <config.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/hw_prng.h"
#include "storage/sto_lun.h"
#include "storage/sto_url.h"

enum { AREA_BYTES = 8 << 20, PIECE_BYTES = 20480, DEPTH = 64, LINE_BYTES = 256 };
enum { PIECES = AREA_BYTES / PIECE_BYTES };

struct slot {
    struct sto_op op;
    struct iovec iov;
    unsigned piece;
    uint8_t data[PIECE_BYTES];
};

struct player {
    struct sto_lun *lun;
    uint64_t seed;
    enum sto_op_kind kind;
    unsigned next, ended, wrong;
    enum sto_rc worst;
    char detail[STO_DETAIL_BYTES];
    struct slot slots[DEPTH];
};

static void tell(const char *event, const char *rc, const char *detail)
{
    char clean[2 * STO_DETAIL_BYTES + HW_ERROR_LINE_BYTES];
    size_t at = 0;

    for (; *detail != '\0' && at + 1 < sizeof(clean); detail++)
        clean[at++] = *detail == '"' || *detail == '\\' || *detail < ' ' ? '?' : *detail;
    clean[at] = '\0';
    printf("{\"event\":\"%s\",\"rc\":\"%s\",\"detail\":\"%s\"}\n", event, rc, clean);
    fflush(stdout);
}

static void session_down(void *context, enum sto_session session, const char *why)
{
    (void)context;
    tell(session == STO_SESSION_DATA ? "down-data" : "down-control", "down", why);
}

/* --- single operations --- */

static void ignore(struct sto_op *op)
{
    (void)op;
}

static void run(struct player *player, const char *event, struct sto_op *op)
{
    int rc;

    op->done = ignore;
    rc = sto_run_op(player->lun, op);
    if (rc < 0)
        tell(event, "not-taken", strerror(-rc));
    else
        tell(event, sto_rc_name(op->result.rc), op->result.detail);
}

static void identify(struct player *player)
{
    struct hw_error error = { 0 };
    struct sto_facts facts;
    char text[HW_ERROR_LINE_BYTES];

    if (sto_run_identify(player->lun, 10000, &facts, &error) < 0) {
        hw_error_line(&error, text, sizeof(text));
        tell("identify", "failed", text);
        return;
    }
    snprintf(text, sizeof(text), "%llu bytes, %s%s", (unsigned long long)facts.capacity_bytes,
             facts.wwid, facts.read_only ? ", read-only" : "");
    tell("identify", "ok", text);
}

/* --- many operations --- */

static void fill(const struct player *player, unsigned piece, uint8_t *data)
{
    struct hw_prng prng = hw_prng_seeded(player->seed * PIECES + piece);

    for (size_t i = 0; i < PIECE_BYTES; i += 8) {
        uint64_t value = hw_prng_next(&prng);

        memcpy(data + i, &value, 8);
    }
}

static void piece_done(struct sto_op *op);

static void start_piece(struct player *player, struct slot *slot)
{
    int rc;

    if (player->next == PIECES)
        return;
    slot->piece = player->next++;
    slot->iov = (struct iovec) { slot->data, PIECE_BYTES };
    slot->op = (struct sto_op) { .kind = player->kind,
                                 .offset_bytes = (uint64_t)slot->piece * PIECE_BYTES,
                                 .iov = &slot->iov,
                                 .iov_count = 1,
                                 .done = piece_done,
                                 .context = player };
    if (player->kind == STO_OP_WRITE)
        fill(player, slot->piece, slot->data);
    else
        memset(slot->data, 0, PIECE_BYTES);
    rc = sto_lun_submit(player->lun, &slot->op);
    if (rc < 0) {
        player->ended++;
        player->worst = STO_ILLEGAL;
        snprintf(player->detail, sizeof(player->detail), "not taken: %s", strerror(-rc));
    }
}

static void piece_done(struct sto_op *op)
{
    struct player *player = op->context;
    struct slot *slot = (struct slot *)op;
    uint8_t want[PIECE_BYTES];

    player->ended++;
    if (op->result.rc != STO_OK) {
        if (player->worst == STO_OK)
            snprintf(player->detail, sizeof(player->detail), "%s", op->result.detail);
        if (op->result.rc > player->worst)
            player->worst = op->result.rc;
    } else if (player->kind == STO_OP_READ) {
        fill(player, slot->piece, want);
        player->wrong += memcmp(want, slot->data, PIECE_BYTES) != 0;
    }
    start_piece(player, slot);
}

static void service(struct player *player)
{
    struct pollfd poll_fd = { sto_lun_fd(player->lun), sto_lun_events(player->lun), 0 };

    (void)poll(&poll_fd, 1, 1000);
    sto_lun_service(player->lun, poll_fd.revents);
}

static void run_many(struct player *player, const char *event, enum sto_op_kind kind,
                     const char *seed)
{
    player->seed = strtoull(seed, NULL, 10);
    player->kind = kind;
    player->next = player->ended = player->wrong = 0;
    player->worst = STO_OK;
    player->detail[0] = '\0';
    for (unsigned i = 0; i < DEPTH; i++)
        start_piece(player, &player->slots[i]);
    while (player->ended < PIECES)
        service(player);
    if (player->worst == STO_OK && player->wrong > 0)
        tell(event, "wrong-data", "");
    else
        tell(event, sto_rc_name(player->worst), player->detail);
}

/* --- commands --- */

/* False: quit. */
static bool obey(struct player *player, const char *line)
{
    struct sto_op op = { .kind = STO_OP_FLUSH };

    if (strcmp(line, "quit") == 0)
        return false;
    if (strncmp(line, "login ", 6) == 0) {
        op.kind = STO_OP_LOGIN;
        op.session = strcmp(line + 6, "data") == 0 ? STO_SESSION_DATA : STO_SESSION_CONTROL;
        run(player, "login", &op);
    } else if (strcmp(line, "identify") == 0) {
        identify(player);
    } else if (strncmp(line, "write ", 6) == 0) {
        run_many(player, "write", STO_OP_WRITE, line + 6);
    } else if (strncmp(line, "verify ", 7) == 0) {
        run_many(player, "verify", STO_OP_READ, line + 7);
    } else if (strcmp(line, "flush") == 0) {
        run(player, "flush", &op);
    } else if (strcmp(line, "reset") == 0) {
        op.kind = STO_OP_LUN_RESET;
        run(player, "reset", &op);
    } else if (strcmp(line, "logout") == 0) {
        op.kind = STO_OP_LOGOUT;
        run(player, "logout", &op);
    } else if (strcmp(line, "drop") == 0) {
        sto_lun_drop(player->lun, STO_SESSION_DATA);
        tell("drop", "ok", "");
    } else {
        tell("command", "not-known", line);
    }
    return true;
}

/* Lines as they come, the LUN served meanwhile. */
static void play(struct player *player)
{
    char line[LINE_BYTES];
    size_t size = 0;

    for (;;) {
        struct pollfd fds[2] = { { STDIN_FILENO, POLLIN, 0 },
                                 { sto_lun_fd(player->lun), sto_lun_events(player->lun), 0 } };

        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return;
        sto_lun_service(player->lun, fds[1].revents);
        if (fds[0].revents == 0)
            continue;
        if (size + 1 >= sizeof(line) || read(STDIN_FILENO, line + size, 1) != 1)
            return;
        if (line[size++] != '\n')
            continue;
        line[size - 1] = '\0';
        size = 0;
        if (!obey(player, line))
            return;
    }
}

static bool set_option(struct sto_lun_options *options, const char *name, const char *value)
{
    uint32_t number = (uint32_t)strtoul(value, NULL, 10);

    if (strcmp(name, "--initiator") == 0)
        options->initiator = value;
    else if (strcmp(name, "--connect-ms") == 0)
        options->connect_ms = number;
    else if (strcmp(name, "--io-ms") == 0)
        options->io_timeout_ms = number;
    else if (strcmp(name, "--nop-ms") == 0)
        options->nop_ms = number;
    else if (strcmp(name, "--read-only") == 0)
        options->read_only = number != 0;
    else
        return false;
    return true;
}

int main(int argc, char **argv)
{
    struct sto_lun_options options = { .notify = { session_down, NULL } };
    struct hw_error error = { 0 };
    struct player *player = calloc(1, sizeof(*player));
    struct sto_url url;
    const char *rest;
    char text[HW_ERROR_LINE_BYTES];
    int at = 1;

    for (; at + 2 < argc; at += 2)
        if (!set_option(&options, argv[at], argv[at + 1]))
            break;
    if (player == NULL || at + 1 != argc) {
        fprintf(stderr, "usage: access [OPTION VALUE]... URL\n");
        free(player);
        return 2;
    }
    if (sto_url_parse_option(argv[at], &url, &rest, &error) < 0 ||
        sto_lun_open(&url, &options, &player->lun, &error) < 0) {
        hw_error_line(&error, text, sizeof(text));
        tell("open", "failed", text);
        free(player);
        return 1;
    }
    tell("open", "ok", sto_lun_name(player->lun));
    play(player);
    sto_lun_close(player->lun);
    free(player);
    return 0;
}
