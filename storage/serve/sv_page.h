/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The shared page (timing.md, Feed and freeze): hawser-lun publishes when its LUNs were last
 * confirmed to be owned, what the gate does, and why; the VMM's lease thread reads it without
 * asking. One writer; readers map it read-only. A reader of a page whose writer died sees times
 * that grow old, which is what it judges by.
 */
#ifndef SV_PAGE_H
#define SV_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/hw_error.h"
#include "storage/serve/sv_gate.h"

enum { SV_PAGE_BYTES = 4096, SV_PAGE_VERSION = 1 };
#define SV_PAGE_MAGIC UINT32_C(0x50535748) /* "HWSP" */

struct sv_page_view {
    int64_t confirmed_ns; /* CLOCK_BOOTTIME: send time of the oldest LUN's last confirmation; 0:
                             never, INT64_MAX: nothing has to be confirmed */
    uint32_t generation;  /* first of the block that is owned; 0: none */
    enum sv_gate_state gate;
    enum sv_reason reason;
};

struct sv_page;

/*
 * A new page, and a descriptor of it that can only be read, also where it is opened anew (to be
 * handed out; the page's, closed with it). 0, or -errno with the message.
 */
int sv_page_new(struct sv_page **ret_page, int *ret_reader_fd, struct hw_error *error);
/* Unmap and close. NULL is allowed. */
void sv_page_free(struct sv_page *page);
/* Publish; readers see all of it or nothing. */
void sv_page_write(struct sv_page *page, const struct sv_page_view *view);

/*
 * Map the page behind a reader's descriptor, which stays the caller's. 0, -EBADMSG if it is none,
 * -EPROTONOSUPPORT for another version, or -errno of mmap(2).
 */
int sv_page_map(int reader_fd, const void **ret_map);
/* Unmap. */
void sv_page_unmap(const void *map);
/* Read it as it stands. False if the writer was at it all the time: read again later. */
bool sv_page_read(const void *map, struct sv_page_view *ret_view);

#endif
