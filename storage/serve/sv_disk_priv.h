/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of a served disk: sv_disk.c (its requests) and sv_disk_life.c (its life, what it tells).
 */
#ifndef SV_DISK_PRIV_H
#define SV_DISK_PRIV_H

#include "storage/serve/sv_server_priv.h"
#include "storage/vhost/vh_back.h"

struct sv_disk {
    struct sv_server *server;
    unsigned index;
    const struct sv_disk_config *config;
    struct vh_back *back;
    int listener;    /* the back end's */
    unsigned filled; /* its backlog, until the disk is ready */
    struct sv_lun *lun;
    struct sto_window window;
    uint32_t block_bytes;
    bool ready;
    struct disk_request *parked_first, *parked_last; /* without an outcome, oldest first */
};

/* Behind each vh_request. */
struct disk_request {
    struct sto_request request;
    struct vh_request *from;
    struct sv_disk *disk;
    struct disk_request *next;
    bool abandoned;
    bool header; /* it writes a saved-state slot */
    bool shuts;  /* and sv_saved_shut() was told */
};

/* From the back end: a request came, or nobody wants its answer any more. */
void disk_request_came(void *context, struct vh_request *from);
void disk_request_abandoned(void *context, struct vh_request *from);

#endif
