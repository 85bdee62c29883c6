/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/sto_probe_run: what takes no SCSI commands is refused before anything is done. (The
 * probe's steps are judged in test_sto_probe, the whole of it on a real target in the lab.)
 */
#include <config.h>

#include "storage/sto_probe.h"

#include "tests/unit/lun_file.h"
#include "tests/unit/unit.h"

#include <errno.h>

static void refuses_a_file(void)
{
    const struct sto_probe_config config = { .block_bytes = 512 };
    struct sto_probe_report report = { .verdict = STO_PROBE_FIT };
    struct hw_error error = { 0 };
    struct lun_file file;

    lun_file_make(&file);
    lun_file_start(&file, "", NULL);
    CU_ASSERT_EQUAL(sto_probe_run(file.lun, file.lun, &config, 1000, &report, &error), -ENOTSUP);
    CU_ASSERT_EQUAL(error.kind, HW_ERROR_REFUSED);
    CU_ASSERT_EQUAL(report.verdict, STO_PROBE_FIT); /* written on success only */
    lun_file_end(&file);
}

const struct unit_case unit_cases[] = {
    { "a LUN without SCSI commands is refused", refuses_a_file },
    { 0 },
};
