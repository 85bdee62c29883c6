/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hawser command: its words are in verbs*.c, what its verbs do in cmd_*.c.
 */
#include <config.h>

#include "cli/verbs.h"
#include "common/hw_main.h"

int main(int argc, char **argv)
{
    return hw_main(&cli_program, argc, argv);
}
