/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine's end of one disk that another process serves (doc/vhost.md): it keeps the connection
 * while machines come and go (a guest's reset makes a new one), hands the guest's rings over and
 * takes them back, and connects again, with the same in-flight region, when the server is lost.
 * Meanwhile the guest waits. A server that keeps no such region and is lost with the rings takes
 * with it what it knew of the requests: then the machine has to end.
 *
 * All calls with the machine's lock held, if there is a machine. Only vmm_vhost_service() talks to
 * the server: what the other calls want is done there.
 */
#ifndef VMM_VHOST_H
#define VMM_VHOST_H

#include "common/hw_error.h"
#include "storage/vhost/vh_front.h"

enum { VMM_VHOST_CONFIG_BYTES = 60, VMM_VHOST_TEXT_BYTES = 400 };

struct vmm_vhost;

/* From vmm_vhost_service(), but for called(). The device may use the link inside. */
struct vmm_vhost_callbacks {
    /* The rings are about to be handed over: fill in all but the descriptors for signals. False:
     * not now. */
    bool (*setup)(void *context, struct vh_front_setup *ret_setup);
    /* The server has the rings, maybe another server than before: what signals there were may be
     * lost. */
    void (*running)(void *context);
    /* It has given them back, and answered all it took: vmm_vhost_base() can be read. */
    void (*stopped)(void *context);
    void (*was_reset)(void *context); /* vmm_vhost_reset() is done */
    /* The server tells of answers in queue `i`. */
    void (*called)(void *context, unsigned i);
    void (*configured)(void *context); /* vmm_vhost_config() has changed: the disk is larger */
    /* The guest cannot go on without harm; `text` says why. Once. */
    void (*lost)(void *context, const char *text);
    void (*tell)(void *context, const char *text); /* a line for people */
    void *context;
};

/*
 * The server's socket is `path`. It is connected to, and asked what the disk is: that is waited for
 * as long as the server is there and not ready (`waiting`, once, may be NULL). At most `queues` (1
 * to VH_QUEUES) of its queues are used. 0, or -errno with the error.
 */
int vmm_vhost_open(const char *path, unsigned queues, void (*waiting)(const char *path),
                   struct vmm_vhost **ret_link, struct hw_error *error);
void vmm_vhost_close(struct vmm_vhost *link); /* NULL is allowed */

/* Readable: vmm_vhost_service() has something to do. It ends with the link. */
int vmm_vhost_fd(const struct vmm_vhost *link);
void vmm_vhost_service(struct vmm_vhost *link); /* never blocks */

/* What the disk is: virtio's features of the device itself and of its rings, its configuration
 * (virtio 1.2 5.2.4) and the number of its queues. */
uint64_t vmm_vhost_features(const struct vmm_vhost *link);
const uint8_t *vmm_vhost_config(const struct vmm_vhost *link); /* VMM_VHOST_CONFIG_BYTES */
unsigned vmm_vhost_queues(const struct vmm_vhost *link);
const char *vmm_vhost_path(const struct vmm_vhost *link);

/* This device uses it from now on; NULL: none does, and what was asked for it is forgotten. */
void vmm_vhost_attach(struct vmm_vhost *link, const struct vmm_vhost_callbacks *callbacks);

/* The server is to have the rings; running() follows as soon as it is there. */
void vmm_vhost_start(struct vmm_vhost *link);
/* It is not; stopped() follows if it has them. A server that is lost is waited for. */
void vmm_vhost_stop(struct vmm_vhost *link);
/* Likewise, and of what was asked of it nothing is done again. True: done, nobody had the rings.
 * False: was_reset() follows; a server that is lost is waited for. */
bool vmm_vhost_reset(struct vmm_vhost *link);
/* Nobody has the rings, and nobody is about to get them. */
bool vmm_vhost_idle(const struct vmm_vhost *link);
uint16_t vmm_vhost_base(const struct vmm_vhost *link, unsigned i); /* of the last stop */

/* Tell the server of new requests in queue `i`. */
void vmm_vhost_kick(struct vmm_vhost *link, unsigned i);
/* Eventfds of queue `i`, which KVM may signal, or take signals from: then called() is switched off
 * (it is on at first). */
int vmm_vhost_kick_fd(const struct vmm_vhost *link, unsigned i);
int vmm_vhost_call_fd(const struct vmm_vhost *link, unsigned i);
void vmm_vhost_take_calls(struct vmm_vhost *link, unsigned i, bool on);

/*
 * The dirty log, for a guest that is saved while it runs: a bit for each page of 4 KiB that the
 * server writes, of the guest's memory below `guest_bytes`. From when vmm_vhost_logging() says 1
 * nothing is missing. 0; -EALREADY; -ENOTSUP: the server cannot; or -errno.
 */
int vmm_vhost_log_begin(struct vmm_vhost *link, uint64_t guest_bytes);
/* 1: all that is written is noted; 0: not yet; -ENOTSUP: it will not be. */
int vmm_vhost_logging(const struct vmm_vhost *link);
/*
 * Add what was written to `bytes` (a multiple of 256 KiB) of the guest from `guest_at` (likewise)
 * on since the last time to `bits`, bit 0 of bits[0] first, and take it as seen. Atomic against the
 * server; the last time is behind stopped().
 */
void vmm_vhost_log_take(struct vmm_vhost *link, uint64_t guest_at, uint64_t bytes, uint64_t *bits);
void vmm_vhost_log_end(struct vmm_vhost *link); /* no more; nothing if there is no log */

#endif
