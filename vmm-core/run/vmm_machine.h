/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A whole machine: guest memory, vCPUs of KVM, and the devices on its bus, under one lock. It is
 * made standing; it runs and stands as one. What it has to say comes by callbacks; what it is, as
 * sections of a saved state (memory apart), goes out of one machine and into another of the same
 * shape.
 */
#ifndef VMM_MACHINE_H
#define VMM_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/hw_error.h"
#include "vmm-core/boot/vmm_pvh.h"
#include "vmm-core/kvm/vmm_memory.h"
#include "vmm-core/machine/vmm_cmos.h"
#include "vmm-core/virtio/vmm_virtio_balloon.h"
#include "vmm-core/virtio/vmm_virtio_console.h"
#include "vmm-core/virtio/vmm_virtio_net.h"

enum { VMM_MACHINE_CPUS = 16, VMM_MACHINE_DISKS = 16, VMM_MACHINE_NETS = 8 };

struct vmm_machine;
struct vmm_vhost;

/* What boots the guest when no kernel is placed in its memory. */
struct vmm_machine_firmware {
    const void *image; /* vmm_firmware_is() */
    size_t bytes;
    bool network_first; /* before disks */
    bool menu;          /* the firmware offers to choose */
    /* A line that the firmware says about itself. Any thread, with the machine's lock held: it must
     * not call the machine. Never blocks for long. May be NULL. */
    void (*line)(void *context, const char *text);
    void *context;
};

struct vmm_machine_net {
    uint8_t mac[VMM_VIRTIO_NET_MAC_BYTES];
    const struct vmm_virtio_net_port *port;
};

struct vmm_machine_config {
    /* The caller's, and lives as long; NULL: none, see vmm_machine_boot_pvh(). */
    const struct vmm_machine_firmware *firmware;

    uint64_t memory_bytes;           /* see vmm_memory_new() */
    unsigned cpus;                   /* 1 to VMM_MACHINE_CPUS */
    struct vmm_cmos_battery battery; /* see vmm_machine_keep(); all 0: none */
    unsigned disk_count;             /* 0 to VMM_MACHINE_DISKS */
    struct vmm_vhost *const *disks;  /* the caller's, and for this machine alone while it lives */
    /* A line for people about a disk's server, with the callbacks' context; only from
     * vmm_machine_alarm(), with the lock held. May be NULL. */
    void (*disk_told)(void *context, const char *text);
    /* Where the virtio console leads; NULL: there is none. */
    const struct vmm_virtio_console_port *console;
    unsigned net_count;
    struct vmm_machine_net nets[VMM_MACHINE_NETS];
};

/* Why a machine stands without having been asked to. */
enum vmm_machine_end {
    VMM_MACHINE_RESET,     /* the guest reset itself (a port), or gave up (triple fault) */
    VMM_MACHINE_POWER_OFF, /* the guest switched itself off (ACPI, S5) */
    VMM_MACHINE_BROKEN,    /* KVM cannot go on */
    VMM_MACHINE_DISK_LOST, /* a disk's server is gone, and nobody knows what it has done */
};

/* What a vCPU comes out of the guest for, and its name for people. */
#define VMM_EXITS(X)            \
    X(PORT, "port")             \
    X(MMIO, "mmio")             \
    X(INTERRUPT, "interrupted") \
    X(OTHER, "other")

enum vmm_exit {
#define VMM_EXIT_ENUM(name, word) VMM_EXIT_##name,
    VMM_EXITS(VMM_EXIT_ENUM)
#undef VMM_EXIT_ENUM
        VMM_EXIT_COUNT
};

/* Of each vCPU: how often that was, and how long its thread has had a processor. */
struct vmm_machine_counts {
    uint64_t exits[VMM_MACHINE_CPUS][VMM_EXIT_COUNT];
    uint64_t cpu_ns[VMM_MACHINE_CPUS];
};

struct vmm_machine_callbacks {
    /* A byte of the serial port; false: no room now, see vmm_machine_has_room(). Any thread, with
     * the machine's lock held: it must not call the machine. Never blocks. */
    bool (*console)(void *context, uint8_t byte);
    /* The guest has read from the serial port: there is room again. Likewise. */
    void (*console_read)(void *context);
    /* Told once; the vCPUs are on their way to stand. Likewise. */
    void (*ended)(void *context, enum vmm_machine_end end, const char *text);
    /* The guest says that its kernel has panicked; it may say so often. Likewise. */
    void (*panicked)(void *context);
    void *context;
};

/* A machine on the descriptor of /dev/kvm (kept, not closed). 0 or -errno with the error. */
int vmm_machine_new(int kvm_fd, const struct vmm_machine_config *config,
                    const struct vmm_machine_callbacks *callbacks, struct vmm_machine **ret_machine,
                    struct hw_error *error);
/* Stop and end it. NULL is allowed. */
void vmm_machine_free(struct vmm_machine *machine);

/* What outlives the guest's reset, into the config of the machine that takes this one's place. */
void vmm_machine_keep(struct vmm_machine *machine, struct vmm_machine_config *config);

/* Place a kernel, a bzImage or an ELF file with a PVH note, and the ACPI tables (boot->rsdp_at is
 * not looked at), and begin there; before it has run. 0 or -errno with the error. */
int vmm_machine_boot_pvh(struct vmm_machine *machine, const struct vmm_pvh_boot *boot,
                         struct hw_error *error);

void vmm_machine_run(struct vmm_machine *machine);   /* all vCPUs go on */
void vmm_machine_pause(struct vmm_machine *machine); /* and stand, when this returns */

/* The power button was pressed: the guest is asked to switch itself off (ACPI). */
void vmm_machine_power_button(struct vmm_machine *machine);

/* What this machine has counted, added to `counts`. */
void vmm_machine_count(struct vmm_machine *machine, struct vmm_machine_counts *counts);

/* Bytes for the serial port; returns how many were taken. */
size_t vmm_machine_console_write(struct vmm_machine *machine, const uint8_t *bytes, size_t count);
/* callbacks.console has room again. */
void vmm_machine_has_room(struct vmm_machine *machine);

/* The same for the virtio console, if it has one: config->console takes bytes again. */
size_t vmm_machine_virtio_console_write(struct vmm_machine *machine, const uint8_t *bytes,
                                        size_t count);
void vmm_machine_virtio_console_has_room(struct vmm_machine *machine);

/* Of its network device `i` (vmm_virtio_net.h). */
bool vmm_machine_net_receive(struct vmm_machine *machine, unsigned i);
void vmm_machine_net_go_on(struct vmm_machine *machine, unsigned i);
void vmm_machine_net_set_link(struct vmm_machine *machine, unsigned i, bool up);
void vmm_machine_net_announce(struct vmm_machine *machine, unsigned i);
void vmm_machine_net_mac(struct vmm_machine *machine, unsigned i,
                         uint8_t ret_mac[VMM_VIRTIO_NET_MAC_BYTES]);

/*
 * Of its memory balloon (vmm_virtio_balloon.h): ask the guest to give up so much, at most all of
 * its memory; ask it for new statistics; how it stands.
 */
void vmm_machine_balloon_set_target(struct vmm_machine *machine, uint64_t bytes);
void vmm_machine_balloon_ask(struct vmm_machine *machine);
void vmm_machine_balloon_status(struct vmm_machine *machine,
                                struct vmm_virtio_balloon_status *ret_status);

/* When this descriptor is readable, vmm_machine_alarm() is called: some device's time has come. It
 * ends with the machine. */
int vmm_machine_alarm_fd(const struct vmm_machine *machine);
void vmm_machine_alarm(struct vmm_machine *machine); /* never blocks for long */

const struct vmm_memory *vmm_machine_memory(const struct vmm_machine *machine); /* the guest's */

/*
 * While it stands: everything but memory, as sections (vmm_save_tlv.h), into `size` bytes. 0 with
 * the length; -ENOSPC; -errno with the error.
 */
int vmm_machine_save(struct vmm_machine *machine, void *bytes, size_t size, size_t *ret_bytes,
                     struct hw_error *error);
/*
 * Into a machine of the same shape that has never run; its memory is the caller's business. 0 or
 * -errno with the error, and then the machine is good for nothing.
 */
int vmm_machine_load(struct vmm_machine *machine, const void *bytes, size_t size,
                     struct hw_error *error);

#endif
