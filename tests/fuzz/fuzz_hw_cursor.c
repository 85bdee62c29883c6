/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes common/hw_cursor: the input is a program of reads, each with a length from the input
 * itself, over the same input. No read may leave the bytes, and a fault must stick.
 */
#include <config.h>

#include "common/hw_cursor.h"

#include "tests/fuzz/fuzz.h"

/* One read as the byte `what` says; lengths and places come from the reader itself. */
static void step(struct hw_reader *reader, uint8_t what)
{
    uint8_t bytes[255];

    switch (what % 8) {
    case 0:
        (void)hw_read_le16(reader);
        break;
    case 1:
        (void)hw_read_be32(reader);
        break;
    case 2:
        (void)hw_read_le64(reader);
        break;
    case 3:
        hw_read_bytes(reader, bytes, hw_read_u8(reader));
        break;
    case 4:
        hw_read_skip(reader, hw_read_be16(reader));
        break;
    case 5:
        hw_read_skip(reader, (size_t)hw_read_be64(reader));
        break;
    case 6:
        hw_read_seek(reader, hw_read_le32(reader));
        break;
    default:
        hw_read_seek(reader, (size_t)hw_read_le64(reader));
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hw_reader reader = hw_reader_over(data, size);

    /* a seek may go back for ever: as many steps as there are bytes are enough */
    for (size_t steps = 0; steps < size && !reader.failed; steps++) {
        step(&reader, data[steps]);
        fuzz_require(reader.at <= size);
        fuzz_require(reader.failed || hw_reader_left(&reader) == size - reader.at);
    }
    if (reader.failed) {
        size_t at = reader.at;

        fuzz_require(hw_read_u8(&reader) == 0 && reader.at == at);
        fuzz_require(hw_reader_status(&reader) < 0 && hw_reader_left(&reader) == 0);
    }
    return 0;
}
