/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is behind an iSCSI portal: SendTargets discovery (RFC 7143 appendix C) and the LUNs of a
 * target (REPORT LUNS, SPC-4 6.33). Blocking, for tools; everything a target says is judged.
 */
#ifndef STO_DISCOVER_H
#define STO_DISCOVER_H

#include <stddef.h>
#include <stdint.h>

#include "common/hw_error.h"
#include "storage/sto_lun.h"
#include "storage/sto_url.h"

enum { STO_DISCOVER_TARGETS = 256, STO_DISCOVER_LUNS = 256 };

struct sto_target {
    char name[STO_URL_TARGET_BYTES];
};

struct sto_targets {
    unsigned count;
    unsigned left_off; /* more than STO_DISCOVER_TARGETS, or with an impossible name */
    struct sto_target items[STO_DISCOVER_TARGETS];
};

/*
 * Ask the portal of `url` (its target is not looked at; its secret file is, for portals that want
 * CHAP for discovery) for its targets. 0 and a list sorted by name without doubles; -ETIMEDOUT,
 * -EHOSTUNREACH, -EACCES, -EIO with the message in `error`. Blocks at most `timeout_ms`.
 */
int sto_discover_targets(const struct sto_url *url, const char *initiator, uint32_t timeout_ms,
                         struct sto_targets *ret_targets, struct hw_error *error);

/*
 * The numbers of the LUNs of a target on whose session `lun` is logged in, whatever LUN its URL
 * names. 0 and their count, at most STO_DISCOVER_LUNS, ascending; -errno with the message.
 */
int sto_discover_luns(struct sto_lun *lun, uint16_t ret_luns[STO_DISCOVER_LUNS],
                      unsigned *ret_count, struct hw_error *error);

/*
 * Decode REPORT LUNS (SPC-4 6.33, SAM-5 4.7): numbers in peripheral or flat format on the first
 * level; others are left out. Returns how many, ascending. Pure.
 */
unsigned sto_discover_decode_luns(const void *answer, size_t bytes,
                                  uint16_t ret_luns[STO_DISCOVER_LUNS]);

#endif
