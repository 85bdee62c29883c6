/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What recorded answers of the Linux SCSI stack mean (storage/sto_block_judge). */
#include <config.h>

#include "storage/sto_block_priv.h"

#include <errno.h>

#include "tests/unit/unit.h"

static void commands(void)
{
    static const struct {
        int rc;
        uint8_t status;
        uint16_t host;
        uint8_t sense[18];
        enum sto_rc wanted;
        bool lost;
    } cases[] = {
        { 0, 0x00, 0x00, { 0 }, STO_OK, false },
        { 0, 0x18, 0x00, { 0 }, STO_CONFLICT, false },
        { 0, 0x18, 0x11, { 0 }, STO_CONFLICT, false }, /* older kernels: DID_NEXUS_FAILURE too */
        { 0, 0x08, 0x00, { 0 }, STO_BUSY, false },
        { 0, 0x28, 0x00, { 0 }, STO_BUSY, false },
        { 0,
          0x02,
          0x00,
          { 0x70, 0, 6, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x2a, 3 },
          STO_UNIT_ATTENTION,
          false },
        { 0,
          0x02,
          0x00,
          { 0x70, 0, 5, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x20, 0 },
          STO_UNSUPPORTED,
          false },
        { 0, 0x00, 0x01, { 0 }, STO_UNKNOWN, true },  /* no connection */
        { 0, 0x00, 0x03, { 0 }, STO_UNKNOWN, false }, /* timed out */
        { 0, 0x00, 0x0e, { 0 }, STO_UNKNOWN, true },  /* transport disrupted */
        { 0, 0x00, 0x0f, { 0 }, STO_UNKNOWN, true },  /* transport failed for good */
        { -EPERM, 0, 0, { 0 }, STO_UNSUPPORTED, false },
        { -ENOTTY, 0, 0, { 0 }, STO_UNSUPPORTED, false },
        { -ENOMEM, 0, 0, { 0 }, STO_BUSY, false },
        { -ENODEV, 0, 0, { 0 }, STO_UNKNOWN, true },
        { -ENXIO, 0, 0, { 0 }, STO_UNKNOWN, true },
        { -ETIMEDOUT, 0, 0, { 0 }, STO_UNKNOWN, false },
    };

    for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++) {
        struct sto_sg sg = { .status = cases[at].status, .host_status = cases[at].host };
        struct sto_result result = { 0 };
        bool lost = !cases[at].lost;

        for (unsigned byte = 0; byte < sizeof(cases[at].sense); byte++)
            sg.sense[byte] = cases[at].sense[byte];
        sg.sense_bytes = cases[at].sense[0] ? sizeof(cases[at].sense) : 0;
        sto_block_judge_command(cases[at].rc, &sg, &result, &lost);
        CU_ASSERT_EQUAL(result.rc, cases[at].wanted);
        CU_ASSERT_EQUAL(lost, cases[at].lost);
    }
}

static void transfers(void)
{
    static const struct {
        int64_t moved;
        enum sto_rc wanted;
        bool lost;
    } cases[] = {
        { 4096, STO_OK, false },
        { 512, STO_SHORT, false },
        { 0, STO_SHORT, false },
        { -EBADE, STO_CONFLICT, false },
        { -ENOSPC, STO_NO_SPACE, false },
        { -ENODATA, STO_MEDIUM, false },
        { -EREMOTEIO, STO_ILLEGAL, false },
        { -EOPNOTSUPP, STO_UNSUPPORTED, false },
        { -EPERM, STO_READ_ONLY, false },
        { -EAGAIN, STO_BUSY, false },
        { -EIO, STO_UNKNOWN, true },
        { -ENOLINK, STO_UNKNOWN, true },
        { -ENODEV, STO_UNKNOWN, true },
        { -ETIMEDOUT, STO_UNKNOWN, false },
        { -ECANCELED, STO_UNKNOWN, false },
    };

    for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++) {
        struct sto_result result = { 0 };
        bool lost = !cases[at].lost;

        sto_block_judge_data(cases[at].moved, 4096, &result, &lost);
        CU_ASSERT_EQUAL(result.rc, cases[at].wanted);
        CU_ASSERT_EQUAL(lost, cases[at].lost);
        CU_ASSERT_EQUAL(result.transferred_bytes,
                        cases[at].moved > 0 ? (uint64_t)cases[at].moved : 0);
    }
}

/* Only 0 proves the barrier. */
static void resets(void)
{
    static const struct {
        int rc;
        enum sto_rc wanted;
    } cases[] = { { 0, STO_OK },
                  { -EIO, STO_UNKNOWN },
                  { -EBUSY, STO_BUSY },
                  { -EPERM, STO_UNSUPPORTED },
                  { -EINVAL, STO_UNSUPPORTED },
                  { -ENODEV, STO_UNKNOWN } };

    for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++) {
        struct sto_result result = { 0 };
        bool lost;

        sto_block_judge_reset(cases[at].rc, &result, &lost);
        CU_ASSERT_EQUAL(result.rc, cases[at].wanted);
        CU_ASSERT_EQUAL(result.tmf_response == 0, cases[at].rc == 0);
        CU_ASSERT_EQUAL(lost, cases[at].rc == -ENODEV);
    }
}

const struct unit_case unit_cases[] = {
    { "commands", commands }, { "reads and writes", transfers }, { "resets", resets }, { 0 }
};
