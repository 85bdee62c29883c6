/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server: LUNs, disks, control, lease and page of one VM around one event loop (libqb's).
 */
#ifndef SV_SERVER_H
#define SV_SERVER_H

#include <stdio.h>

#include "storage/serve/sv_options.h"

struct sv_server;

/*
 * Open everything that needs rights or may block: sockets, names, secrets, files. Lines about what
 * happens go to `out`. `config` stays the caller's and there. 0, or -errno with the message and
 * nothing to free.
 */
int sv_server_new(const struct sv_config *config, FILE *out, struct sv_server **ret_server,
                  struct hw_error *error);
/* Lock in (unless the configuration says not to). 0 or -errno with the message. */
int sv_server_lock_in(struct sv_server *server, struct hw_error *error);
/* Serve until told to stop. The exit status; 3 and 1 with the message in `error`. */
int sv_server_run(struct sv_server *server, struct hw_error *error);
/* End hard, close, free. NULL is allowed. */
void sv_server_free(struct sv_server *server);

#endif
