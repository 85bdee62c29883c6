/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Name lookup by getaddrinfo_a(). The request lives on the heap until both the caller and the C
 * library's thread have let go of it: a lookup under way cannot be called back.
 */
#include "config.h"

#include "storage/sto_resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sto_resolve {
    struct gaicb request;
    struct addrinfo hints;
    atomic_int holders; /* the caller and the lookup */
    atomic_bool ended;
    char host[];
};

static void add(struct sto_addresses *addresses, const struct sockaddr *address, socklen_t size)
{
    char *place = addresses->text[addresses->count];

    if (addresses->count < STO_ADDRESSES &&
        getnameinfo(address, size, place, STO_ADDRESS_BYTES, NULL, 0, NI_NUMERICHOST) == 0)
        addresses->count++;
}

static void add_all(struct sto_addresses *addresses, const struct addrinfo *info)
{
    addresses->count = 0;
    for (; info != NULL && addresses->count < STO_ADDRESSES; info = info->ai_next)
        add(addresses, info->ai_addr, info->ai_addrlen);
}

bool sto_resolve_numeric(const char *host, struct sto_addresses *ret_addresses)
{
    struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM };
    struct addrinfo *info = NULL;

    if (getaddrinfo(host, NULL, &hints, &info) != 0)
        return false;
    add_all(ret_addresses, info);
    freeaddrinfo(info);
    return ret_addresses->count > 0;
}

static void let_go(struct sto_resolve *resolve)
{
    if (atomic_fetch_sub(&resolve->holders, 1) > 1)
        return;
    if (resolve->request.ar_result != NULL)
        freeaddrinfo(resolve->request.ar_result);
    free(resolve);
}

static void lookup_ended(union sigval value)
{
    struct sto_resolve *resolve = value.sival_ptr;

    atomic_store(&resolve->ended, true);
    let_go(resolve);
}

int sto_resolve_start(const char *host, struct sto_resolve **ret_resolve)
{
    size_t size = strlen(host) + 1;
    struct sto_resolve *resolve = calloc(1, sizeof(*resolve) + size);
    struct gaicb *list[1];
    struct sigevent event = { .sigev_notify = SIGEV_THREAD, .sigev_notify_function = lookup_ended };

    if (resolve == NULL)
        return -ENOMEM;
    memcpy(resolve->host, host, size);
    resolve->hints.ai_socktype = SOCK_STREAM;
    resolve->request.ar_name = resolve->host;
    resolve->request.ar_request = &resolve->hints;
    atomic_init(&resolve->holders, 2);
    atomic_init(&resolve->ended, false);
    event.sigev_value.sival_ptr = resolve;
    list[0] = &resolve->request;
    if (getaddrinfo_a(GAI_NOWAIT, list, 1, &event) != 0) {
        free(resolve);
        return -EAGAIN;
    }
    *ret_resolve = resolve;
    return 0;
}

int sto_resolve_poll(struct sto_resolve *resolve, struct sto_addresses *ret_addresses)
{
    if (!atomic_load(&resolve->ended))
        return -EINPROGRESS;
    if (gai_error(&resolve->request) != 0)
        return -ENOENT;
    add_all(ret_addresses, resolve->request.ar_result);
    return ret_addresses->count > 0 ? 0 : -ENOENT;
}

void sto_resolve_free(struct sto_resolve *resolve)
{
    if (resolve == NULL)
        return;
    /* If it was not started yet it is taken back, and the C library calls lookup_ended() all the
     * same: the second holder lets go there. */
    gai_cancel(&resolve->request);
    let_go(resolve);
}
