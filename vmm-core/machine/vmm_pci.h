/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI bus 0 of the machine (PCI Local Bus Specification 3.0): configuration mechanism #1 at ports
 * CF8h and CFCh, the reset control register at CF9h, the host bridge 00:00.0, and what every
 * function has: a configuration space with a type 00h header, base address registers (BARs),
 * capabilities, an interrupt pin. Pure.
 */
#ifndef VMM_PCI_H
#define VMM_PCI_H

#include "vmm-core/machine/vmm_bus.h"
#include "vmm-core/machine/vmm_dev.h"

enum {
    VMM_PCI_CONFIG_BYTES = 256,
    VMM_PCI_BARS = 6,
    VMM_PCI_WINDOWS = 8, /* the BARs, one whose place the device says, and the expansion ROM */
    VMM_PCI_SLOTS = 32,
    VMM_PCI_SLOT_FUNCTIONS = 8,
    VMM_PCI_PIRQS = 4,
    VMM_PCI_STATE_BYTES = VMM_PCI_CONFIG_BYTES + 1, /* of vmm_pci_function_state() */
};

/* Registers of the configuration space (PCI 3.0, 6.1). */
enum vmm_pci_register {
    VMM_PCI_VENDOR = 0x00,
    VMM_PCI_DEVICE = 0x02,
    VMM_PCI_COMMAND = 0x04,
    VMM_PCI_STATUS = 0x06,
    VMM_PCI_REVISION = 0x08,
    VMM_PCI_CLASS = 0x09, /* 3 bytes */
    VMM_PCI_CACHE_LINE = 0x0c,
    VMM_PCI_LATENCY = 0x0d,
    VMM_PCI_HEADER = 0x0e,
    VMM_PCI_BAR0 = 0x10,
    VMM_PCI_SUBSYSTEM_VENDOR = 0x2c,
    VMM_PCI_SUBSYSTEM = 0x2e,
    VMM_PCI_ROM = 0x30, /* base address of the expansion ROM */
    VMM_PCI_CAPABILITIES = 0x34,
    VMM_PCI_INTERRUPT_LINE = 0x3c,
    VMM_PCI_INTERRUPT_PIN = 0x3d,
    VMM_PCI_OWN = 0x40, /* from here on: capabilities and the device's own */
};

/* Bits of the command register (PCI 3.0, 6.2.2). */
enum vmm_pci_command {
    VMM_PCI_IO = 1,               /* answer at the I/O BARs */
    VMM_PCI_MEMORY = 2,           /* answer at the memory BARs */
    VMM_PCI_MASTER = 4,           /* may read and write memory, and send messages */
    VMM_PCI_PARITY = 0x40,        /* kept, means nothing here */
    VMM_PCI_SERR = 0x100,         /* likewise */
    VMM_PCI_INTX_DISABLE = 0x400, /* the interrupt pin stays inactive */
};

/* The low bits of a BAR (PCI 3.0, 6.2.5.1). */
enum vmm_pci_bar_type {
    VMM_PCI_BAR_MEMORY = 0,
    VMM_PCI_BAR_IO = 1,
    VMM_PCI_BAR_MEMORY64 = 4,     /* takes the next BAR as its high half */
    VMM_PCI_BAR_PREFETCHABLE = 8, /* with one of the memory types */
};

struct vmm_pci;

/* What the bus asks of the machine, with the machine's lock held. Neither blocks. */
struct vmm_pci_callbacks {
    /* A message signalled interrupt (PCI 3.0, 6.8): the write of `data` to `address`. */
    void (*send_msi)(void *context, uint64_t address, uint32_t data);
    void (*reset)(void *context); /* the guest resets the machine by CF9h; within its access */
    void *context;
};

/* What a function is, for ever. */
struct vmm_pci_identity {
    uint16_t vendor, device, subsystem_vendor, subsystem;
    uint32_t class_code; /* 3 bytes: base class, sub-class, interface */
    uint8_t revision;
    bool multifunction; /* of function 0: look for the others */
    uint8_t pin;        /* 0: none; 1: INTA# ... 4: INTD# */
};

/* A range on the bus that comes and goes as the guest says. */
struct vmm_pci_window {
    enum vmm_space space;
    uint64_t bytes; /* 0: there is none */
    const struct vmm_range_ops *ops;
    void *dev;
    uint64_t wanted; /* where the guest wants it; 0: nowhere */
    bool mapped;     /* and there it is, for nobody else is */
};

/*
 * A function, kept in the struct of its device, which sets it up with the calls below. Of `config`
 * the device may write its own registers, and say in `writable` which of their bits the guest
 * changes, before it adds the function; everything else is the bus's.
 */
struct vmm_pci_function {
    struct vmm_pci *pci; /* NULL: on none */
    uint8_t slot, number;
    uint8_t config[VMM_PCI_CONFIG_BYTES];
    uint8_t writable[VMM_PCI_CONFIG_BYTES];
    uint8_t at_reset[VMM_PCI_CONFIG_BYTES]; /* `config` when it was added */
    struct vmm_pci_window windows[VMM_PCI_WINDOWS];
    unsigned capabilities_end; /* where the next capability goes */
    uint8_t last_capability;   /* where the last one is; 0: none yet */
    bool asserted;             /* the device's interrupt */
    /* The guest, a reset or a load has changed something of the `count` bytes at `at`, and the BARs
     * follow it already. Never blocks. May be NULL. */
    void (*changed)(void *dev, unsigned at, unsigned count);
    /* The guest reads the `count` bytes at `at`: what of them is the device's own, and writable, it
     * may renew before. Never blocks. May be NULL. */
    void (*reading)(void *dev, unsigned at, unsigned count);
    /* Windows, of this function or another one, may be somewhere else now. Never blocks. May be
     * NULL. */
    void (*moved)(void *dev);
    void *dev;
};

/*
 * The bus at ports CF8h to CFFh with a host bridge 8086:1237 (Intel 82441FX). What else the machine
 * has at fixed places should be on `bus` before the first function is added: then the guest can
 * move BARs without any memory being taken. `ret_dev` is for the machine; `ret_pci` lives as long,
 * behind all functions. 0, -ENOMEM, or what vmm_bus_add() says.
 */
int vmm_pci_new(struct vmm_bus *bus, const struct vmm_pci_callbacks *callbacks,
                struct vmm_dev *ret_dev, struct vmm_pci **ret_pci);
/*
 * From now on `set_pirq` is told when PIRQA# (0) to PIRQD# (3) become active or not; INTA# of slot
 * 1 leads to PIRQA#, and each pin and slot further to the next one. NULL: nobody.
 */
void vmm_pci_set_router(struct vmm_pci *pci,
                        void (*set_pirq)(void *context, unsigned pirq, bool active), void *context);

/* Memory from C0000h to FFFFFh, 16 KiB each, and what the guest may have of it (82441FX, PAM): what
 * is not switched on goes to where the bus is, and the firmware's ROM. */
enum { VMM_PCI_SHADOW_SEGMENTS = 16, VMM_PCI_SHADOW_READ = 1, VMM_PCI_SHADOW_WRITE = 2 };
/* `set` is told of each segment now, and when it changes. Never blocks. NULL: nobody. */
void vmm_pci_set_shadow(struct vmm_pci *pci,
                        void (*set)(void *context, unsigned segment, unsigned attributes),
                        void *context);

/* --- a function, before it is on the bus --- */

/* Begin anew: the header as `identity` says, nothing else. */
void vmm_pci_begin(struct vmm_pci_function *function, const struct vmm_pci_identity *identity);
/*
 * BAR `i` is of `type` (enum vmm_pci_bar_type) and `bytes`, a power of two: 16 to 2 GiB of memory,
 * any more only with MEMORY64; 4 to 256 ports (PCI 3.0, 6.2.5.1). It is answered by `ops` with
 * `dev`, which must live as long, while the guest lets it. -EINVAL: another size or type, or the
 * BAR is taken.
 */
int vmm_pci_add_bar(struct vmm_pci_function *function, unsigned i, unsigned type, uint64_t bytes,
                    const struct vmm_range_ops *ops, void *dev);
/* Likewise a range that the device places itself: vmm_pci_move_window(). One of them. */
void vmm_pci_add_window(struct vmm_pci_function *function, enum vmm_space space, uint64_t bytes,
                        const struct vmm_range_ops *ops, void *dev);
/* Likewise the expansion ROM, a power of two from 2 KiB to 16 MiB (6.2.5.2); see vmm_pci_rom.h.
 * -EINVAL: another size, or there is one. */
int vmm_pci_add_rom(struct vmm_pci_function *function, uint32_t bytes,
                    const struct vmm_range_ops *ops, void *dev);
/*
 * A capability of `count` bytes; the first is `id`, the second the bus's (PCI 3.0, 6.7). Returns
 * where it is, a multiple of 4, or -ENOSPC.
 */
int vmm_pci_add_capability(struct vmm_pci_function *function, uint8_t id, unsigned count);
/*
 * Put it on the bus; its configuration of now is that of each reset. -EINVAL: no such place;
 * -EEXIST: the place is taken; -ENOMEM.
 */
int vmm_pci_add(struct vmm_pci *pci, struct vmm_pci_function *function, unsigned slot,
                unsigned number);
/* Take it off, any time; nothing if it is on no bus. */
void vmm_pci_remove(struct vmm_pci_function *function);

/* --- and while it is --- */

void vmm_pci_reset(struct vmm_pci_function *function); /* as it was added, pin inactive */
/* The window of vmm_pci_add_window() goes to `at`, as far as nobody else is there; 0: nowhere. */
void vmm_pci_move_window(struct vmm_pci_function *function, uint64_t at);
/* The device's interrupt; it shows on its pin unless the guest disabled that. */
void vmm_pci_assert(struct vmm_pci_function *function, bool asserted);
/* These bits of the command register are all set. */
bool vmm_pci_may(const struct vmm_pci_function *function, unsigned command);
/* Where BAR `i` is answered; 0: nowhere. */
uint64_t vmm_pci_bar_at(const struct vmm_pci_function *function, unsigned i);
/* A message; false, and not sent: the function is no bus master. */
bool vmm_pci_send_msi(const struct vmm_pci_function *function, uint64_t address, uint32_t data);
/* Configuration space and interrupt (VMM_PCI_STATE_BYTES); what the guest could not have written
 * is wrong. */
void vmm_pci_function_state(struct vmm_pci_function *function, struct vmm_state *state);
/* An access of the guest: 1, 2 or 4 bytes at `at`, within 4 aligned bytes of the space. */
uint32_t vmm_pci_config_read(const struct vmm_pci_function *function, unsigned at, unsigned bytes);
void vmm_pci_config_write(struct vmm_pci_function *function, unsigned at, unsigned bytes,
                          uint32_t value); /* likewise */

#endif
