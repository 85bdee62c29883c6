/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The wake-ups that devices ask for, each on a clock of its own choice, all behind one descriptor
 * that an event loop waits for (timerfd_create(2), epoll(7)).
 */
#ifndef VMM_ALARMS_H
#define VMM_ALARMS_H

#include <stdint.h>
#include <time.h>

enum { VMM_ALARMS = 4, VMM_ALARMS_WATCHED = 16 }; /* at most */

struct vmm_alarms;

/* None yet. 0 or -errno. */
int vmm_alarms_new(struct vmm_alarms **ret_alarms);
void vmm_alarms_free(struct vmm_alarms *alarms); /* NULL is allowed */

/*
 * One more on `clock`: CLOCK_BOOTTIME, CLOCK_MONOTONIC, or CLOCK_REALTIME, and then it also goes
 * off when that is set. `wake` is called by vmm_alarms_fire(). 0 with its number, or -errno.
 */
int vmm_alarms_add(struct vmm_alarms *alarms, clockid_t clock, void (*wake)(void *context),
                   void *context, unsigned *ret_number);
/* Alarm `number` goes off once when its clock shows `at_ns`, and no more at the time before;
 * INT64_MAX: never. Never blocks. */
void vmm_alarms_set(struct vmm_alarms *alarms, unsigned number, int64_t at_ns);

/* Another descriptor behind the same one: vmm_alarms_fire() calls `ready`, which finds out whether
 * there is something to do. It stays the caller's. 0; -ENOSPC; or -errno. */
int vmm_alarms_watch(struct vmm_alarms *alarms, int fd, void (*ready)(void *context),
                     void *context);

/* Readable when one has gone off. It is ended with the alarms. */
int vmm_alarms_fd(const struct vmm_alarms *alarms);
/* Wake whoever's has, and ask the watched. Never blocks. */
void vmm_alarms_fire(struct vmm_alarms *alarms);

#endif
