/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Single operations on a LUN, for tests of backends: lunop URL WORD..., each word one operation,
 *   login logout drop tur reset flush identify keys holder
 *   pause                                                             for a line on stdin
 *   register:OLD:NEW reserve:KEY preempt:KEY:VICTIM release:KEY       keys in hex
 *   write:OFFSET:BYTES:LETTER[+fua] read:OFFSET:BYTES
 * and one line for each: the word, how it ended, what it found. Ends with 0 if all could be
 * submitted. Decides nothing, repeats nothing: unit attentions are shown.
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/sto_lun.h"
#include "storage/sto_pr.h"
#include "storage/sto_url.h"

enum {
    BUFFER_BYTES = 1 << 20,
    ARGUMENTS = 4,
    IDENTIFY_MS = 20000,
    TIMEOUT_MS = 60000,
    LOGIN_MS = 10000
};

struct tool {
    struct sto_lun *lun;
    void *buffer;
    char *arguments[ARGUMENTS]; /* of the word under way */
    unsigned count;
};

static uint64_t number(const struct tool *tool, unsigned at, int base)
{
    return at < tool->count ? strtoull(tool->arguments[at], NULL, base) : 0;
}

static void show(const char *word, const struct sto_op *op)
{
    printf("%s %s", word, sto_rc_name(op->result.rc));
    if (op->result.rc == STO_UNIT_ATTENTION || op->result.rc == STO_ILLEGAL)
        printf(" %04x", op->result.asc_ascq);
    if (op->result.detail[0])
        printf(" (%s)", op->result.detail);
}

static int run(struct tool *tool, const char *word, struct sto_op *op)
{
    int rc;

    op->timeout_ms = op->kind == STO_OP_LOGIN ? LOGIN_MS : TIMEOUT_MS;
    rc = sto_run_op(tool->lun, op);
    if (rc < 0) {
        printf("%s cannot be submitted: %s\n", word, strerror(-rc));
        return rc;
    }
    show(word, op);
    return 0;
}

static int simple(struct tool *tool, const char *word, enum sto_op_kind kind,
                  enum sto_session session)
{
    struct sto_op op = { .kind = kind, .session = session };
    int rc = run(tool, word, &op);

    if (rc == 0)
        puts("");
    return rc;
}

static int login(struct tool *tool, enum sto_op_kind kind)
{
    const char *word = kind == STO_OP_LOGIN ? "login" : "logout";
    int rc = simple(tool, word, kind, STO_SESSION_CONTROL);

    return rc == 0 ? simple(tool, word, kind, STO_SESSION_DATA) : rc;
}

static int test_unit(struct tool *tool)
{
    struct sto_op op = { .kind = STO_OP_SCSI, .session = STO_SESSION_CONTROL, .cdb_bytes = 6 };
    int rc = run(tool, "tur", &op);

    if (rc == 0)
        puts("");
    return rc;
}

static int reserve_in(struct tool *tool, const char *word, enum sto_pr_in action)
{
    struct iovec iov = { tool->buffer, STO_PR_KEYS_ANSWER_BYTES };
    struct sto_op op = { .kind = STO_OP_SCSI,
                         .session = STO_SESSION_CONTROL,
                         .iov = &iov,
                         .iov_count = 1,
                         .direction = STO_DIRECTION_IN };
    struct sto_pr_reservation held;
    struct sto_pr_keys keys;
    int rc;

    op.cdb_bytes = sto_pr_in_cdb(action, STO_PR_KEYS_ANSWER_BYTES, op.cdb);
    rc = run(tool, word, &op);
    if (rc < 0)
        return rc;
    if (op.result.rc == STO_OK && action == STO_PR_READ_KEYS &&
        sto_pr_decode_keys(tool->buffer, op.result.transferred_bytes, &keys) == 0)
        for (unsigned at = 0; at < keys.count; at++)
            printf(" %" PRIx64, keys.keys[at]);
    if (op.result.rc == STO_OK && action == STO_PR_READ_RESERVATION &&
        sto_pr_decode_reservation(tool->buffer, op.result.transferred_bytes, &held) == 0) {
        if (held.held)
            printf(" %" PRIx64 " type %u", held.key, held.type);
        else
            printf(" none");
    }
    puts("");
    return 0;
}

static int reserve_out(struct tool *tool, const char *word, enum sto_pr_out action)
{
    struct sto_pr_out_request request = { .action = action,
                                          .type = STO_PR_EXCLUSIVE_ACCESS,
                                          .key = number(tool, 1, 16),
                                          .service_key = number(tool, 2, 16),
                                          .aptpl = action == STO_PR_REGISTER };
    struct iovec iov = { tool->buffer, STO_PR_OUT_PARAMETER_BYTES };
    struct sto_op op = {
        .kind = STO_OP_SCSI, .iov = &iov, .iov_count = 1, .direction = STO_DIRECTION_OUT
    };
    int rc;

    op.cdb_bytes = sto_pr_out_encode(&request, op.cdb, tool->buffer);
    rc = run(tool, word, &op);
    if (rc == 0)
        puts("");
    return rc;
}

static int transfer(struct tool *tool, const char *word, enum sto_op_kind kind)
{
    struct iovec iov = { tool->buffer, (size_t)number(tool, 2, 0) };
    struct sto_op op = {
        .kind = kind, .offset_bytes = number(tool, 1, 0), .iov = &iov, .iov_count = 1
    };
    int rc;

    if (iov.iov_len > BUFFER_BYTES)
        return -EINVAL;
    if (kind == STO_OP_WRITE)
        memset(tool->buffer, tool->count > 3 ? tool->arguments[3][0] : 'x', iov.iov_len);
    if (kind == STO_OP_WRITE && tool->count > 3 && strstr(tool->arguments[3], "+fua"))
        op.flags = STO_FUA;
    rc = run(tool, word, &op);
    if (rc == 0 && kind == STO_OP_READ && op.result.rc == STO_OK)
        printf(" %c", *(const char *)tool->buffer);
    if (rc == 0)
        puts("");
    return rc;
}

static int identify(struct tool *tool)
{
    struct hw_error error = { 0 };
    struct sto_facts facts;
    char line[HW_ERROR_LINE_BYTES];

    if (sto_run_identify(tool->lun, IDENTIFY_MS, &facts, &error) < 0) {
        hw_error_line(&error, line, sizeof(line));
        printf("identify failed (%s)\n", line);
        return 0;
    }
    printf("identify ok %s %s %" PRIu64 " bytes, blocks of %u, aptpl %d, serial %s\n", facts.vendor,
           facts.product, facts.capacity_bytes, facts.block_bytes, facts.keeps_over_power_loss,
           facts.serial);
    return 0;
}

/* The LUN is served meanwhile only by the kernel: nothing of ours is in flight. */
static int wait_for_line(void)
{
    int character;

    puts("pause");
    do
        character = getchar();
    while (character != '\n' && character != EOF);
    return 0;
}

static int run_word(struct tool *tool, const char *word)
{
    static const struct {
        const char *word;
        enum sto_pr_out action;
    } outs[] = { { "register", STO_PR_REGISTER },
                 { "reserve", STO_PR_RESERVE },
                 { "preempt", STO_PR_PREEMPT },
                 { "release", STO_PR_RELEASE } };

    for (size_t at = 0; at < sizeof(outs) / sizeof(outs[0]); at++)
        if (strcmp(word, outs[at].word) == 0)
            return reserve_out(tool, word, outs[at].action);
    if (strcmp(word, "login") == 0)
        return login(tool, STO_OP_LOGIN);
    if (strcmp(word, "logout") == 0)
        return login(tool, STO_OP_LOGOUT);
    if (strcmp(word, "tur") == 0)
        return test_unit(tool);
    if (strcmp(word, "identify") == 0)
        return identify(tool);
    if (strcmp(word, "keys") == 0)
        return reserve_in(tool, word, STO_PR_READ_KEYS);
    if (strcmp(word, "holder") == 0)
        return reserve_in(tool, word, STO_PR_READ_RESERVATION);
    if (strcmp(word, "write") == 0)
        return transfer(tool, word, STO_OP_WRITE);
    if (strcmp(word, "read") == 0)
        return transfer(tool, word, STO_OP_READ);
    if (strcmp(word, "flush") == 0)
        return simple(tool, word, STO_OP_FLUSH, STO_SESSION_DATA);
    if (strcmp(word, "reset") == 0)
        return simple(tool, word, STO_OP_LUN_RESET, STO_SESSION_CONTROL);
    if (strcmp(word, "pause") == 0)
        return wait_for_line();
    if (strcmp(word, "drop") != 0)
        return -EINVAL;
    sto_lun_drop(tool->lun, STO_SESSION_DATA);
    sto_lun_drop(tool->lun, STO_SESSION_CONTROL);
    return 0;
}

/* A word and its arguments behind colons. */
static void take_apart(struct tool *tool, char *word)
{
    char *rest = NULL;

    tool->count = 0;
    for (char *part = strtok_r(word, ":", &rest); part && tool->count < ARGUMENTS;
         part = strtok_r(NULL, ":", &rest))
        tool->arguments[tool->count++] = part;
}

static int open_lun(const char *text, struct sto_lun **ret_lun)
{
    struct sto_lun_options options = { .connect_ms = LOGIN_MS };
    struct hw_error error = { 0 };
    char line[HW_ERROR_LINE_BYTES];
    struct sto_url url;
    int rc = sto_url_parse(text, &url, &error);

    if (rc == 0)
        rc = sto_lun_open(&url, &options, ret_lun, &error);
    if (rc < 0) {
        hw_error_line(&error, line, sizeof(line));
        printf("open refused (%s)\n", line);
    }
    return rc;
}

int main(int argc, char *argv[])
{
    struct tool tool = { 0 };
    int rc = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc < 2 || posix_memalign(&tool.buffer, 4096, BUFFER_BYTES) != 0) {
        fprintf(stderr, "usage: lunop URL WORD...\n");
        return 2;
    }
    if (open_lun(argv[1], &tool.lun) < 0) {
        free(tool.buffer);
        return 3;
    }
    for (int at = 2; at < argc && rc == 0; at++) {
        take_apart(&tool, argv[at]);
        rc = tool.count > 0 ? run_word(&tool, tool.arguments[0]) : -EINVAL;
    }
    sto_lun_close(tool.lun);
    free(tool.buffer);
    return rc < 0 ? 1 : 0;
}
