/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SCSI status and sense data to the outcome of an operation. Errs to the careful side: what is
 * not known for certain not to have been executed never reads as "not executed".
 */
#include "storage/sto_sense.h"

#include "common/hw_cursor.h"

enum { RESPONSE_CODE_MASK = 0x7f, SENSE_KEY_MASK = 0x0f };
enum { FIXED_CURRENT = 0x70, FIXED_DEFERRED, DESCRIPTOR_CURRENT, DESCRIPTOR_DEFERRED };

/* Fixed format: key in byte 2, code and qualifier in bytes 12 and 13 if the additional length
 * (byte 7, bytes after it) reaches them. */
static void parse_fixed(struct hw_reader reader, struct sto_sense *sense)
{
    size_t told;

    hw_read_seek(&reader, 2);
    sense->key = hw_read_u8(&reader) & SENSE_KEY_MASK;
    if (hw_reader_status(&reader) < 0)
        return;
    sense->present = true;
    hw_read_seek(&reader, 7);
    told = (size_t)hw_read_u8(&reader) + 8;
    if (told < 13)
        return;
    hw_read_seek(&reader, 12);
    sense->asc_ascq = (uint16_t)(hw_read_u8(&reader) << 8);
    if (told >= 14)
        sense->asc_ascq |= hw_read_u8(&reader);
}

static void parse_descriptor(struct hw_reader reader, struct sto_sense *sense)
{
    hw_read_seek(&reader, 1);
    sense->key = hw_read_u8(&reader) & SENSE_KEY_MASK;
    if (hw_reader_status(&reader) < 0)
        return;
    sense->present = true;
    sense->asc_ascq = (uint16_t)(hw_read_u8(&reader) << 8);
    sense->asc_ascq |= hw_read_u8(&reader);
}

struct sto_sense sto_sense_parse(const uint8_t *sense, size_t sense_bytes)
{
    struct sto_sense parsed = { 0 };
    struct hw_reader reader = hw_reader_over(sense, sense_bytes);
    uint8_t code = hw_read_u8(&reader) & RESPONSE_CODE_MASK;

    parsed.deferred = code == FIXED_DEFERRED || code == DESCRIPTOR_DEFERRED;
    if (code == FIXED_CURRENT || code == FIXED_DEFERRED)
        parse_fixed(reader, &parsed);
    else if (code == DESCRIPTOR_CURRENT || code == DESCRIPTOR_DEFERRED)
        parse_descriptor(reader, &parsed);
    return parsed;
}

/* NOT READY that passes by itself (SPC-4 annex F, 04/xx): the command was not executed and may
 * be tried again later. */
static bool passes_by_itself(uint16_t asc_ascq)
{
    switch (asc_ascq) {
    case STO_ASC_BECOMING_READY:
    case 0x0404: /* format in progress */
    case 0x0405: /* rebuild in progress */
    case 0x0406: /* recalculation in progress */
    case 0x0407: /* operation in progress */
    case 0x0409: /* self-test in progress */
    case 0x040a: /* asymmetric access state transition */
    case 0x0414: /* space allocation in progress */
        return true;
    default:
        return false;
    }
}

static enum sto_rc judge_illegal(uint16_t asc_ascq)
{
    return asc_ascq == STO_ASC_INVALID_OPCODE ? STO_UNSUPPORTED : STO_ILLEGAL;
}

static enum sto_rc judge_key(const struct sto_sense *sense)
{
    /* A deferred error is about an earlier command that had been answered as good: data that was
     * thought safe is not, whatever the key says. */
    if (!sense->present || sense->deferred)
        return STO_MEDIUM;
    switch (sense->key) {
    case STO_SENSE_RECOVERED_ERROR:
    case STO_SENSE_COMPLETED:
        return STO_OK;
    case STO_SENSE_NOT_READY:
        return passes_by_itself(sense->asc_ascq) ? STO_BUSY : STO_MEDIUM;
    case STO_SENSE_ILLEGAL_REQUEST:
        return judge_illegal(sense->asc_ascq);
    case STO_SENSE_UNIT_ATTENTION:
        return STO_UNIT_ATTENTION;
    case STO_SENSE_DATA_PROTECT:
        return sense->asc_ascq == STO_ASC_THIN_OUT_OF_SPACE ? STO_NO_SPACE : STO_READ_ONLY;
    case STO_SENSE_MISCOMPARE:
        return STO_MISCOMPARE;
    case STO_SENSE_ABORTED_COMMAND:
        return STO_ABORTED;
    default:
        return STO_MEDIUM;
    }
}

void sto_sense_judge_parsed(const struct sto_sense *sense, struct sto_result *result)
{
    result->scsi_status = STO_STATUS_CHECK_CONDITION;
    result->sense_key = sense->key;
    result->asc_ascq = sense->asc_ascq;
    result->rc = judge_key(sense);
}

void sto_sense_judge(uint8_t status, const uint8_t *sense, size_t sense_bytes,
                     struct sto_result *result)
{
    result->scsi_status = status;
    result->sense_key = 0;
    result->asc_ascq = 0;
    switch (status) {
    case STO_STATUS_GOOD:
    case STO_STATUS_CONDITION_MET:
        result->rc = STO_OK;
        return;
    case STO_STATUS_CHECK_CONDITION: {
        struct sto_sense parsed = sto_sense_parse(sense, sense_bytes);

        sto_sense_judge_parsed(&parsed, result);
        return;
    }
    case STO_STATUS_RESERVATION_CONFLICT:
        result->rc = STO_CONFLICT;
        return;
    case STO_STATUS_BUSY:
    case STO_STATUS_TASK_SET_FULL:
    case STO_STATUS_ACA_ACTIVE:
        result->rc = STO_BUSY;
        return;
    case STO_STATUS_TASK_ABORTED:
        result->rc = STO_UNKNOWN;
        return;
    default: /* not a status that SAM-5 knows */
        result->rc = STO_MEDIUM;
        return;
    }
}

struct words {
    uint16_t asc_ascq;
    const char *text;
};

const char *sto_sense_words(uint8_t key, uint16_t asc_ascq)
{
    static const struct words table[] = {
        { 0x0401, "becoming ready" },
        { 0x0402, "needs a START UNIT" },
        { 0x0404, "format in progress" },
        { 0x040a, "path state changing" },
        { 0x040b, "path in standby" },
        { 0x040c, "path unavailable" },
        { STO_ASC_INVALID_OPCODE, "command not known to the target" },
        { STO_ASC_INVALID_FIELD, "field not accepted by the target" },
        { 0x2100, "address beyond the end of the LUN" },
        { STO_ASC_NO_SUCH_LUN, "no such LUN" },
        { 0x2700, "write-protected" },
        { STO_ASC_THIN_OUT_OF_SPACE, "thin LUN out of space" },
        { 0x2900, "power on or reset" },
        { 0x2901, "power on" },
        { 0x2902, "bus reset" },
        { 0x2903, "LUN reset" },
        { 0x2904, "device internal reset" },
        { 0x2907, "nexus lost" },
        { 0x2a01, "mode parameters changed" },
        { 0x2a03, "reservations preempted" },
        { 0x2a04, "reservations released" },
        { 0x2a05, "registrations preempted" },
        { 0x2a09, "capacity changed" },
        { 0x2f00, "commands cleared by another initiator" },
        { STO_ASC_NO_MEDIUM, "no medium" },
        { 0x3f0e, "the target's list of LUNs changed" },
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (table[i].asc_ascq == asc_ascq)
            return table[i].text;
    switch (key) {
    case STO_SENSE_NOT_READY:
        return "not ready";
    case STO_SENSE_MEDIUM_ERROR:
        return "medium error";
    case STO_SENSE_HARDWARE_ERROR:
        return "hardware error";
    case STO_SENSE_DATA_PROTECT:
        return "write-protected";
    case STO_SENSE_ABORTED_COMMAND:
        return "command aborted by the target";
    default:
        return NULL;
    }
}
