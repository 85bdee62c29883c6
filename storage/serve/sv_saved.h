/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The saved state's two header slots, as the server sees them (sto_saved.h says what they mean):
 * read and judged once the LUN is owned, marked CONSUMED in both where that is ordered or nothing
 * is lost by it, and watched: a client that writes a header decides with it whether the disks may
 * be written.
 */
#ifndef SV_SAVED_H
#define SV_SAVED_H

#include "storage/serve/sv_job.h"
#include "storage/sto_saved.h"

enum sv_saved_task { SV_SAVED_IDLE, SV_SAVED_LOOKING, SV_SAVED_WRITING };

struct sv_saved {
    int (*submit)(void *to, struct sto_request *request); /* see struct sv_job */
    void *to;
    uint64_t offset_bytes; /* of the state area on the LUN */
    uint32_t block_bytes;
    uint8_t *buffer; /* both slots, a page each */
    struct sv_job job;
    enum sv_saved_task task;
    bool consume, again, ended;
    unsigned writes;            /* of CONSUMED in this go */
    bool known;                 /* and of this ownership */
    struct sto_saved_look look; /* as judged last, if known */
    unsigned shutting;          /* writes of headers under way that forbid to write the disks */
    bool shut;                  /* one of them began, and no good look has begun since it ended */
    /* After each go: `rc` STO_OK and `look` is fresh, or how reading or writing failed. */
    void (*done)(void *context, enum sto_rc rc);
    void *context;
};

/* For the state area at `offset_bytes` of the LUN that `submit` with `to` leads to, whose blocks
 * have `block_bytes`. 0 or -ENOMEM. */
int sv_saved_init(struct sv_saved *saved, int (*submit)(void *to, struct sto_request *request),
                  void *to, uint64_t offset_bytes, uint32_t block_bytes,
                  void (*done)(void *context, enum sto_rc rc), void *context);
/* The LUN is about to be closed: nothing is begun or told any more. */
void sv_saved_end(struct sv_saved *saved);
/* Give the buffers back; no job may be running (close the LUN first). */
void sv_saved_fini(struct sv_saved *saved);

/* Another ownership began: others may have written since what is known was read. A look has to
 * follow. */
void sv_saved_forget(struct sv_saved *saved);

/* Flush, read both slots, judge. While one go runs, another follows it. */
void sv_saved_look(struct sv_saved *saved);
/* The same, and mark what is found CONSUMED, in both slots, each durable before the next: until
 * they are CLEAN. Not over a FOREIGN state: that stays. */
void sv_saved_consume(struct sv_saved *saved);

/* A client's write that forbids to write the disks is about to be submitted: from here on `shut`.
 */
void sv_saved_shut(struct sv_saved *saved);
/* It ended, however: look. */
void sv_saved_shut_end(struct sv_saved *saved);

enum sv_saved_write { SV_SAVED_NOT_A_HEADER, SV_SAVED_HARMLESS, SV_SAVED_SHUTS };

/*
 * Would a write of `bytes` at `offset_bytes` of the state area change a slot, and with `data`
 * (scattered over `count` pieces) does it put a state there that forbids to write the disks, or one
 * that cannot be read? NOT_A_HEADER: it touches no slot.
 */
enum sv_saved_write sv_saved_judge_write(uint64_t offset_bytes, uint64_t bytes,
                                         const struct iovec *data, unsigned count);

#endif
