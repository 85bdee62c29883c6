/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/sto_file and storage/sto_uring: data goes where it should whatever its alignment, the
 * lock keeps a second writer out, sessions come and go, and many operations are in flight.
 */
#include <config.h>

#include "storage/sto_uring.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#include "common/hw_prng.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/lun_file.h"

static void tells_its_facts(void)
{
    struct lun_file file;

    lun_file_make(&file);
    lun_file_start(&file, "", NULL);
    CU_ASSERT_EQUAL(file.facts.capacity_bytes, LUN_FILE_BYTES);
    CU_ASSERT_EQUAL(file.facts.block_bytes, 512);
    CU_ASSERT_FALSE(file.facts.scsi);
    CU_ASSERT_FALSE(file.facts.reservations);
    CU_ASSERT_EQUAL(strncmp(file.facts.wwid, "file:", 5), 0);
    CU_ASSERT_PTR_NOT_NULL(sto_lun_facts(file.lun));
    lun_file_end(&file);
}

static void fill(uint8_t *data, size_t bytes, uint64_t seed)
{
    struct hw_prng prng = hw_prng_seeded(seed);

    for (size_t i = 0; i < bytes; i++)
        data[i] = (uint8_t)hw_prng_next(&prng);
}

/* Any memory, any cut into pieces: what was written is read back, and stands in the file. */
static void moves_data_of_any_alignment(void)
{
    enum { BYTES = 16384 };
    static uint8_t out[BYTES + 8], in[BYTES + 8], raw[BYTES];
    struct lun_file file;
    int fd;

    lun_file_make(&file);
    lun_file_start(&file, "", NULL);
    fd = open(file.path, O_RDONLY);
    CU_ASSERT_FATAL(fd >= 0);
    for (unsigned shift = 0; shift < 8; shift += 3) {
        struct iovec pieces[4] = { { out + shift, 100 },
                                   { out + shift + 100, 0 },
                                   { out + shift + 100, 4000 },
                                   { out + shift + 4100, BYTES - 4100 } };
        struct iovec back[2] = { { in + shift, 777 }, { in + shift + 777, BYTES - 777 } };
        struct sto_op write_op = { .kind = STO_OP_WRITE,
                                   .offset_bytes = 512,
                                   .iov = pieces,
                                   .iov_count = 4,
                                   .flags = shift == 3 ? STO_FUA : 0 };
        struct sto_op read_op = {
            .kind = STO_OP_READ, .offset_bytes = 512, .iov = back, .iov_count = 2
        };

        fill(out, sizeof(out), shift);
        memset(in, 0, sizeof(in));
        CU_ASSERT_EQUAL(lun_file_run(&file, &write_op), STO_OK);
        CU_ASSERT_EQUAL(write_op.result.transferred_bytes, BYTES);
        CU_ASSERT_EQUAL(lun_file_run(&file, &read_op), STO_OK);
        CU_ASSERT_EQUAL(memcmp(in + shift, out + shift, BYTES), 0);
        CU_ASSERT_EQUAL(pread(fd, raw, BYTES, 512), BYTES);
        CU_ASSERT_EQUAL(memcmp(raw, out + shift, BYTES), 0);
    }
    close(fd);
    lun_file_end(&file);
}

static void zeroes_and_discards(void)
{
    enum { BYTES = 200 * 1024 };
    static uint8_t data[BYTES];
    struct lun_file file;
    struct sto_op op = { .kind = STO_OP_FLUSH };

    lun_file_make(&file);
    lun_file_start(&file, "", NULL);
    for (unsigned i = 0; i < 2; i++) {
        op.kind = i == 0 ? STO_OP_WRITE_ZEROES : STO_OP_DISCARD;
        op.offset_bytes = 1024;
        op.length_bytes = BYTES - 2048;
        memset(data, 0x55, sizeof(data));
        CU_ASSERT_EQUAL(lun_file_move(&file, STO_OP_WRITE, 0, data, BYTES, NULL), STO_OK);
        CU_ASSERT_EQUAL(lun_file_run(&file, &op), STO_OK);
        CU_ASSERT_EQUAL(op.result.transferred_bytes, BYTES - 2048);
        CU_ASSERT_EQUAL(lun_file_move(&file, STO_OP_READ, 0, data, BYTES, NULL), STO_OK);
        CU_ASSERT_EQUAL(data[1023], 0x55);
        CU_ASSERT_EQUAL(data[BYTES - 1024], 0x55);
        for (size_t at = 1024; at < BYTES - 1024; at++)
            CU_ASSERT_EQUAL_FATAL(data[at], 0);
    }
    op.kind = STO_OP_FLUSH;
    CU_ASSERT_EQUAL(lun_file_run(&file, &op), STO_OK);
    op.kind = STO_OP_LUN_RESET;
    CU_ASSERT_EQUAL(lun_file_run(&file, &op), STO_UNSUPPORTED);
    lun_file_end(&file);
}

static void judges_before_it_sends(void)
{
    struct lun_file file;
    uint8_t data[1024] = { 0 };
    struct iovec iov = { data, 512 };
    struct sto_op op = { .kind = STO_OP_READ, .iov = &iov, .iov_count = 1, .done = lun_file_done };

    lun_file_make(&file);
    lun_file_start(&file, "", NULL);
    op.offset_bytes = 100;
    CU_ASSERT_EQUAL(sto_lun_submit(file.lun, &op), -EINVAL);
    op.offset_bytes = LUN_FILE_BYTES;
    CU_ASSERT_EQUAL(sto_lun_submit(file.lun, &op), -EINVAL);
    op.offset_bytes = UINT64_MAX - 511;
    CU_ASSERT_EQUAL(sto_lun_submit(file.lun, &op), -EINVAL);
    op.offset_bytes = 0;
    iov.iov_len = 0;
    CU_ASSERT_EQUAL(sto_lun_submit(file.lun, &op), -EINVAL);
    iov.iov_len = 511;
    CU_ASSERT_EQUAL(sto_lun_submit(file.lun, &op), -EINVAL);
    iov.iov_len = 512;
    op.iov = NULL;
    CU_ASSERT_EQUAL(sto_lun_submit(file.lun, &op), -EINVAL);
    op.iov = &iov;
    op.done = NULL;
    CU_ASSERT_EQUAL(sto_lun_submit(file.lun, &op), -EINVAL);
    op.done = lun_file_done;
    op.session = STO_SESSIONS;
    CU_ASSERT_EQUAL(sto_lun_submit(file.lun, &op), -EINVAL);
    op.session = STO_SESSION_DATA;
    op.kind = STO_OP_LOGIN;
    CU_ASSERT_EQUAL(sto_lun_submit(file.lun, &op), -EALREADY);
    CU_ASSERT_EQUAL(sto_lun_in_flight(file.lun), 0);
    lun_file_end(&file);
}

static void read_only_writes_nothing(void)
{
    struct lun_file file;
    struct sto_lun_options options = { .read_only = true };
    uint8_t data[512];
    struct iovec iov = { data, 512 };
    struct sto_op op = { .kind = STO_OP_WRITE, .iov = &iov, .iov_count = 1, .done = lun_file_done };

    lun_file_make(&file);
    lun_file_start(&file, "", &options);
    CU_ASSERT_TRUE(file.facts.read_only);
    CU_ASSERT_EQUAL(sto_lun_submit(file.lun, &op), -EROFS);
    op.kind = STO_OP_DISCARD;
    op.iov_count = 0;
    op.length_bytes = 512;
    CU_ASSERT_EQUAL(sto_lun_submit(file.lun, &op), -EROFS);
    CU_ASSERT_EQUAL(lun_file_move(&file, STO_OP_READ, 0, data, 512, NULL), STO_OK);
    lun_file_end(&file);
}

static void second_writer_is_kept_out(void)
{
    struct lun_file first;
    struct lun_file second;
    struct sto_lun_options readers = { .read_only = true };
    struct sto_op op = { .kind = STO_OP_LOGIN };

    lun_file_make(&first);
    lun_file_start(&first, "", NULL);
    second = first;
    CU_ASSERT_EQUAL_FATAL(lun_file_open(&second, "", NULL), 0);
    CU_ASSERT_EQUAL(lun_file_run(&second, &op), STO_BUSY); /* it may be free soon */
    CU_ASSERT_PTR_NOT_NULL(strstr(op.result.detail, "in use"));
    sto_lun_close(second.lun);
    lun_file_start(&second, "", &readers);
    sto_lun_close(second.lun);
    sto_lun_close(first.lun);
    lun_file_start(&second, "", NULL); /* and the lock is gone with its holder */
    lun_file_end(&second);
}

static void refuses_what_is_no_file(void)
{
    static const char *const paths[] = { "/nonexistent/x", "/dev/null", "/tmp" };

    for (unsigned i = 0; i < 3; i++) {
        struct lun_file file;
        struct sto_op op = { .kind = STO_OP_LOGIN };

        snprintf(file.path, sizeof(file.path), "%s", paths[i]);
        CU_ASSERT_EQUAL_FATAL(lun_file_open(&file, "", NULL), 0);
        CU_ASSERT_EQUAL(lun_file_run(&file, &op), STO_LOGIN_REFUSED);
        CU_ASSERT_NOT_EQUAL(op.result.detail[0], '\0');
        op.kind = STO_OP_FLUSH;
        CU_ASSERT_EQUAL(lun_file_run(&file, &op), STO_NOT_SENT);
        CU_ASSERT_EQUAL(sto_run_identify(file.lun, 1000, NULL, NULL), -ETIMEDOUT);
        sto_lun_close(file.lun);
    }
}

/* --- many in flight --- */

enum { MANY = 300, PIECE = 2048 };
static struct sto_op many[MANY];
static struct iovec many_iov[MANY];
static uint8_t many_data[MANY][PIECE];
static unsigned many_done;

static void count_done(struct sto_op *op)
{
    (void)op;
    many_done++;
}

static void submit_many(struct lun_file *file, enum sto_op_kind kind)
{
    many_done = 0;
    for (unsigned i = 0; i < MANY; i++) {
        many_iov[i] = (struct iovec) { many_data[i], PIECE };
        many[i] = (struct sto_op) { .kind = kind,
                                    .offset_bytes = (uint64_t)i * PIECE,
                                    .iov = &many_iov[i],
                                    .iov_count = 1,
                                    .done = count_done };
        CU_ASSERT_EQUAL_FATAL(sto_lun_submit(file->lun, &many[i]), 0);
    }
    CU_ASSERT_EQUAL(many_done, 0); /* never from the submit */
    CU_ASSERT_EQUAL(sto_lun_in_flight(file->lun), MANY);
}

static void wait_many(struct lun_file *file)
{
    while (many_done < MANY) {
        struct pollfd poll_fd = { sto_lun_fd(file->lun), sto_lun_events(file->lun), 0 };

        CU_ASSERT_EQUAL_FATAL(poll(&poll_fd, 1, 10000), 1);
        sto_lun_service(file->lun, poll_fd.revents);
    }
}

static void many_in_flight(void)
{
    struct lun_file file;

    lun_file_make(&file);
    lun_file_start(&file, "", NULL);
    for (unsigned i = 0; i < MANY; i++)
        fill(many_data[i], PIECE, i);
    submit_many(&file, STO_OP_WRITE);
    wait_many(&file);
    memset(many_data, 0, sizeof(many_data));
    submit_many(&file, STO_OP_READ);
    wait_many(&file);
    for (unsigned i = 0; i < MANY; i++) {
        uint8_t want[PIECE];

        fill(want, PIECE, i);
        CU_ASSERT_EQUAL(many[i].result.rc, STO_OK);
        CU_ASSERT_EQUAL(memcmp(want, many_data[i], PIECE), 0);
    }
    submit_many(&file, STO_OP_WRITE);
    lun_file_end(&file); /* with all of them in flight: each ends once */
    CU_ASSERT_EQUAL(many_done, MANY);
}

static void dropped_and_logged_in_again(void)
{
    struct lun_file file;
    struct sto_op op = { .kind = STO_OP_LOGIN };

    lun_file_make(&file);
    lun_file_start(&file, "", NULL);
    submit_many(&file, STO_OP_READ);
    sto_lun_drop(file.lun, STO_SESSION_DATA);
    sto_lun_drop(file.lun, STO_SESSION_DATA);
    wait_many(&file);
    for (unsigned i = 0; i < MANY; i++)
        CU_ASSERT_TRUE(many[i].result.rc == STO_OK || many[i].result.rc == STO_UNKNOWN ||
                       many[i].result.rc == STO_NOT_SENT);
    CU_ASSERT_EQUAL(lun_file_move(&file, STO_OP_READ, 0, many_data, 512, NULL), STO_NOT_SENT);
    CU_ASSERT_EQUAL(lun_file_run(&file, &op), STO_OK);
    CU_ASSERT_EQUAL(lun_file_move(&file, STO_OP_READ, 0, many_data, 512, NULL), STO_OK);
    op.kind = STO_OP_LOGOUT;
    CU_ASSERT_EQUAL(lun_file_run(&file, &op), STO_OK);
    CU_ASSERT_EQUAL(lun_file_run(&file, &op), STO_NOT_SENT);
    lun_file_end(&file);
}

static void without_memory(void)
{
    struct lun_file file;

    lun_file_make(&file);
    for (unsigned n = 0;; n++) {
        struct sto_op op = { .kind = STO_OP_LOGIN };
        int rc;

        file.lun = NULL;
        fail_alloc_arm(n);
        rc = lun_file_open(&file, "", NULL);
        if (rc == 0)
            op.result.rc = lun_file_run(&file, &op);
        if (!fail_alloc_disarm()) {
            CU_ASSERT_EQUAL(op.result.rc, STO_OK);
            break;
        }
        CU_ASSERT_TRUE(rc == -ENOMEM || op.result.rc == STO_LOGIN_REFUSED ||
                       op.result.rc == STO_OK /* without direct I/O, then */);
        sto_lun_close(file.lun);
    }
    lun_file_end(&file);
}

static void errors_of_the_kernel(void)
{
    static const struct {
        int code;
        enum sto_rc rc;
    } rows[] = {
        { 0, STO_OK },
        { EBADE, STO_CONFLICT },
        { ENOSPC, STO_NO_SPACE },
        { EROFS, STO_READ_ONLY },
        { EOPNOTSUPP, STO_UNSUPPORTED },
        { EINVAL, STO_ILLEGAL },
        { EAGAIN, STO_BUSY },
        { ECANCELED, STO_UNKNOWN },
        { EIO, STO_MEDIUM },
        { ENODEV, STO_MEDIUM },
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        CU_ASSERT_EQUAL(sto_uring_judge(rows[i].code), rows[i].rc);
}

const struct unit_case unit_cases[] = {
    { "facts of a file", tells_its_facts },
    { "data of any alignment", moves_data_of_any_alignment },
    { "zeroes and discards", zeroes_and_discards },
    { "wrong operations are not taken", judges_before_it_sends },
    { "read-only means it", read_only_writes_nothing },
    { "a second writer is kept out", second_writer_is_kept_out },
    { "what is no file is refused", refuses_what_is_no_file },
    { "many in flight, each ends once", many_in_flight },
    { "dropped and logged in again", dropped_and_logged_in_again },
    { "without memory", without_memory },
    { "errors of the kernel", errors_of_the_kernel },
    { 0 },
};
