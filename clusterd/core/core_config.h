/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration language (cli.md): what `hawser configure show | load | edit` speaks, and the
 * cluster file of a scenario. One object a line; printing is canonical (sorted, defaults left out),
 * and what was printed parses to an equal configuration. Only the configuration: what became of
 * objects is neither printed nor read.
 */
#ifndef CORE_CONFIG_H
#define CORE_CONFIG_H

#include <stddef.h>

#include "clusterd/core/core_state.h"
#include "common/hw_error.h"

enum { CORE_CONFIG_TEXT_MAX = 16 << 20 };

/*
 * Parse and judge `size` bytes into a state that holds this configuration alone, freed by the
 * caller. 0; -EINVAL with a message whose object is "line N: KIND NAME" and that has a remedy;
 * -EFBIG; -ENOMEM. ret_state is untouched on errors; `error` may be NULL.
 */
int core_config_parse(const char *text, size_t size, struct core_state *ret_state,
                      struct hw_error *error);
/*
 * Judge a configuration as a whole: references to nothing, LUNs that two VMs use, node ids that are
 * used twice, rules that contradict each other, memory that the state area cannot hold. 0; -EINVAL
 * with a message; -ENOMEM.
 */
int core_config_check(const struct core_state *state, struct hw_error *error);
/* Print, ended by '\0', freed by the caller. 0 or -ENOMEM. */
int core_config_print(const struct core_state *state, char **ret_text);

#endif
