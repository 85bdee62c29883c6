/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The three nexuses of a target under test: real ones by URL, or the model's on a virtual clock.
 * Runs one operation to its end while all of them are served; repeats nothing, decides nothing.
 */
#ifndef SEQ_PORT_H
#define SEQ_PORT_H

#include <stdbool.h>

#include "storage/sto_lun.h"
#include "tests/lab/seq_table.h"

struct seq_port;

/* Open the target's nexuses, all down. `url` is NULL for the models. NULL, with one line on
 * stderr: it cannot be opened. Freed by seq_port_close(). */
struct seq_port *seq_port_open(enum seq_target target, const char *url);
void seq_port_close(struct seq_port *port); /* NULL is allowed */

/* Run an operation of this nexus. False: it could not be submitted. */
bool seq_port_run(struct seq_port *port, unsigned nexus, struct sto_op *op);
/* The nexus's session ends without a logout. */
void seq_port_drop(struct seq_port *port, unsigned nexus);

#endif
