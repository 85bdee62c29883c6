/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of hawser-vmm run: vmm_run.c (its machine and its loop), vmm_run_options.c (its
 * command line), vmm_run_orders.c (its control socket), vmm_run_state.c (its state area). All of it
 * in the main loop's thread, but where said.
 */
#ifndef VMM_RUN_PRIV_H
#define VMM_RUN_PRIV_H

#include <qb/qbloop.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm-core/run/vmm_api.h"
#include "vmm-core/run/vmm_firmware_file.h"
#include "vmm-core/run/vmm_life.h"
#include "vmm-core/run/vmm_outside.h"
#include "vmm-core/run/vmm_run_disks.h"
#include "vmm-core/run/vmm_words.h"

/* Why hawser-vmm run ends: the name on the control socket, and the exit status. What is not here is
 * an error of its own (enum hw_error_kind). */
#define RUN_ENDS(X)               \
    X(POWER_OFF, "power-off", 0)  \
    X(FAILED, "failed", 1)        \
    X(RESET, "reset", 10)         \
    X(PANIC, "panic", 11)         \
    X(QUIT, "quit", 12)           \
    X(SIGNAL, "signal", 12)       \
    X(BROKEN, "broken", 13)       \
    X(DISK_LOST, "disk-lost", 14) \
    X(SAVED, "saved", 15)

enum run_end {
#define RUN_END_ENUM(name, word, status) RUN_##name,
    RUN_ENDS(RUN_END_ENUM)
#undef RUN_END_ENUM
};

/* What happens when the guest's kernel panics. */
enum run_on_panic { RUN_PANIC_GOES_ON, RUN_PANIC_PAUSES, RUN_PANIC_ENDS };

/* A connection that is told what the guest writes. */
struct run_attached {
    struct hw_asker asker; /* serial 0: none */
    uint64_t at;           /* of all bytes: the next that it is told */
};

struct file {
    uint8_t *bytes;
    size_t count;
};

struct run {
    struct vmm_machine_config config;
    struct vmm_pvh_boot boot;
    struct run_disks disks;
    struct file kernel, initrd;
    struct vmm_outside_options outside_options;
    bool reboots;
    struct firmware_file firmware; /* its file takes the kernel's place */
    enum run_on_panic on_panic;
    const char *api_path; /* NULL: no control socket */
    /* What the command line says of its state area; socket NULL: it cannot be saved. */
    struct vmm_life_config state;
    /* NULL: without a state area, or there is no machine. */
    struct vmm_life *life;
    /* `begun`: a machine ran, or runs; `telling`: the timer of a save's progress is set. */
    bool begun, telling;
    qb_loop_timer_handle teller;
    int kvm_fd;
    qb_loop_t *loop;
    struct vmm_outside *outside;
    struct vmm_console *console; /* of the serial port; outside's */
    struct vmm_machine *machine; /* NULL: it has ended, or there was none yet */
    struct vmm_api *api;         /* NULL: none */
    struct run_attached attached[HW_CONTROL_CLIENTS]; /* by place */
    bool paused;                                      /* by order: a new machine stands, too */
    bool told_panic;                                  /* of this machine */
    unsigned resets;
    char last_reset[128];             /* why; "": none yet */
    int64_t begun_ns;                 /* CLOCK_BOOTTIME */
    struct vmm_machine_counts counts; /* of the machines that were */
    int ended_fd, panicked_fd;
    /* written once by a vCPU's thread, before ended_fd */
    enum vmm_machine_end end;
    char text[512];
    struct hw_error *error;
    bool ends;
    enum run_end why; /* while it ends */
};

/* --- vmm_run_options.c --- */

/* 0, or -errno with the message. */
int run_read_options(const struct hw_call *call, struct run *run, struct hw_error *error);
/* The kernel and what belongs to it into memory, the caller's. Likewise. */
int run_read_files(const struct hw_call *call, struct run *run, struct hw_error *error);

/* --- vmm_run.c --- */

/* Stand still, and go on; nothing if it does already. */
void run_pause(struct run *run);
void run_resume(struct run *run);
/* Another machine in its place, as if the guest had reset itself; also with --no-reboot. 0, or
 * -errno with the message: the guest has ended it meanwhile, or there is no other machine, and then
 * it ends. */
int run_reset(struct run *run, struct hw_error *error);
/* Leave the loop; the first reason counts. */
void run_finish(struct run *run, enum run_end why, const char *text);

/* Place what it boots. 0 or -errno with the error. */
int run_boot(struct run *run);
/* The machine is ready: let it run, if it is not to stand. */
void run_begin(struct run *run);
/* It has ended, and no save holds it any more. */
void run_end_machine(struct run *run);

/* --- vmm_run_state.c --- */

/* What the command line says of the state area. 0, or -errno with the message. */
int run_read_state(const struct hw_call *call, struct run *run, struct hw_error *error);
/* With a new machine: let it begin when its state area says so. 0 or -errno with the error. */
int run_begin_life(struct run *run);
void run_end_life(struct run *run); /* before the machine goes */
/* Rows of run_commands. */
int run_order_save(const struct vmm_api_call *call, json_t **ret_body, struct hw_error *error);
int run_order_save_live(const struct vmm_api_call *call, json_t **ret_body, struct hw_error *error);
int run_order_cancel(const struct vmm_api_call *call, json_t **ret_body, struct hw_error *error);

/* --- vmm_run_orders.c --- */

/* What the control socket knows; its context is a struct run. */
extern const struct vmm_api_command run_commands[];

/* --- vmm_run_console.c --- */

/* The order "console" (struct vmm_api_command). */
int run_console(const struct vmm_api_call *call, json_t **ret_body, struct hw_error *error);
/* The guest wrote, or a connection has caught up: tell those that are attached. */
void run_console_wrote(void *context);

#endif
