/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes storage/sto_secret: any text as a file of secrets. What parses is terminated; wiping
 * leaves nothing.
 */
#include <config.h>

#include "storage/sto_secret.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sto_secret secret, nothing;
    struct hw_error error = { 0 };

    if (sto_secret_parse((const char *)data, size, "secret", &secret, &error) < 0) {
        fuzz_require(error.kind != HW_ERROR_NONE);
        return 0;
    }
    fuzz_require(memchr(secret.user, '\0', sizeof(secret.user)) != NULL);
    fuzz_require(memchr(secret.password, '\0', sizeof(secret.password)) != NULL);
    fuzz_require(memchr(secret.target_user, '\0', sizeof(secret.target_user)) != NULL);
    fuzz_require(memchr(secret.target_password, '\0', sizeof(secret.target_password)) != NULL);
    sto_secret_wipe(&secret);
    fuzz_require(memcmp(&secret, &nothing, sizeof(secret)) == 0);
    return 0;
}
