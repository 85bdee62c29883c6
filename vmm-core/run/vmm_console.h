/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A console on a pair of descriptors: what the guest writes waits here until it can be passed
 * on, what comes from outside until the guest reads. One side is a vCPU's thread, the other the
 * main loop's; neither waits for the other.
 */
#ifndef VMM_CONSOLE_H
#define VMM_CONSOLE_H

#include <qb/qbloop.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm-core/run/vmm_machine.h"

struct vmm_console;

/* The machine's device that it belongs to. */
struct vmm_console_device {
    size_t (*write)(struct vmm_machine *machine, const uint8_t *bytes, size_t count);
    void (*has_room)(struct vmm_machine *machine);
};

/*
 * On `in` and `out` (the caller's, not closed; -1: nothing there). A terminal at `in` is switched
 * to single bytes and back at the end; Ctrl-] there calls `quit`. 0 or -errno.
 */
int vmm_console_new(qb_loop_t *loop, const struct vmm_console_device *device, int in, int out,
                    void (*quit)(void *context), void *context, struct vmm_console **ret_console);
void vmm_console_free(struct vmm_console *console); /* NULL is allowed */

/* From now on it speaks to this machine, or to none (NULL). Main loop only. */
void vmm_console_set_machine(struct vmm_console *console, struct vmm_machine *machine);
/* For the device (struct vmm_machine_callbacks, struct vmm_virtio_console_port). */
size_t vmm_console_write(struct vmm_console *console, const void *bytes, size_t count);
bool vmm_console_put(struct vmm_console *console, uint8_t byte);
void vmm_console_read(struct vmm_console *console);
/* What the guest wrote so far is passed on now, as far as that is possible. */
void vmm_console_flush(struct vmm_console *console);

enum { VMM_CONSOLE_KEEPS = 16384 }; /* of the last bytes that the guest wrote */

/*
 * Bytes that the guest wrote, from byte `*at` of all on, or from the oldest that is kept: then that
 * is put into `at`. Returns how many of at most `size`; 0: it wrote no more.
 */
size_t vmm_console_look(struct vmm_console *console, uint64_t *at, void *bytes, size_t size);
/* Call `wrote` from the main loop when the guest has written; NULL: no more. */
void vmm_console_listen(struct vmm_console *console, void (*wrote)(void *context), void *context);
/* Bytes for the guest, as if they came from `in`; returns how many there was room for. */
size_t vmm_console_type(struct vmm_console *console, const void *bytes, size_t count);

/* Bytes from the guest and for it, of all its machines. */
struct vmm_console_counts {
    uint64_t out_bytes, in_bytes;
};

/* So far. */
struct vmm_console_counts vmm_console_count(struct vmm_console *console);

#endif
