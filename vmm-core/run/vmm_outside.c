/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a machine's devices lead: its consoles and network devices.
 */
#include "config.h"

#include "vmm-core/run/vmm_outside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/hw_values.h"
#include "vmm-core/run/vmm_net.h"

enum { MIB = 1 << 20 };

#define FILE_WORD "file:"

/* A console with what it leads to. */
struct lead {
    struct vmm_console *console; /* NULL: none */
    int file;                    /* -1: none */
};

struct vmm_outside {
    struct lead serial, console;
    struct vmm_virtio_console_port port;
    struct vmm_machine *machine;
    uint64_t balloon_bytes;
    unsigned net_count;
    struct vmm_net *nets[VMM_MACHINE_NETS];
};

/* --- options --- */

static bool is(const char *word, const char *what)
{
    return strcmp(word, what) == 0;
}

static bool is_file(const char *word)
{
    return strncmp(word, FILE_WORD, strlen(FILE_WORD)) == 0 && word[strlen(FILE_WORD)] != '\0';
}

static int read_lead(const struct hw_call *call, const char *name, const char **ret_word,
                     struct hw_error *error)
{
    const char *word = hw_option_value(call, name, 0);
    char option[16];

    if (word == NULL)
        word = "none";
    (void)snprintf(option, sizeof(option), "--%s", name);
    if (!is(word, "none") && !is(word, "stdio") && !is_file(word))
        return hw_error_set(error, HW_ERROR_USAGE, EINVAL, option,
                            "is none of stdio, file:PATH and none", "give one of them");
    *ret_word = word;
    return 0;
}

static bool is_twice(const struct vmm_outside_options *options, unsigned i)
{
    const struct vmm_tap_words *net = &options->nets[i];

    for (unsigned before = 0; before < i; before++)
        if (memcmp(options->nets[before].mac, net->mac, sizeof(net->mac)) == 0)
            return true;
    return false;
}

static int read_nets(const struct hw_call *call, struct vmm_outside_options *options,
                     struct hw_error *error)
{
    const char *text;
    int rc = 0;

    options->net_count = 0;
    while (rc == 0 && (text = hw_option_value(call, "net", options->net_count)) != NULL) {
        const unsigned i = options->net_count++;

        if (i == VMM_MACHINE_NETS)
            return hw_error_set(error, HW_ERROR_USAGE, EINVAL, "--net",
                                "is given more than 8 times", "leave some out");
        rc = vmm_tap_read_words(text, &options->nets[i], error);
        if (rc == 0 && is_twice(options, i))
            rc = hw_error_set(error, HW_ERROR_USAGE, EINVAL, "--net",
                              "has the MAC address of another one", "give each its own");
    }
    return rc;
}

int vmm_outside_options(const struct hw_call *call, struct vmm_outside_options *ret_options,
                        struct hw_error *error)
{
    int rc = read_lead(call, "serial", &ret_options->serial, error);

    if (rc == 0)
        rc = read_lead(call, "console", &ret_options->console, error);
    ret_options->balloon_bytes = 0;
    if (rc == 0)
        rc = hw_option_size(call, "balloon", MIB, VMM_MEMORY_MAX_BYTES, &ret_options->balloon_bytes,
                            error);
    if (rc == 0)
        rc = read_nets(call, ret_options, error);
    if (rc == 0 && is(ret_options->serial, "stdio") && is(ret_options->console, "stdio"))
        rc = hw_error_set(error, HW_ERROR_USAGE, EINVAL, "--console",
                          "is stdio, and so is --serial", "let one of them lead elsewhere");
    return rc;
}

/* --- consoles --- */

static size_t console_write(void *context, const void *bytes, size_t count)
{
    return vmm_console_write(((struct vmm_outside *)context)->console.console, bytes, count);
}

static void console_has_room(void *context)
{
    vmm_console_read(((struct vmm_outside *)context)->console.console);
}

static const struct vmm_console_device serial_device = { vmm_machine_console_write,
                                                         vmm_machine_has_room };
static const struct vmm_console_device console_device = { vmm_machine_virtio_console_write,
                                                          vmm_machine_virtio_console_has_room };

static int open_file(const char *path, int *ret_fd, struct hw_error *error)
{
    const int flags = O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;

    *ret_fd = open(path, flags, 0600);
    return *ret_fd < 0 ? hw_error_setf(error, HW_ERROR_FAILED, errno, path,
                                       "name a file that may be written", "cannot be opened: %s",
                                       strerror(errno))
                       : 0;
}

static int open_lead(struct lead *lead, const char *word, const struct vmm_console_device *device,
                     qb_loop_t *loop, void (*quit)(void *context), void *context,
                     struct hw_error *error)
{
    const bool stdio = is(word, "stdio");
    int rc = is_file(word) ? open_file(word + strlen(FILE_WORD), &lead->file, error) : 0;

    if (rc < 0)
        return rc;
    rc = vmm_console_new(loop, device, stdio ? STDIN_FILENO : -1,
                         stdio ? STDOUT_FILENO : lead->file, quit, context, &lead->console);
    return rc < 0 ? hw_error_set(error, HW_ERROR_FAILED, -rc, "memory", "ran out", "") : 0;
}

static void close_lead(struct lead *lead)
{
    vmm_console_free(lead->console);
    if (lead->file >= 0)
        (void)close(lead->file);
}

struct vmm_console *vmm_outside_serial(const struct vmm_outside *outside)
{
    return outside->serial.console;
}

/* --- network devices --- */

static const struct vmm_net_device net_device = { vmm_machine_net_receive, vmm_machine_net_go_on,
                                                  vmm_machine_net_set_link,
                                                  vmm_machine_net_announce, vmm_machine_net_mac };

static int open_net(struct vmm_outside *outside, qb_loop_t *loop, const struct vmm_tap_words *words,
                    struct vmm_machine_config *config, struct hw_error *error)
{
    const unsigned i = outside->net_count;
    char name[IFNAMSIZ];
    int fd, rc = vmm_tap_open(words, name, &fd, error);

    if (rc < 0)
        return rc;
    rc = vmm_net_new(loop, &net_device, i, name, fd, &outside->nets[i]);
    if (rc < 0) {
        (void)close(fd);
        return hw_error_set(error, HW_ERROR_FAILED, -rc, "memory", "ran out", "");
    }
    outside->net_count++;
    memcpy(config->nets[i].mac, words->mac, sizeof(words->mac));
    config->nets[i].port = vmm_net_port(outside->nets[i]);
    config->net_count = outside->net_count;
    return 0;
}

/* --- all of them --- */

int vmm_outside_new(qb_loop_t *loop, const struct vmm_outside_options *options,
                    void (*quit)(void *context), void *context, struct vmm_machine_config *config,
                    struct vmm_outside **ret_outside, struct hw_error *error)
{
    struct vmm_outside *outside = calloc(1, sizeof(*outside));
    int rc;

    if (outside == NULL)
        return hw_error_set(error, HW_ERROR_FAILED, ENOMEM, "memory", "ran out", "");
    outside->balloon_bytes = options->balloon_bytes;
    outside->serial.file = outside->console.file = -1;
    outside->port = (struct vmm_virtio_console_port) { console_write, console_has_room, outside };
    rc = open_lead(&outside->serial, options->serial, &serial_device, loop, quit, context, error);
    if (rc == 0 && !is(options->console, "none"))
        rc = open_lead(&outside->console, options->console, &console_device, loop, quit, context,
                       error);
    for (unsigned i = 0; rc == 0 && i < options->net_count; i++)
        rc = open_net(outside, loop, &options->nets[i], config, error);
    if (rc < 0) {
        vmm_outside_free(outside);
        return rc;
    }
    if (outside->console.console != NULL)
        config->console = &outside->port;
    *ret_outside = outside;
    return 0;
}

void vmm_outside_free(struct vmm_outside *outside)
{
    if (outside == NULL)
        return;
    for (unsigned i = 0; i < outside->net_count; i++)
        vmm_net_free(outside->nets[i]);
    close_lead(&outside->console);
    close_lead(&outside->serial);
    free(outside);
}

void vmm_outside_set_machine(struct vmm_outside *outside, struct vmm_machine *machine)
{
    outside->machine = machine;
    if (machine != NULL)
        vmm_machine_balloon_set_target(machine, outside->balloon_bytes);
    vmm_console_set_machine(outside->serial.console, machine);
    if (outside->console.console != NULL)
        vmm_console_set_machine(outside->console.console, machine);
    for (unsigned i = 0; i < outside->net_count; i++)
        vmm_net_set_machine(outside->nets[i], machine);
}

void vmm_outside_set_balloon(struct vmm_outside *outside, uint64_t bytes)
{
    outside->balloon_bytes = bytes;
    if (outside->machine != NULL)
        vmm_machine_balloon_set_target(outside->machine, bytes);
}

void vmm_outside_announce(struct vmm_outside *outside)
{
    for (unsigned i = 0; i < outside->net_count; i++)
        vmm_net_announce(outside->nets[i]);
}

void vmm_outside_flush(struct vmm_outside *outside)
{
    vmm_console_flush(outside->serial.console);
    if (outside->console.console != NULL)
        vmm_console_flush(outside->console.console);
}
