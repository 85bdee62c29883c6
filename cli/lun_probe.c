/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Gives the probe its second identity: another initiator name where the target admits it, else the
 * same name with another ISID, which is another nexus all the same.
 */
#include <config.h>

#include "cli/lun_probe.h"

#include "storage/sto_layout.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { NODE_B = 0xfffe, PAGE_BYTES = 4096 };

static int open_second(const struct cli_lun *lun, const char *initiator, struct sto_lun **ret_lun,
                       struct hw_error *error)
{
    struct sto_lun_options options = lun->options;
    struct sto_lun *second;
    int rc;

    options.initiator = initiator;
    options.node = NODE_B;
    rc = sto_lun_open(&lun->url, &options, &second, error);
    if (rc < 0)
        return rc;
    rc = sto_tool_login(second, STO_SESSION_DATA, error);
    if (rc == 0)
        rc = sto_tool_login(second, STO_SESSION_CONTROL, error);
    if (rc == 0)
        rc = sto_run_identify(second, lun->timeout_ms, NULL, error);
    if (rc < 0)
        sto_lun_close(second);
    else
        *ret_lun = second;
    return rc;
}

static int make_second(const struct cli_lun *lun, struct sto_lun **ret_lun, struct hw_error *error)
{
    int rc = open_second(lun, "iqn.2026-11.hawser:probe", ret_lun, error);

    if (rc != -EACCES)
        return rc;
    hw_error_clear(error); /* an access list: then the name that it admits */
    return open_second(lun, lun->options.initiator, ret_lun, error);
}

int cli_lun_probe(struct cli_lun *lun, uint64_t meta_offset_bytes,
                  const struct cli_identity *identity, struct sto_probe_report *ret_report,
                  uint32_t *ret_bits, struct hw_error *error)
{
    const uint64_t scratch = meta_offset_bytes + STO_LAYOUT_SCRATCH_OFFSET_BYTES;
    const struct sto_probe_config config = {
        .scratch_lba = scratch / lun->facts.block_bytes,
        .block_bytes = lun->facts.block_bytes,
        .cluster_hash = sto_key_cluster_hash(identity->cluster_uuid),
    };
    const size_t bytes = (size_t)STO_PROBE_BLOCKS * lun->facts.block_bytes;
    struct sto_probe_report report = { 0 };
    struct sto_lun *second = NULL;
    void *before;
    int rc;

    *ret_bits = 0;
    if (lun->url.scheme != STO_SCHEME_ISCSI)
        return 0;
    before = aligned_alloc(PAGE_BYTES, (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES);
    if (before == NULL)
        return hw_error_set(error, HW_ERROR_FAILED, ENOMEM, "memory", "ran out", "");
    rc = sto_tool_read(lun->lun, scratch, before, bytes, error);
    if (rc == 0)
        rc = make_second(lun, &second, error);
    if (rc == 0)
        rc = sto_probe_run(lun->lun, second, &config, lun->timeout_ms, &report, error);
    sto_lun_close(second);
    if (rc == 0)
        rc = sto_probe_judge(&report, sto_lun_name(lun->lun), error);
    if (report.verdict != STO_PROBE_RUNNING && report.verdict != STO_PROBE_IN_USE) {
        /* also when it was refused: the LUN is left as it was, as far as it lets us */
        int restored = sto_tool_write(lun->lun, scratch, before, bytes, rc < 0 ? NULL : error);

        rc = rc < 0 ? rc : restored;
    }
    free(before);
    if (ret_report != NULL)
        *ret_report = report;
    if (rc == 0)
        *ret_bits = report.bits;
    return rc;
}
