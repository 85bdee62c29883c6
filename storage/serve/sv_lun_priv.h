/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of a served LUN: sv_lun.c (its life, its requests) and sv_lun_look.c (what it is, its
 * layout). */
#ifndef SV_LUN_PRIV_H
#define SV_LUN_PRIV_H

#include "storage/serve/sv_job.h"
#include "storage/serve/sv_lun.h"

struct sv_lun {
    const struct sv_config *config;
    struct sv_lun_callbacks callbacks;
    struct sto_url url;
    struct sto_lun *lun;
    struct sto_owner *owner;  /* with reservations */
    struct sto_gate *gate;    /* without */
    int presence_fd, wwid_fd; /* the name of its URL, and the socket for that of its WWID */
    bool named;               /* wwid_fd bears it */
    int64_t name_again_ns;    /* another process holds it: asked again then; INT64_MAX: no */
    int64_t name_end_ns;      /* and until then; 0: never yet */
    bool read_only;           /* told by the look */
    char wwid[sizeof(((struct sto_facts *)0)->wwid)]; /* known also while the size is not */
    bool want_layout, laid, laid_before;
    struct sto_layout layout;
    struct sto_op op; /* the look's login */
    struct sv_job job;
    bool read_again;      /* owned anew while `job` read for the ownership before */
    uint8_t *edges;       /* both, STO_LAYOUT_EDGE_BYTES each, */
    uint8_t *description; /* and both copies of the LUN's description, a page each */
    bool may_discard;
};

enum { LUN_PAGE_BYTES = 4096, LUN_LOOK_MS = 5000 /* for the answers of one look */ };

/* How long a name of this node on a LUN is waited for: a predecessor that was killed may take a
 * moment to be gone, and who only looks at the LUN holds it for a moment. */
enum { LUN_PRESENCE_MS = 5000, LUN_PRESENCE_STEP_MS = 2 };

/* Tell the server. */
void lun_tell(struct sv_lun *lun, enum sv_lun_event event, const struct sto_owner_notice *notice,
              const struct hw_error *error);
/* The look knows which LUN it is: take the name of its WWID, now or when name_again_ns has come,
 * and go on. */
void lun_take_name(struct sv_lun *lun);
/* It is owned: read the layout if that is wanted and not done; SV_LUN_LAID follows. */
void lun_read_layout(struct sv_lun *lun);

#endif
