/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A server of a state area in the loop of the test: vhost-user-blk over a file, with a cache that a
 * flush empties. What was not flushed is lost when the test ends it, or when it ends the process.
 */
#ifndef AREA_SERVER_H
#define AREA_SERVER_H

#include <qb/qbloop.h>
#include <stdbool.h>
#include <stdint.h>

#include "storage/sto_saved.h"

enum { AREA_PAGE_BYTES = 4096 };

struct area_server {
    qb_loop_t *loop;
    char directory[32], socket[64], file[64];
    uint64_t bytes;
    int fd;
    uint8_t *cache;   /* of the whole file */
    uint8_t *changed; /* a byte for each page: not flushed */
    struct vh_back *back;
    unsigned writes, reads, flushes;
    unsigned die_at;   /* the process ends before this write or flush, counted from 1; 0: never */
    unsigned leave_at; /* the server ends before this one, and does not come back by itself */
    unsigned fail_at;  /* this one is not carried out and fails; */
    unsigned lose_at;  /* this one is carried out and fails; */
    unsigned fails;    /* and so do so many after it */
    bool holds;        /* requests wait */
    bool leaving;      /* nothing more is carried out */
    /* the flush behind a COMMITTED is carried out and fails; the process ends before the write or
     * flush that comes so many later, if that is not 0 */
    bool loses_commit;
    unsigned dies_behind;
};

/* A directory and an empty file of `bytes`; nothing is served yet. */
void area_server_make(struct area_server *server, qb_loop_t *loop, uint64_t bytes);
/* Remove them; it has ended. */
void area_server_remove(struct area_server *server);
/* Serve, from what is durable. */
void area_server_begin(struct area_server *server);
/* End, as by a power cut. */
void area_server_end(struct area_server *server);
/* Writes and flushes so far. */
unsigned area_server_ops(const struct area_server *server);
/* Let what waits go on, or not. */
void area_server_hold(struct area_server *server, bool hold);
/* What the slots say that are durable. */
void area_server_look(const struct area_server *server, struct sto_saved_look *ret_look);
/* Change one byte of what is durable, while it does not serve. */
void area_server_flip(const struct area_server *server, uint64_t at);

#endif
