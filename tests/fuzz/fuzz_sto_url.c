/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes storage/sto_url: any text as a URL. What parses prints, and parses to the same again; what
 * does not has a message. A secret in the URL is never repeated.
 */
#include <config.h>

#include "storage/sto_url.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sto_url url, again;
    static char text[STO_URL_BYTES], printed[STO_URL_BYTES], second[STO_URL_BYTES];
    struct hw_error error = { 0 };
    const char *rest = NULL;

    if (size >= sizeof(text))
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    if (sto_url_parse_option(text, &url, &rest, NULL) == 0)
        fuzz_require(rest >= text && rest <= text + strlen(text));
    if (sto_url_parse(text, &url, &error) < 0) {
        fuzz_require(error.kind != HW_ERROR_NONE && error.reason[0] != '\0');
        return 0;
    }
    fuzz_require(url.portal_count <= STO_URL_PORTALS);
    if (sto_url_print(&url, printed, sizeof(printed)) < 0)
        return 0;
    fuzz_require(sto_url_parse(printed, &again, NULL) == 0);
    fuzz_require(sto_url_print(&again, second, sizeof(second)) == 0);
    fuzz_require(strcmp(printed, second) == 0);
    return 0;
}
