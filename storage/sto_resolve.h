/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses of a host without blocking: an address in digits is taken at once, a name is looked
 * up by getaddrinfo_a() in the C library's own thread. The caller asks again until it is there.
 */
#ifndef STO_RESOLVE_H
#define STO_RESOLVE_H

#include <stdbool.h>

enum { STO_ADDRESSES = 4, STO_ADDRESS_BYTES = 64 };

struct sto_addresses {
    unsigned count;
    char text[STO_ADDRESSES][STO_ADDRESS_BYTES]; /* digits; IPv6 without brackets */
};

struct sto_resolve;

/* Fill `ret_addresses` if `host` is an address in digits; false if it is a name. Never blocks. */
bool sto_resolve_numeric(const char *host, struct sto_addresses *ret_addresses);

/* Start looking a name up. 0, -ENOMEM, -EAGAIN. Never blocks. */
int sto_resolve_start(const char *host, struct sto_resolve **ret_resolve);

/* 0 and the addresses; -EINPROGRESS: ask again; -ENOENT: no such name (or no answer). Never
 * blocks. */
int sto_resolve_poll(struct sto_resolve *resolve, struct sto_addresses *ret_addresses);

/* Stop and free; a lookup that cannot be stopped frees itself when it ends. NULL is allowed. */
void sto_resolve_free(struct sto_resolve *resolve);

#endif
