/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the main() of every program does: parse against the tables, show help or version, run the
 * verb, see that its output arrived.
 */
#ifndef HW_MAIN_H
#define HW_MAIN_H

#include "common/hw_verb.h"

/* Run `program` with main()'s arguments; returns the exit status. */
int hw_main(const struct hw_program *program, int argc, char **argv);

#endif
