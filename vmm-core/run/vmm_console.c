/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The console. `mutex` guards the bytes on their way out; the machine's lock is taken inside no
 * other one, so bytes for the guest are handed over without it.
 */
#include "config.h"

#include "vmm-core/run/vmm_console.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <termios.h>
#include <unistd.h>

enum { OUT_BYTES = 4096, IN_BYTES = 256, QUIT_KEY = 0x1d };

struct vmm_console {
    qb_loop_t *loop;
    const struct vmm_console_device *device;
    int in, out;
    void (*quit)(void *context);
    void *context;
    struct vmm_machine *machine;
    void (*wrote)(void *context);
    void *wrote_context;
    uint64_t told; /* out_total when `wrote` was called */
    int wake_fd;   /* the vCPU's side wrote, or read */
    bool raw;
    struct termios before;
    bool in_watched, out_watched;
    uint8_t in_bytes[IN_BYTES];
    size_t in_count;
    uint64_t in_total;
    pthread_mutex_t mutex;
    uint8_t out_bytes[OUT_BYTES];
    size_t out_count;
    uint64_t out_total;
    uint8_t kept[VMM_CONSOLE_KEEPS]; /* byte n of all is at n modulo its size */
    bool is_heard;                   /* `wrote` is there */
    bool out_full;                   /* a byte was refused: say when there is room */
};

/* --- the vCPU's side --- */

/* The last ones, for who asks later. */
static void keep(struct vmm_console *console, const uint8_t *bytes, size_t count)
{
    const size_t skip = count > VMM_CONSOLE_KEEPS ? count - VMM_CONSOLE_KEEPS : 0;

    console->out_total += skip;
    for (size_t i = skip; i < count; i++)
        console->kept[console->out_total++ % VMM_CONSOLE_KEEPS] = bytes[i];
}

size_t vmm_console_write(struct vmm_console *console, const void *bytes, size_t count)
{
    size_t room, taken = count;
    bool wakes;

    (void)pthread_mutex_lock(&console->mutex);
    if (console->out >= 0) {
        room = OUT_BYTES - console->out_count;
        taken = count < room ? count : room;
        memcpy(console->out_bytes + console->out_count, bytes, taken);
        console->out_count += taken;
        console->out_full = console->out_full || taken < count;
    }
    keep(console, bytes, taken);
    wakes = console->out >= 0 || console->is_heard;
    (void)pthread_mutex_unlock(&console->mutex);
    if (wakes)
        (void)eventfd_write(console->wake_fd, 1);
    return taken;
}

bool vmm_console_put(struct vmm_console *console, uint8_t byte)
{
    return vmm_console_write(console, &byte, 1) == 1;
}

void vmm_console_read(struct vmm_console *console)
{
    (void)eventfd_write(console->wake_fd, 1);
}

/* --- the main loop's side --- */

static int32_t in_ready(int32_t fd, int32_t revents, void *data);
static int32_t out_ready(int32_t fd, int32_t revents, void *data);

static void watch_in(struct vmm_console *console, bool wanted)
{
    if (console->in < 0 || wanted == console->in_watched)
        return;
    if (!wanted)
        (void)qb_loop_poll_del(console->loop, console->in);
    else if (qb_loop_poll_add(console->loop, QB_LOOP_MED, console->in, POLLIN, console, in_ready) <
             0) {
        console->in = -1; /* a file or so: nothing to wait for */
        return;
    }
    console->in_watched = wanted;
}

/* True: it will be told when there is room. */
static bool watch_out(struct vmm_console *console, bool wanted)
{
    if (wanted == console->out_watched)
        return wanted;
    if (!wanted)
        (void)qb_loop_poll_del(console->loop, console->out);
    else if (qb_loop_poll_add(console->loop, QB_LOOP_MED, console->out, POLLOUT, console,
                              out_ready) < 0)
        return false; /* a file: never full */
    console->out_watched = wanted;
    return wanted;
}

static void feed(struct vmm_console *console)
{
    size_t taken;

    if (console->machine == NULL || console->in_count == 0)
        return;
    taken = console->device->write(console->machine, console->in_bytes, console->in_count);
    console->in_count -= taken;
    console->in_total += taken;
    memmove(console->in_bytes, console->in_bytes + taken, console->in_count);
    watch_in(console, console->in_count < IN_BYTES);
}

static int32_t in_ready(int32_t fd, int32_t revents, void *data)
{
    struct vmm_console *console = data;
    ssize_t got = read(fd, console->in_bytes + console->in_count, IN_BYTES - console->in_count);

    (void)revents;
    if (got == 0 || (got < 0 && errno != EINTR)) {
        watch_in(console, false);
        console->in = -1; /* the end of it: the guest goes on without */
    } else if (got > 0) {
        if (console->raw &&
            memchr(console->in_bytes + console->in_count, QUIT_KEY, (size_t)got) != NULL)
            console->quit(console->context);
        console->in_count += (size_t)got;
        watch_in(console, console->in_count < IN_BYTES);
        feed(console);
    }
    return 0;
}

/* One write of what is there; a reader that is gone takes everything. */
static size_t write_some(struct vmm_console *console, const uint8_t *bytes, size_t count)
{
    const ssize_t done = write(console->out, bytes, count);

    if (done >= 0)
        return (size_t)done;
    return errno == EINTR || errno == EAGAIN ? 0 : count;
}

/* `most` 0: all of it. */
static void drain(struct vmm_console *console, size_t most)
{
    uint8_t bytes[OUT_BYTES];
    size_t count, done;
    bool tell;

    (void)pthread_mutex_lock(&console->mutex);
    count = console->out_count;
    if (most != 0 && count > most)
        count = most;
    memcpy(bytes, console->out_bytes, count);
    (void)pthread_mutex_unlock(&console->mutex);
    done = count == 0 ? 0 : write_some(console, bytes, count);
    (void)pthread_mutex_lock(&console->mutex);
    console->out_count -= done;
    memmove(console->out_bytes, console->out_bytes + done, console->out_count);
    tell = console->out_full && done > 0;
    console->out_full = console->out_full && !tell;
    count = console->out_count;
    (void)pthread_mutex_unlock(&console->mutex);
    if (tell && console->machine != NULL)
        console->device->has_room(console->machine);
    if (count == 0)
        (void)watch_out(console, false);
}

static int32_t out_ready(int32_t fd, int32_t revents, void *data)
{
    (void)fd;
    (void)revents;
    drain(data, 512); /* as much as a pipe that is ready takes without waiting (POSIX PIPE_BUF) */
    return 0;
}

void vmm_console_flush(struct vmm_console *console)
{
    size_t left;

    do {
        struct pollfd ready = { .fd = console->out, .events = POLLOUT };

        if (console->out < 0 || poll(&ready, 1, 0) != 1)
            return;
        drain(console, 512);
        (void)pthread_mutex_lock(&console->mutex);
        left = console->out_count;
        (void)pthread_mutex_unlock(&console->mutex);
    } while (left > 0);
}

static int32_t woken(int32_t fd, int32_t revents, void *data)
{
    struct vmm_console *console = data;
    eventfd_t count;
    uint64_t total;
    size_t waiting;

    (void)revents;
    (void)eventfd_read(fd, &count);
    (void)pthread_mutex_lock(&console->mutex);
    waiting = console->out_count;
    total = console->out_total;
    (void)pthread_mutex_unlock(&console->mutex);
    if (waiting > 0 && !watch_out(console, true))
        drain(console, 0);
    feed(console);
    if (console->wrote != NULL && total != console->told) {
        console->told = total;
        console->wrote(console->wrote_context);
    }
    return 0;
}

size_t vmm_console_look(struct vmm_console *console, uint64_t *at, void *bytes, size_t size)
{
    uint64_t total;
    size_t count;

    (void)pthread_mutex_lock(&console->mutex);
    total = console->out_total;
    if (total - *at > VMM_CONSOLE_KEEPS)
        *at = total > VMM_CONSOLE_KEEPS ? total - VMM_CONSOLE_KEEPS : 0;
    count = total - *at < size ? (size_t)(total - *at) : size;
    for (size_t i = 0; i < count; i++)
        ((uint8_t *)bytes)[i] = console->kept[(*at + i) % VMM_CONSOLE_KEEPS];
    (void)pthread_mutex_unlock(&console->mutex);
    return count;
}

void vmm_console_listen(struct vmm_console *console, void (*wrote)(void *context), void *context)
{
    console->wrote = wrote;
    console->wrote_context = context;
    (void)pthread_mutex_lock(&console->mutex);
    console->is_heard = wrote != NULL;
    console->told = console->out_total;
    (void)pthread_mutex_unlock(&console->mutex);
}

size_t vmm_console_type(struct vmm_console *console, const void *bytes, size_t count)
{
    const size_t room = IN_BYTES - console->in_count, taken = count < room ? count : room;

    memcpy(console->in_bytes + console->in_count, bytes, taken);
    console->in_count += taken;
    watch_in(console, console->in_count < IN_BYTES);
    feed(console);
    return taken;
}

struct vmm_console_counts vmm_console_count(struct vmm_console *console)
{
    struct vmm_console_counts counts = { .in_bytes = console->in_total };

    (void)pthread_mutex_lock(&console->mutex);
    counts.out_bytes = console->out_total;
    (void)pthread_mutex_unlock(&console->mutex);
    return counts;
}

void vmm_console_set_machine(struct vmm_console *console, struct vmm_machine *machine)
{
    console->machine = machine;
    feed(console);
}

static void make_raw(struct vmm_console *console)
{
    struct termios raw;

    if (console->in < 0 || tcgetattr(console->in, &console->before) < 0)
        return;
    raw = console->before;
    cfmakeraw(&raw);
    raw.c_oflag |= OPOST; /* our own lines stay lines */
    console->raw = tcsetattr(console->in, TCSANOW, &raw) == 0;
}

int vmm_console_new(qb_loop_t *loop, const struct vmm_console_device *device, int in, int out,
                    void (*quit)(void *context), void *context, struct vmm_console **ret_console)
{
    struct vmm_console *console = calloc(1, sizeof(*console));

    if (console == NULL)
        return -ENOMEM;
    console->loop = loop;
    console->device = device;
    console->in = in;
    console->out = out;
    console->quit = quit;
    console->context = context;
    (void)pthread_mutex_init(&console->mutex, NULL);
    console->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (console->wake_fd < 0 ||
        qb_loop_poll_add(loop, QB_LOOP_HIGH, console->wake_fd, POLLIN, console, woken) < 0) {
        const int code = errno != 0 ? errno : EIO;

        vmm_console_free(console);
        return -code;
    }
    make_raw(console);
    watch_in(console, true);
    *ret_console = console;
    return 0;
}

void vmm_console_free(struct vmm_console *console)
{
    if (console == NULL)
        return;
    watch_in(console, false);
    if (console->out >= 0)
        (void)watch_out(console, false);
    if (console->wake_fd >= 0) {
        (void)qb_loop_poll_del(console->loop, console->wake_fd);
        (void)close(console->wake_fd);
    }
    if (console->raw)
        (void)tcsetattr(console->in < 0 ? STDIN_FILENO : console->in, TCSANOW, &console->before);
    (void)pthread_mutex_destroy(&console->mutex);
    free(console);
}
