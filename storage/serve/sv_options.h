/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What hawser-lun was told on its command line, checked: disks, sockets, who it is, its leases.
 * Nothing is opened here.
 */
#ifndef SV_OPTIONS_H
#define SV_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/hw_call.h"
#include "storage/sto_url.h"

enum { SV_DISKS = 17, SV_SOCKET_BYTES = 108 }; /* 16 disks and the state area; sun_path */

struct sv_disk_config {
    struct sto_url url;
    char socket[SV_SOCKET_BYTES];
    bool read_only;
    bool state; /* the saved-state area */
};

enum sv_lease_mode { SV_LEASE_MEMBER, SV_LEASE_STORAGE };

struct sv_config {
    unsigned disk_count;
    struct sv_disk_config disks[SV_DISKS];
    char control[SV_SOCKET_BYTES]; /* "": none */
    char feed[SV_SOCKET_BYTES];    /* "": none, or feed_fd */
    int feed_fd;                   /* -1: none */
    enum sv_lease_mode lease;
    bool has_identity; /* cluster and node are set */
    uint8_t cluster_uuid[16];
    uint16_t node;
    uint32_t generation; /* 0: wait for "acquire" */
    bool takeover, discard_state, sandbox, json;
    bool die_with_parent; /* PR_SET_PDEATHSIG, again behind the change of user */
    uint32_t deadman_ms;  /* 0: no member lease */
    uint32_t store_ms;
    const char *initiator; /* NULL: the host's; points into the call */
    bool uid_given;
    uid_t uid, front_end_uid;
};

/*
 * Read it from the call. 0, or -EINVAL with a message of kind HW_ERROR_USAGE (or HW_ERROR_REFUSED
 * for a LUN whose owner nobody can name).
 */
int sv_config_read(const struct hw_call *call, struct sv_config *ret_config,
                   struct hw_error *error);

/* Is this a LUN that can be owned: one with reservations? */
bool sv_config_reserves(const struct sto_url *url);
/* Do two URLs name areas of one LUN? */
bool sv_config_same_lun(const struct sto_url *a, const struct sto_url *b);

#endif
