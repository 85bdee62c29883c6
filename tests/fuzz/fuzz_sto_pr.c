/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes storage/sto_pr: answers of PERSISTENT RESERVE IN as a target may send them, and the OUT
 * commands that a model of a target reads. The first byte picks the decoder.
 */
#include <config.h>

#include "storage/sto_pr.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static void keys(const uint8_t *data, size_t size)
{
    static struct sto_pr_keys decoded;
    char text[STO_KEY_TEXT_BYTES];

    if (sto_pr_decode_keys(data, size, &decoded) < 0)
        return;
    fuzz_require(decoded.count <= STO_PR_KEYS);
    for (unsigned i = 0; i < decoded.count; i++) {
        struct sto_key_parts parts;

        fuzz_require(i == 0 || decoded.keys[i - 1] < decoded.keys[i]);
        fuzz_require(sto_pr_keys_have(&decoded, decoded.keys[i]));
        fuzz_require(strlen(sto_key_text(decoded.keys[i], text)) < sizeof(text));
        if (sto_key_parse(decoded.keys[i], &parts))
            fuzz_require(sto_key_make(&parts) == decoded.keys[i]);
    }
}

static void out(const uint8_t *data, size_t size)
{
    struct sto_pr_out_request request, again;
    uint8_t cdb[16], parameters[STO_PR_OUT_PARAMETER_BYTES];
    size_t cdb_bytes = size < 10 ? size : 10;
    uint8_t length;

    if (sto_pr_out_decode(data, cdb_bytes, data + cdb_bytes, size - cdb_bytes, &request) < 0)
        return;
    length = sto_pr_out_encode(&request, cdb, parameters);
    fuzz_require(sto_pr_out_decode(cdb, length, parameters, sizeof(parameters), &again) == 0);
    fuzz_require(again.action == request.action && again.type == request.type &&
                 again.key == request.key && again.service_key == request.service_key &&
                 again.aptpl == request.aptpl);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sto_pr_reservation reservation;
    struct sto_pr_capabilities capabilities;

    if (size == 0)
        return 0;
    switch (data[0] % 4) {
    case 0:
        keys(data + 1, size - 1);
        break;
    case 1:
        if (sto_pr_decode_reservation(data + 1, size - 1, &reservation) == 0)
            fuzz_require(reservation.held || reservation.key == 0);
        break;
    case 2:
        (void)sto_pr_decode_capabilities(data + 1, size - 1, &capabilities);
        break;
    default:
        out(data + 1, size - 1);
        break;
    }
    return 0;
}
