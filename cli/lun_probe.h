/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The probe of a LUN that nobody owns, with a second identity of its own making.
 */
#ifndef CLI_LUN_PROBE_H
#define CLI_LUN_PROBE_H

#include "cli/lun_open.h"
#include "storage/sto_probe.h"

/*
 * Probe `lun` on the scratch place of a hawser-meta area at `meta_offset_bytes`; what stands there
 * is put back afterwards. `ret_report` may be NULL. 0 if the LUN is fit, with STO_PROBE_* in
 * `ret_bits`; else -errno with the message. A block device has one identity and is not probed:
 * 0 bits.
 */
int cli_lun_probe(struct cli_lun *lun, uint64_t meta_offset_bytes,
                  const struct cli_identity *identity, struct sto_probe_report *ret_report,
                  uint32_t *ret_bits, struct hw_error *error);

#endif
