/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The console. A chain that cannot be written wholly goes back to its queue, and `sent` is how much
 * of it was: so nothing is ever under way.
 */
#include "config.h"

#include "vmm-core/virtio/vmm_virtio_console.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm-core/machine/vmm_dev_ids.h"

enum { RECEIVE, TRANSMIT, QUEUES };
/* struct virtio_console_config (5.3.4): columns, rows, ports, a byte to write at once */
enum { EMERGENCY_AT = 8, EMERGENCY_BYTES = 4, CONFIG_BYTES = 12 };
#define FEATURE_EMERGENCY (UINT64_C(1) << 2)

struct vmm_virtio_console {
    struct vmm_virtio *virtio;
    struct vmm_virtio_console_port port;
    bool paused;
    uint64_t sent; /* of the next chain to transmit */
    struct vh_chain chain;
};

/* --- from the guest --- */

/* What of the chain was not sent yet; true: that was all. */
static bool send(struct vmm_virtio_console *console)
{
    const struct vh_chain *chain = &console->chain;
    uint64_t before = 0;

    for (unsigned i = 0; i < chain->out_count; before += chain->pieces[i++].iov_len) {
        const struct iovec *piece = &chain->pieces[i];
        const size_t skip = console->sent > before ? console->sent - before : 0;
        size_t taken;

        if (skip >= piece->iov_len)
            continue;
        taken = console->port.write(console->port.context, (uint8_t *)piece->iov_base + skip,
                                    piece->iov_len - skip);
        console->sent += taken;
        if (taken < piece->iov_len - skip)
            return false;
    }
    console->sent = 0;
    return true;
}

static void transmit(struct vmm_virtio_console *console)
{
    unsigned count = 0;

    while (count < VMM_VIRTIO_CONSOLE_QUEUE_SIZE &&
           vmm_virtio_pop(console->virtio, TRANSMIT, &console->chain)) {
        if (!send(console)) {
            vmm_virtio_unpop(console->virtio, TRANSMIT, 1);
            break;
        }
        vmm_virtio_push(console->virtio, TRANSMIT, console->chain.head, 0);
        count++;
    }
    if (count > 0)
        vmm_virtio_signal(console->virtio, TRANSMIT);
}

void vmm_virtio_console_has_room(struct vmm_virtio_console *console)
{
    if (!console->paused)
        transmit(console);
}

static void serve(void *dev, unsigned queue)
{
    struct vmm_virtio_console *console = dev;

    if (queue == TRANSMIT)
        transmit(console);
    else
        console->port.has_room(console->port.context);
}

/* A byte without queues, for a guest in trouble (5.3.5.2); nobody waits if there is no room. */
static void configured(void *dev)
{
    struct vmm_virtio_console *console = dev;
    uint8_t byte;

    vmm_virtio_config(console->virtio, EMERGENCY_AT, &byte, sizeof(byte));
    (void)console->port.write(console->port.context, &byte, sizeof(byte));
}

/* --- for the guest --- */

static size_t fill(struct vmm_virtio_console *console, const uint8_t *bytes, size_t count)
{
    const struct vh_chain *chain = &console->chain;
    size_t done = 0;

    for (unsigned i = 0; i < chain->in_count && done < count; i++) {
        const struct iovec *piece = &chain->pieces[chain->out_count + i];
        const size_t part = piece->iov_len < count - done ? piece->iov_len : count - done;

        memcpy(piece->iov_base, bytes + done, part);
        vmm_virtio_wrote(console->virtio, piece->iov_base, part);
        done += part;
    }
    return done;
}

size_t vmm_virtio_console_receive(struct vmm_virtio_console *console, const uint8_t *bytes,
                                  size_t count)
{
    unsigned chains = 0;
    size_t done = 0;

    while (!console->paused && done < count && chains < VMM_VIRTIO_CONSOLE_QUEUE_SIZE &&
           vmm_virtio_pop(console->virtio, RECEIVE, &console->chain)) {
        const size_t part = fill(console, bytes + done, count - done);

        vmm_virtio_push(console->virtio, RECEIVE, console->chain.head, (uint32_t)part);
        done += part;
        chains++;
    }
    if (chains > 0)
        vmm_virtio_signal(console->virtio, RECEIVE);
    return done;
}

/* --- for the machine --- */

static void forget(void *dev)
{
    ((struct vmm_virtio_console *)dev)->sent = 0;
}

static const struct vmm_virtio_kind kind = {
    .type = 3,
    .class_code = 0x078000,
    .features = FEATURE_EMERGENCY,
    .queues = QUEUES,
    .queue_size = VMM_VIRTIO_CONSOLE_QUEUE_SIZE,
    .config_bytes = CONFIG_BYTES,
    .serve = serve,
    .writable_at = EMERGENCY_AT,
    .writable_bytes = EMERGENCY_BYTES,
    .configured = configured,
    .forget = forget,
};

static void console_reset(void *dev)
{
    struct vmm_virtio_console *console = dev;

    console->paused = false;
    vmm_virtio_reset(console->virtio);
}

static void console_pause(void *dev)
{
    ((struct vmm_virtio_console *)dev)->paused = true;
}

static void console_resume(void *dev)
{
    struct vmm_virtio_console *console = dev;

    console->paused = false;
    vmm_virtio_resume(console->virtio);
}

static void console_state(void *dev, struct vmm_state *state)
{
    struct vmm_virtio_console *console = dev;

    vmm_state_u64(state, &console->sent);
    vmm_virtio_state(console->virtio, state);
}

static void console_fini(void *dev)
{
    struct vmm_virtio_console *console = dev;

    vmm_virtio_free(console->virtio);
    free(console);
}

static const struct vmm_dev_ops dev_ops = {
    .name = "virtio console",
    .id = VMM_DEV_VIRTIO_CONSOLE,
    .version = 1,
    .reset = console_reset,
    .pause = console_pause,
    .resume = console_resume,
    .state = console_state,
    .fini = console_fini,
};

int vmm_virtio_console_new(struct vmm_pci *pci, unsigned slot, struct vh_mem *mem,
                           const struct vmm_virtio_console_port *port, struct vmm_dev *ret_dev,
                           struct vmm_dev *ret_msix, struct vmm_virtio_console **ret_console)
{
    struct vmm_virtio_console *console = calloc(1, sizeof(*console));
    int rc;

    if (console == NULL)
        return -ENOMEM;
    console->port = *port;
    rc = vmm_virtio_new(pci, slot, &kind, mem, console, ret_msix, &console->virtio);
    if (rc < 0) {
        free(console);
        return rc;
    }
    *ret_dev = (struct vmm_dev) { .ops = &dev_ops, .dev = console };
    *ret_console = console;
    return 0;
}
