/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of the link to a disk's server: vmm_vhost.c (states), vmm_vhost_open.c (making it, and
 * judging what the server says of the disk), vmm_vhost_log.c (dirty log).
 */
#ifndef VMM_VHOST_PRIV_H
#define VMM_VHOST_PRIV_H

#include "storage/vhost/vh_event.h"
#include "vmm-core/virtio/vmm_vhost.h"

/* Who has the rings. */
enum link_state {
    LINK_IDLE,     /* we */
    LINK_STARTING, /* the server is about to get them, or gets them again when it is back */
    LINK_RUNNING,  /* the server */
    LINK_STOPPING, /* it is about to give them back */
};

/* Why epoll wakes us; below VH_QUEUES: that queue's call. */
enum link_source { LINK_TIMER = VH_QUEUES, LINK_POKE, LINK_FRONT };

struct link_log {
    int fd; /* -1: no log */
    uint8_t *bits;
    uint64_t bytes;
    bool told;    /* the front end knows of the change that is wanted, */
    bool settled; /* and the server, too */
    bool failed;
};

struct vmm_vhost {
    char *path;
    struct vmm_vhost_callbacks callbacks;
    bool attached;
    struct vh_front *front;
    struct vh_events *events;
    int epoll_fd, timer_fd, poke_fd;
    int kick_fds[VH_QUEUES], call_fds[VH_QUEUES]; /* of `most_queues` */
    bool takes_calls[VH_QUEUES];
    unsigned most_queues, queues;
    uint64_t features;
    uint8_t config[VMM_VHOST_CONFIG_BYTES];
    bool opened; /* what the disk is has been judged once; from now on it is connected to again */
    bool connected, known;
    enum link_state state;
    bool wanted, resetting;
    bool over; /* the guest cannot go on */
    bool away; /* people were told that the server is lost */
    bool rekick;
    unsigned complaints; /* since then */
    char told[VMM_VHOST_TEXT_BYTES];
    struct link_log log;
};

/* What the server says now is what it said before, or (`opened` false) is taken. False: `ret_text`
 * says what is wrong with it. `ret_larger`: there is more of the disk. */
bool link_judge(struct vmm_vhost *link, const char **ret_text, bool *ret_larger);
/* The events of its front end. */
void link_event(void *context, enum vh_front_event event, const char *text);
void link_watch(void *context, int fd, short events);
/* Connect. 0 or what vh_front_connect() says. */
int link_connect(struct vmm_vhost *link);
/* Let service() be called soon. */
void link_poke(struct vmm_vhost *link);
/* Tell the front end of the log that is wanted, if that can be done now. 0, or -errno: the
 * connection is to be ended. */
int link_advance_log(struct vmm_vhost *link);

#endif
