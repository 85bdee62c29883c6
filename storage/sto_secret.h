/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CHAP secrets from a file: lines `user NAME`, `password SECRET`, and for mutual authentication
 * `target-user NAME`, `target-password SECRET`; '#' starts a comment line. The file must be
 * regular, of the caller or root, and closed to group and others. No message names a secret.
 */
#ifndef STO_SECRET_H
#define STO_SECRET_H

#include <stddef.h>

#include "common/hw_error.h"

enum { STO_SECRET_WORD_BYTES = 256 }; /* libiscsi takes 255 */

struct sto_secret {
    char user[STO_SECRET_WORD_BYTES], password[STO_SECRET_WORD_BYTES];
    char target_user[STO_SECRET_WORD_BYTES], target_password[STO_SECRET_WORD_BYTES];
};

/* Read a file. 0, or -errno with the message in `error`: -EACCES for a file that others may
 * read, -EINVAL for a wrong line or a pair of which one half is missing (a missing user is
 * allowed: the URL may name it). May block on the file system. Wipe with sto_secret_wipe(). */
int sto_secret_read(const char *path, struct sto_secret *ret_secret, struct hw_error *error);

/* The same for text in memory; `path` is for messages. Pure. */
int sto_secret_parse(const char *text, size_t size, const char *path, struct sto_secret *ret_secret,
                     struct hw_error *error);

/* Overwrite the secrets. */
void sto_secret_wipe(struct sto_secret *secret);

#endif
