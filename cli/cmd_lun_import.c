/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hawser lun import: copies a raw disk image into the guest disk of a LUN, under ownership, and
 * reads it back. What lies behind the image's end is left as it is.
 */
#include <config.h>

#include "cli/cmd_lun.h"

#include "cli/lun_owner.h"
#include "storage/sto_bulk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEPTH = 8, PIECE_BYTES = 1024 * 1024, PAGE_BYTES = 4096 };

struct import {
    struct hw_call *call;
    const char *path;
    int fd;
    uint64_t image_bytes;  /* of the file */
    uint64_t padded_bytes; /* a multiple of a page: the rest is written as zeroes */
    uint64_t at;           /* next, from the start of the disk */
    struct sto_layout layout;
    struct cli_progress progress;
    uint8_t *piece; /* of the file, when reading back */
};

static int open_image(struct import *import, struct hw_error *error)
{
    struct stat status;

    /* not to wait for a writer of what is a pipe; files do not care */
    import->fd = open(import->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (import->fd < 0 || fstat(import->fd, &status) < 0)
        return hw_error_setf(error, HW_ERROR_FAILED, errno, import->path,
                             "check its name and your right to read it", "cannot be read: %s",
                             strerror(errno));
    if (!S_ISREG(status.st_mode) || status.st_size == 0)
        return hw_error_set(error, HW_ERROR_USAGE, EINVAL, import->path,
                            S_ISREG(status.st_mode) ? "is empty" : "is not a regular file",
                            "give a raw disk image");
    import->image_bytes = (uint64_t)status.st_size;
    import->padded_bytes = (import->image_bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    import->piece = malloc(PIECE_BYTES);
    if (import->piece == NULL)
        return hw_error_set(error, HW_ERROR_FAILED, ENOMEM, "memory", "ran out", "");
    return 0;
}

static int want_room(struct import *import, struct cli_lun *lun, struct hw_error *error)
{
    char disk[STO_SIZE_TEXT_BYTES], image[STO_SIZE_TEXT_BYTES];
    int rc = sto_tool_read_layout(lun->lun, &import->layout, error);

    if (rc < 0)
        return rc;
    if (lun->facts.read_only)
        return hw_error_set(error, HW_ERROR_REFUSED, EROFS, sto_lun_name(lun->lun),
                            "the LUN is read-only", "make it writable on the target");
    if (import->padded_bytes > import->layout.disk.size_bytes)
        return hw_error_setf(error, HW_ERROR_REFUSED, EFBIG, sto_lun_name(lun->lun),
                             "use a larger LUN", "the image does not fit: it has %s, the disk %s",
                             sto_size_text(import->image_bytes, image),
                             sto_size_text(import->layout.disk.size_bytes, disk));
    return 0;
}

/* --- data --- */

static bool next_piece(void *context, uint64_t *offset_bytes, size_t *bytes)
{
    struct import *import = context;

    if (import->at >= import->padded_bytes)
        return false;
    if (import->padded_bytes - import->at < *bytes)
        *bytes = (size_t)(import->padded_bytes - import->at);
    *offset_bytes = import->layout.disk.offset_bytes + import->at;
    import->at += *bytes;
    return true;
}

/* Bytes of the image, zeroes behind its end. */
static int read_image(const struct import *import, uint64_t at, uint8_t *data, size_t bytes,
                      struct hw_error *error)
{
    size_t want = at + bytes <= import->image_bytes ? bytes : (size_t)(import->image_bytes - at);
    size_t have = 0;

    while (have < want) {
        ssize_t got = pread(import->fd, data + have, want - have, (off_t)(at + have));

        if (got <= 0)
            return hw_error_setf(error, HW_ERROR_FAILED, got < 0 ? errno : EIO, import->path,
                                 "import it again", "cannot be read: %s",
                                 got < 0 ? strerror(errno) : "it became shorter");
        have += (size_t)got;
    }
    memset(data + want, 0, bytes - want);
    return 0;
}

static int supply(void *context, uint64_t offset_bytes, void *data, size_t bytes,
                  struct hw_error *error)
{
    const struct import *import = context;

    return read_image(import, offset_bytes - import->layout.disk.offset_bytes, data, bytes, error);
}

static int compare(void *context, uint64_t offset_bytes, void *data, size_t bytes,
                   struct hw_error *error)
{
    const struct import *import = context;
    uint64_t at = offset_bytes - import->layout.disk.offset_bytes;
    int rc = read_image(import, at, import->piece, bytes, error);

    if (rc == 0 && memcmp(import->piece, data, bytes) != 0)
        rc = hw_error_setf(error, HW_ERROR_FAILED, EIO, hw_argument(import->call, 0),
                           "import again; see the target's log if it stays",
                           "what was read back differs from the image within 1 MiB from byte "
                           "%" PRIu64,
                           at);
    return rc;
}

static void show_progress(void *context, uint64_t done_bytes)
{
    struct import *import = context;

    cli_progress_show(&import->progress, done_bytes);
}

static int pass(struct import *import, struct sto_lun *lun, struct sto_owner *owner, bool write,
                struct hw_error *error)
{
    const struct sto_bulk bulk = { .lun = lun,
                                   .owner = owner,
                                   .write = write,
                                   .depth = DEPTH,
                                   .io_bytes = PIECE_BYTES,
                                   .verb = write ? "write" : "read",
                                   .next = next_piece,
                                   .data = write ? supply : compare,
                                   .progress = show_progress,
                                   .context = import };
    int rc;

    import->at = 0;
    cli_progress_begin(&import->progress, import->call->err, write ? "copying" : "reading back",
                       import->padded_bytes);
    rc = sto_bulk_run(&bulk, NULL, error);
    cli_progress_end(&import->progress);
    return rc;
}

static int copy(struct import *import, struct sto_lun *lun, struct sto_owner *owner,
                struct hw_error *error)
{
    int rc = pass(import, lun, owner, true, error);

    if (rc == 0)
        rc = sto_tool_flush(lun, error);
    return rc < 0 ? rc : pass(import, lun, owner, false, error);
}

static int copy_owned(struct import *import, struct cli_lun *lun,
                      const struct cli_identity *identity, struct hw_error *error)
{
    const struct cli_owner_wish wish = { .identity = identity };
    struct cli_owner owner;
    int rc = cli_owner_claim(lun, &wish, &owner, error);

    if (rc < 0)
        return rc;
    rc = copy(import, sto_owner_lun(owner.owner), owner.owner, error);
    return cli_owner_end(&owner, rc, error);
}

/* --- the verb --- */

static int run(struct import *import, struct hw_error *error)
{
    struct cli_identity identity = { 0 };
    struct cli_lun lun = { 0 };
    int rc = open_image(import, error);

    if (rc == 0)
        rc = cli_lun_open(import->call, hw_argument(import->call, 0), CLI_LUN_SLOW, &lun, error);
    if (rc == 0 && lun.url.scheme != STO_SCHEME_FILE)
        rc = cli_lun_identity(import->call, &identity, error);
    if (rc == 0)
        rc = want_room(import, &lun, error);
    if (rc == 0 && cli_lun_can_reserve(&lun))
        rc = copy_owned(import, &lun, &identity, error);
    else if (rc == 0 && lun.url.scheme == STO_SCHEME_FILE)
        rc = copy(import, lun.lun, NULL, error);
    else if (rc == 0)
        rc = hw_error_set(error, HW_ERROR_REFUSED, EOPNOTSUPP, sto_lun_name(lun.lun),
                          "its target offers no persistent reservations",
                          "use a LUN of a target that offers them");
    cli_lun_close(&lun);
    return rc;
}

int cmd_lun_import(struct hw_call *call)
{
    struct import import = { .call = call, .path = hw_argument(call, 1), .fd = -1 };
    struct hw_error error = { 0 };
    int rc = run(&import, &error), status;
    char size[STO_SIZE_TEXT_BYTES];

    if (rc < 0)
        status = hw_fail(call, &error);
    else if (hw_option_given(call, "json"))
        status =
            cli_print_json(call, json_pack("{s:s, s:s, s:s, s:I, s:b}", "url", hw_argument(call, 0),
                                           "result", "imported", "file", import.path, "bytes",
                                           (json_int_t)import.image_bytes, "verified", 1));
    else
        status = fprintf(call->out, "%s: %s imported (%s) and read back\n", hw_argument(call, 0),
                         import.path, sto_size_text(import.image_bytes, size)) < 0;
    free(import.piece);
    if (import.fd >= 0)
        (void)close(import.fd);
    return status;
}
