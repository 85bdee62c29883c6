/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which front end's guest may run: its in-flight region tells where it ran. One that is stale keeps
 * its place as long as nobody else needs it.
 */
#include "config.h"

#include "storage/vhost/vh_back_priv.h"

bool back_may_run(struct vh_conn *conn)
{
    struct vh_back *back = conn->back;

    if (conn->stale || back->origin.lun == 0 ||
        vh_inflight_goes_on(&conn->inflight, back->origin.lun, back->origin.line,
                            conn == back->active))
        return !conn->stale;
    conn->stale = true;
    back->callbacks.tell(
        back->callbacks.context, true,
        "its guest ran before another node or a tool had the LUN, or on "
        "another LUN: it gets its disk no more; end that guest, and start it anew");
    return false;
}

void vh_back_set_origin(struct vh_back *back, const struct vh_back_origin *origin)
{
    back->origin = origin == NULL ? (struct vh_back_origin) { 0 } : *origin;
    for (unsigned i = 0; i < VH_CLIENTS; i++)
        if (back_wants_to_run(&back->conns[i]))
            (void)back_may_run(&back->conns[i]);
    back_settle(back);
}

/* A stale one with requests out keeps its place: it ends with the last of them. */
static struct vh_conn *oldest_stale(struct vh_back *back)
{
    struct vh_conn *oldest = NULL;

    for (unsigned i = 0; i < VH_CLIENTS; i++) {
        struct vh_conn *conn = &back->conns[i];

        if (conn->fd >= 0 && conn->stale && conn->outstanding == 0 &&
            (oldest == NULL || conn->number < oldest->number))
            oldest = conn;
    }
    return oldest;
}

static struct vh_conn *free_place(struct vh_back *back)
{
    for (unsigned i = 0; i < VH_CLIENTS; i++)
        if (!back->conns[i].used)
            return &back->conns[i];
    return NULL;
}

bool back_has_place(struct vh_back *back)
{
    unsigned good = 0;

    for (unsigned i = 0; i < VH_CLIENTS; i++)
        good += back->conns[i].used && !back->conns[i].stale;
    return good < VH_CLIENTS_GOOD && (free_place(back) != NULL || oldest_stale(back) != NULL);
}

struct vh_conn *back_place_for_another(struct vh_back *back)
{
    struct vh_conn *oldest = NULL;

    if (free_place(back) == NULL)
        oldest = oldest_stale(back);
    if (oldest != NULL)
        back_drop(oldest, "its guest ran before another node or a tool had the LUN, and another "
                          "front end needs its place; end that guest");
    return free_place(back);
}
