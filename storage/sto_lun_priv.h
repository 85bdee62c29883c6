/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For implementers of LUN backends: the vtable and the struct that each backend embeds as its
 * first member. Callers use sto_lun.h, whose wrappers check arguments before a slot is called.
 */
#ifndef STO_LUN_PRIV_H
#define STO_LUN_PRIV_H

#include "storage/sto_lun.h"
#include "storage/sto_url.h"

/* Every slot is required. None blocks, but for what is said on `open`. */
struct sto_lun_ops {
    const char *scheme;
    /* allocate and fill; nothing sent. Never blocks. */
    int (*open)(const struct sto_url *url, const struct sto_lun_options *options,
                struct sto_lun **ret_lun, struct hw_error *error);
    /* end everything hard, complete what is in flight, free. Never blocks. */
    void (*close)(struct sto_lun *lun);
    void (*drop)(struct sto_lun *lun, enum sto_session session);
    /* take an operation that sto_lun_submit() has judged; complete it later, from `service`. */
    int (*submit)(struct sto_lun *lun, struct sto_op *op);
    int (*fd)(const struct sto_lun *lun);
    short (*events)(const struct sto_lun *lun);
    void (*service)(struct sto_lun *lun, short revents);
    /* hand over what was submitted while `gathering` and is still here; ends what ends at once */
    void (*hand_over)(struct sto_lun *lun);
    /* facts of a backend that is not SCSI; SCSI backends return -ENOTSUP and are asked by CDB. */
    int (*facts)(struct sto_lun *lun, struct sto_facts *ret_facts, struct hw_error *error);
};

struct sto_lun {
    const struct sto_lun_ops *ops;
    const struct hw_clock *clock;
    struct sto_lun_notify notify;
    struct sto_facts facts;
    bool facts_known;
    bool read_only;
    uint32_t io_timeout_ms;
    uint32_t connect_ms;
    unsigned in_flight;
    bool gathering;                        /* between sto_lun_gather() and sto_lun_hand_over() */
    const _Atomic int64_t *lease_until_ns; /* sto_lun_set_lease(); NULL: none */
    int64_t expiry_ns;                     /* sto_lun_set_expiry(); 0: none */
    char *name;                            /* owned */
    void *identify;                        /* sto_identify() under way, owned by sto_identify.c */
};

extern const struct sto_lun_ops sto_iscsi_ops; /* iscsi:// */
extern const struct sto_lun_ops sto_block_ops; /* block:/dev/... */
extern const struct sto_lun_ops sto_file_ops;  /* file:/... */

/* May nothing be sent that is marked STO_LEASED? */
bool sto_lun_lease_over(const struct sto_lun *lun);

/* The slot of a backend whose submit hands over at once. */
void sto_lun_handed_over(struct sto_lun *lun);

/* A completion as backends make it: stamps done_ns, counts in_flight down, calls op->done. */
void sto_lun_complete(struct sto_lun *lun, struct sto_op *op);

#endif
