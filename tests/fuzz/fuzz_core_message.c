/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes clusterd/core/core_message and clusterd/core/core_order: what another member says, as it
 * is and with the right checksums, and the bytes of an entry. What decodes must come out the same.
 */
#include <config.h>

#include "clusterd/core/core_message.h"
#include "common/hw_crc32c.h"
#include "common/hw_cursor.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static void try_message(const uint8_t *data, size_t size)
{
    static struct core_report_item items[CORE_REPORT_ITEMS_MAX];
    struct core_message message;
    uint8_t *again;

    if (core_message_decode(data, size, items, &message) < 0)
        return;
    fuzz_require(core_message_size(&message) == size);
    again = malloc(size);
    fuzz_require(again != NULL);
    core_message_encode(&message, again);
    fuzz_require(memcmp(again, data, size) == 0);
    free(again);
}

static void try_order(const uint8_t *data, size_t size)
{
    struct core_order order;
    uint8_t *again;

    if (core_order_decode(data, size, &order) < 0)
        return;
    fuzz_require(core_order_size(&order) == size);
    again = malloc(size);
    fuzz_require(again != NULL);
    core_order_encode(&order, again);
    fuzz_require(memcmp(again, data, size) == 0);
    free(again);
}

static void seal(uint8_t *bytes, size_t size)
{
    struct hw_writer crc = hw_writer_over(bytes + CORE_MESSAGE_HEAD - 4, 4);

    hw_write_le32(&crc, hw_crc32c(bytes + CORE_MESSAGE_HEAD, size - CORE_MESSAGE_HEAD));
    crc.at = 0;
    hw_write_le32(&crc, hw_crc32c(bytes, CORE_MESSAGE_HEAD));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *sealed;

    try_message(data, size);
    try_order(data, size);
    if (size < CORE_MESSAGE_HEAD)
        return 0;
    sealed = malloc(size);
    fuzz_require(sealed != NULL);
    memcpy(sealed, data, size);
    seal(sealed, size);
    try_message(sealed, size);
    free(sealed);
    return 0;
}
