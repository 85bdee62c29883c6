/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Portals by address: once locked in, the server cannot look a name up any more. */
#ifndef SV_RESOLVE_H
#define SV_RESOLVE_H

#include "storage/sto_url.h"

/*
 * Put addresses in digits in the place of the portals' names, as many as there is room for. Blocks
 * as long as the resolver does. 0, or -EHOSTUNREACH with the message if no portal has an address.
 */
int sv_resolve_portals(struct sto_url *url, struct hw_error *error);

#endif
