/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a SCSI status and its sense data mean for an operation. Pure: bytes in, struct sto_result's
 * rc, key and codes out; every byte is from the target and judged before use.
 */
#ifndef STO_SENSE_H
#define STO_SENSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/sto_lun.h"

/* Status codes (SAM-5 5.3.1). */
enum sto_scsi_status {
    STO_STATUS_GOOD = 0x00,
    STO_STATUS_CHECK_CONDITION = 0x02,
    STO_STATUS_CONDITION_MET = 0x04,
    STO_STATUS_BUSY = 0x08,
    STO_STATUS_RESERVATION_CONFLICT = 0x18,
    STO_STATUS_TASK_SET_FULL = 0x28,
    STO_STATUS_ACA_ACTIVE = 0x30,
    STO_STATUS_TASK_ABORTED = 0x40,
};

/* Sense keys (SPC-4 table 41). */
enum sto_sense_key {
    STO_SENSE_NO_SENSE = 0x0,
    STO_SENSE_RECOVERED_ERROR = 0x1,
    STO_SENSE_NOT_READY = 0x2,
    STO_SENSE_MEDIUM_ERROR = 0x3,
    STO_SENSE_HARDWARE_ERROR = 0x4,
    STO_SENSE_ILLEGAL_REQUEST = 0x5,
    STO_SENSE_UNIT_ATTENTION = 0x6,
    STO_SENSE_DATA_PROTECT = 0x7,
    STO_SENSE_ABORTED_COMMAND = 0xb,
    STO_SENSE_MISCOMPARE = 0xe,
    STO_SENSE_COMPLETED = 0xf,
};

/* Additional sense codes that decide something: code << 8 | qualifier (SPC-4 annex F). */
enum sto_asc {
    STO_ASC_BECOMING_READY = 0x0401,
    STO_ASC_INVALID_OPCODE = 0x2000,
    STO_ASC_INVALID_FIELD = 0x2400,
    STO_ASC_NO_SUCH_LUN = 0x2500,
    STO_ASC_THIN_OUT_OF_SPACE = 0x2707,
    STO_ASC_POWER_ON_OR_RESET = 0x2900,
    STO_ASC_RESERVATIONS_PREEMPTED = 0x2a03,
    STO_ASC_NO_MEDIUM = 0x3a00,
};

struct sto_sense {
    bool present;  /* a known response code, long enough to hold a key */
    bool deferred; /* the sense speaks of an earlier command (SPC-4 4.5.7) */
    uint8_t key;
    uint16_t asc_ascq;
};

/* Read sense data in fixed (70h, 71h) or descriptor (72h, 73h) format (SPC-4 4.5.2, 4.5.3). What
 * is cut off or unknown reads as 0. `sense` may be NULL if `sense_bytes` is 0. */
struct sto_sense sto_sense_parse(const uint8_t *sense, size_t sense_bytes);

/*
 * Judge an answer: sets rc, scsi_status, sense_key and asc_ascq of `result`, nothing else.
 * CHECK CONDITION without readable sense is STO_MEDIUM: nothing can be said of the data. TASK
 * ABORTED is STO_UNKNOWN: how far the command came before the abort is not known.
 */
void sto_sense_judge(uint8_t status, const uint8_t *sense, size_t sense_bytes,
                     struct sto_result *result);

/* As sto_sense_judge() for a CHECK CONDITION whose sense was parsed already. */
void sto_sense_judge_parsed(const struct sto_sense *sense, struct sto_result *result);

/* The words for an admin of codes met often ("power on or reset", "no medium"); NULL if none. */
const char *sto_sense_words(uint8_t key, uint16_t asc_ascq);

/* A unit attention that says "reservations or registrations changed" (SPC-4 4.5.6 table 45). */
static inline bool sto_sense_reservations_changed(uint16_t asc_ascq)
{
    return asc_ascq >= 0x2a03 && asc_ascq <= 0x2a05;
}

/* A unit attention behind which commands may have vanished: reset or commands cleared. */
static inline bool sto_sense_was_reset(uint16_t asc_ascq)
{
    return asc_ascq >> 8 == 0x29 || asc_ascq >> 8 == 0x2f;
}

#endif
