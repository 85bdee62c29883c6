/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An error as an admin reads it: which object, what is wrong with it, what to do about it.
 * Functions return 0 or -errno; where the user's words are known, the message is added once
 * into a caller-owned struct hw_error. Nothing here prints, logs or allocates.
 */
#ifndef HW_ERROR_H
#define HW_ERROR_H

#include <stddef.h>

enum {
    HW_ERROR_OBJECT_BYTES = 256,
    HW_ERROR_TEXT_BYTES = 384,
    HW_ERROR_LINE_BYTES = HW_ERROR_OBJECT_BYTES + 2 * HW_ERROR_TEXT_BYTES + 16,
};

/* Why an operation failed, in the terms of the command line's exit statuses (cli.md). */
enum hw_error_kind {
    HW_ERROR_NONE = 0,    /* no error recorded */
    HW_ERROR_FAILED = 1,  /* exit status 1 */
    HW_ERROR_USAGE = 2,   /* exit status 2 */
    HW_ERROR_REFUSED = 3, /* exit status 3: safety or policy */
    HW_ERROR_NO_QUORUM = 4,
    HW_ERROR_TIMED_OUT = 5,
};

struct hw_error {
    enum hw_error_kind kind;
    int code; /* positive errno, 0 where none fits */
    char object[HW_ERROR_OBJECT_BYTES];
    char reason[HW_ERROR_TEXT_BYTES];
    char remedy[HW_ERROR_TEXT_BYTES]; /* may be empty */
};

/* "failed", "refused" and so on, as JSON says it; "none" for NONE. */
const char *hw_error_kind_name(enum hw_error_kind kind);

/*
 * Fill `error` (may be NULL: then only the code is returned). Texts that do not fit are cut at a
 * character boundary and end in "...". `code` is a positive errno. Returns -code, or -EIO for 0.
 * The first message wins: a struct that already holds an error is left as it is, so that the
 * innermost cause is what the admin reads; hw_error_clear() before reuse.
 */
int hw_error_set(struct hw_error *error, enum hw_error_kind kind, int code, const char *object,
                 const char *reason, const char *remedy);

/* As hw_error_set() with a printf-style reason. */
int hw_error_setf(struct hw_error *error, enum hw_error_kind kind, int code, const char *object,
                  const char *remedy, const char *reason_format, ...)
    __attribute__((format(printf, 6, 7)));

/* Forget what is recorded. */
void hw_error_clear(struct hw_error *error);

/*
 * One line "object: reason; remedy" into `line` of `size` bytes (always terminated). Control
 * characters from outside are shown as '?'. Returns the length written.
 */
size_t hw_error_line(const struct hw_error *error, char *line, size_t size);

/* The exit status of cli.md for this error; 0 for HW_ERROR_NONE. */
int hw_error_exit_status(const struct hw_error *error);

#endif
