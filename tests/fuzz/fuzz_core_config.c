/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes clusterd/core/core_config and clusterd/core/core_line: a configuration from an admin. What
 * parses is printed, and that parses to an equal state and prints the same.
 */
#include <config.h>

#include "clusterd/core/core_config.h"
#include "clusterd/core/core_snapshot.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct core_state state, again;
    uint64_t hash = 0, other = 1;
    char *text, *once_more;

    if (core_config_parse((const char *)data, size, &state, NULL) < 0)
        return 0;
    fuzz_require(core_config_print(&state, &text) == 0);
    fuzz_require(core_config_parse(text, strlen(text), &again, NULL) == 0);
    fuzz_require(core_config_print(&again, &once_more) == 0);
    fuzz_require(strcmp(text, once_more) == 0);
    fuzz_require(core_state_hash(&state, &hash) == 0 && core_state_hash(&again, &other) == 0);
    fuzz_require(hash == other);
    free(text);
    free(once_more);
    core_state_free(&state);
    core_state_free(&again);
    return 0;
}
