/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the model target says of itself: standard INQUIRY, three vital product data pages, READ
 * CAPACITY(16). MODE SENSE is not offered: a client must do without.
 */
#include "config.h"

#include "storage/sto_model_priv.h"

#include <string.h>

#include "common/hw_cursor.h"

static const char model_serial[] = "MODEL-1";
static const uint8_t model_naa[8] = { 0x60, 0x0d, 0xe1, 0x00, 0x00, 0x00, 0x00, 0x01 };

static void standard(struct hw_writer *writer)
{
    hw_write_u8(writer, 0x00); /* disk */
    hw_write_u8(writer, 0x00);
    hw_write_u8(writer, 0x06); /* SPC-4 */
    hw_write_u8(writer, 0x02);
    hw_write_u8(writer, 31); /* additional length */
    hw_write_zeroes(writer, 3);
    hw_write_bytes(writer, "HAWSER  ", 8);
    hw_write_bytes(writer, "MODEL TARGET    ", 16);
    hw_write_bytes(writer, "0001", 4);
}

static void page_head(struct hw_writer *writer, uint8_t page, uint16_t bytes)
{
    hw_write_u8(writer, 0x00);
    hw_write_u8(writer, page);
    hw_write_be16(writer, bytes);
}

/* False: no such page. */
static bool vital_page(struct hw_writer *writer, uint8_t page)
{
    switch (page) {
    case 0x00:
        page_head(writer, page, 3);
        hw_write_bytes(writer, "\x00\x80\x83", 3);
        return true;
    case 0x80:
        page_head(writer, page, sizeof(model_serial) - 1);
        hw_write_bytes(writer, model_serial, sizeof(model_serial) - 1);
        return true;
    case 0x83: /* one NAA designator of the logical unit (SPC-4 7.8.5.2) */
        page_head(writer, page, 4 + sizeof(model_naa));
        hw_write_u8(writer, 0x01);
        hw_write_u8(writer, 0x03);
        hw_write_u8(writer, 0x00);
        hw_write_u8(writer, sizeof(model_naa));
        hw_write_bytes(writer, model_naa, sizeof(model_naa));
        return true;
    default:
        return false;
    }
}

bool model_describe(const struct sto_model *model, struct model_pending *pending,
                    struct sto_model_reply *reply)
{
    uint8_t answer[96];
    struct hw_writer writer = hw_writer_over(answer, sizeof(answer));
    const uint8_t *cdb = pending->cdb;

    if (cdb[0] == 0x12 && (cdb[1] & 0x01) == 0) {
        standard(&writer);
    } else if (cdb[0] == 0x12) {
        if (!vital_page(&writer, cdb[2])) {
            model_check_condition(reply, 0x05, 0x2400);
            return true;
        }
    } else if (cdb[0] == 0x9e && (cdb[1] & 0x1f) == 0x10) {
        hw_write_be64(&writer, model->config.blocks - 1);
        hw_write_be32(&writer, STO_MODEL_BLOCK_BYTES);
        hw_write_zeroes(&writer, 20);
    } else {
        return false;
    }
    if (pending->command != NULL) {
        reply->data_in_bytes =
            writer.at < pending->command->data_bytes ? writer.at : pending->command->data_bytes;
        memcpy(pending->command->data, answer, reply->data_in_bytes);
    }
    return true;
}
