/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A scratch file as a LUN, for unit tests of what stands on the file backend.
 */
#ifndef LUN_FILE_H
#define LUN_FILE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "storage/sto_lun.h"
#include "storage/sto_url.h"
#include "tests/unit/unit.h"

enum { LUN_FILE_BYTES = 1 << 20 };

struct lun_file {
    char path[64];
    struct sto_lun *lun;
    struct sto_facts facts;
};

static inline void lun_file_done(struct sto_op *op)
{
    (void)op;
}

/* A new file of LUN_FILE_BYTES zeroes. */
static inline void lun_file_make(struct lun_file *file)
{
    int fd;

    snprintf(file->path, sizeof(file->path), "/tmp/hawser-unit-XXXXXX");
    fd = mkstemp(file->path);
    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL_FATAL(ftruncate(fd, LUN_FILE_BYTES), 0);
    close(fd);
}

static inline int lun_file_open(struct lun_file *file, const char *words,
                                const struct sto_lun_options *options)
{
    char text[256];
    struct sto_url url;

    snprintf(text, sizeof(text), "file:%s%s", file->path, words);
    CU_ASSERT_EQUAL_FATAL(sto_url_parse(text, &url, NULL), 0);
    return sto_lun_open(&url, options, &file->lun, NULL);
}

static inline enum sto_rc lun_file_run(struct lun_file *file, struct sto_op *op)
{
    op->done = lun_file_done;
    CU_ASSERT_EQUAL_FATAL(sto_run_op(file->lun, op), 0);
    return op->result.rc;
}

/* Open, log both sessions in, identify. */
static inline void lun_file_start(struct lun_file *file, const char *words,
                                  const struct sto_lun_options *options)
{
    struct sto_op op = { .kind = STO_OP_LOGIN };

    CU_ASSERT_EQUAL_FATAL(lun_file_open(file, words, options), 0);
    CU_ASSERT_EQUAL(lun_file_run(file, &op), STO_OK);
    op.session = STO_SESSION_CONTROL;
    CU_ASSERT_EQUAL(lun_file_run(file, &op), STO_OK);
    CU_ASSERT_EQUAL_FATAL(sto_run_identify(file->lun, 10000, &file->facts, NULL), 0);
}

static inline void lun_file_end(struct lun_file *file)
{
    sto_lun_close(file->lun);
    unlink(file->path);
}

/* READ or WRITE of one buffer. */
static inline enum sto_rc lun_file_move(struct lun_file *file, enum sto_op_kind kind,
                                        uint64_t offset_bytes, void *data, size_t bytes,
                                        struct sto_result *ret_result)
{
    struct iovec iov = { data, bytes };
    struct sto_op op = { .kind = kind, .offset_bytes = offset_bytes, .iov = &iov, .iov_count = 1 };
    enum sto_rc rc = lun_file_run(file, &op);

    if (ret_result != NULL)
        *ret_result = op.result;
    return rc;
}

#endif
