/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of portals to addresses, before lock-in.
 */
#include "config.h"

#include "storage/serve/sv_resolve.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>

#include "storage/sto_resolve.h"

/* The addresses of one portal behind those that are there. */
static void add_portal(const struct sto_portal *portal, struct sto_url *url)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };
    struct addrinfo *found;

    if (getaddrinfo(portal->host, NULL, &hints, &found) != 0)
        return;
    for (struct addrinfo *at = found; at != NULL && url->portal_count < STO_URL_PORTALS;
         at = at->ai_next) {
        struct sto_portal *add = &url->portals[url->portal_count];

        memset(add, 0, sizeof(*add));
        if (getnameinfo(at->ai_addr, at->ai_addrlen, add->host, sizeof(add->host), NULL, 0,
                        NI_NUMERICHOST) != 0)
            continue;
        add->port = portal->port;
        url->portal_count++;
    }
    freeaddrinfo(found);
}

int sv_resolve_portals(struct sto_url *url, struct hw_error *error)
{
    const unsigned count = url->portal_count;
    struct sto_portal named[STO_URL_PORTALS];
    struct sto_addresses digits;

    if (url->scheme != STO_SCHEME_ISCSI)
        return 0;
    memcpy(named, url->portals, sizeof(named));
    url->portal_count = 0;
    for (unsigned i = 0; i < count && url->portal_count < STO_URL_PORTALS; i++) {
        if (sto_resolve_numeric(named[i].host, &digits))
            url->portals[url->portal_count++] = named[i];
        else
            add_portal(&named[i], url);
    }
    if (url->portal_count == 0)
        return hw_error_set(error, HW_ERROR_FAILED, EHOSTUNREACH, named[0].host, "has no address",
                            "check the name, or write the address");
    return 0;
}
