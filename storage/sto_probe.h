/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Conformance probe of a LUN: do its reservations keep others out? Two identities, A and B, act
 * on a scratch place: A reserves, B tries every command that changes data, B preempts, and so on.
 * Nothing a target says of itself is believed; each answer is cross-checked by trial. Pure: the
 * machine says what to do next and judges the result (sto_probe_run.c carries it out). Whatever
 * happens, its last steps take every key of the probe off the LUN again.
 *
 * It must only be used on a LUN that nobody owns: it refuses one with keys or a reservation.
 */
#ifndef STO_PROBE_H
#define STO_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/hw_error.h"
#include "storage/sto_lun.h"
#include "storage/sto_pr.h"

/* What was found, as kept in the LUN description (sto_meta). Values are on disk: never change. */
enum {
    STO_PROBE_DONE = 1u << 0,        /* the probe ran to its end */
    STO_PROBE_TRUSTED = 1u << 1,     /* reservations of this target hold what hawser needs */
    STO_PROBE_NO_DISCARD = 1u << 2,  /* UNMAP or WRITE SAME pass by a reservation: never send any */
    STO_PROBE_POWER_LOSS = 1u << 3,  /* APTPL is accepted */
    STO_PROBE_KEEPS_LOGIN = 1u << 4, /* a registration outlives its session */
    STO_PROBE_CAW = 1u << 5,         /* COMPARE AND WRITE is known, and kept out */
};

enum sto_probe_who { STO_PROBE_A, STO_PROBE_B };

/* The commands that B tries against A's reservation, in this order. */
enum sto_probe_intrusion {
    STO_PROBE_WRITE_10,
    STO_PROBE_WRITE_12,
    STO_PROBE_WRITE_16,
    STO_PROBE_WRITE_VERIFY_10,
    STO_PROBE_WRITE_VERIFY_12,
    STO_PROBE_WRITE_VERIFY_16,
    STO_PROBE_WRITE_SAME_10,
    STO_PROBE_WRITE_SAME_16,
    STO_PROBE_UNMAP,
    STO_PROBE_COMPARE_AND_WRITE,
    STO_PROBE_ORWRITE_16,
    STO_PROBE_READ_16,
    STO_PROBE_INTRUSIONS,
};

/* "WRITE(10)" and so on. */
const char *sto_probe_intrusion_name(enum sto_probe_intrusion intrusion);

enum sto_probe_outcome {
    STO_PROBE_NOT_TRIED,
    STO_PROBE_KEPT_OUT,     /* RESERVATION CONFLICT, and the data unchanged */
    STO_PROBE_UNKNOWN_HERE, /* the target does not know the command */
    STO_PROBE_PASSED,       /* it was executed, or the data changed */
    STO_PROBE_UNCLEAR,      /* another error */
};

/* "kept-out", "unsupported", "passed" ...: for JSON. */
const char *sto_probe_outcome_name(enum sto_probe_outcome outcome);

enum sto_probe_verdict {
    STO_PROBE_RUNNING,
    STO_PROBE_FIT,         /* may be used */
    STO_PROBE_UNFIT,       /* its reservations cannot be trusted: `reason` */
    STO_PROBE_IN_USE,      /* keys or a reservation are there; nothing was done */
    STO_PROBE_NOT_OFFERED, /* the target has no persistent reservations */
    STO_PROBE_BROKEN_OFF,  /* an answer was missing or unusable: `reason` */
};

enum { STO_PROBE_REASON_BYTES = 200 };

struct sto_probe_report {
    enum sto_probe_verdict verdict;
    uint32_t bits;
    enum sto_probe_outcome outcomes[STO_PROBE_INTRUSIONS];
    bool cleaned; /* no key of the probe is left on the LUN */
    char reason[STO_PROBE_REASON_BYTES];
};

/* --- what to do next --- */

enum sto_probe_action {
    STO_PROBE_DO_READ_KEYS,
    STO_PROBE_DO_READ_RESERVATION,
    STO_PROBE_DO_CAPABILITIES,
    STO_PROBE_DO_PR_OUT,  /* `request` */
    STO_PROBE_DO_COMMAND, /* `cdb`, with data out filled as told, or data in */
    STO_PROBE_DO_RESET,   /* LUN RESET on the control session */
    STO_PROBE_DO_RELOGIN, /* drop the data session hard, log it in again */
};

enum {
    STO_PROBE_PATTERN_A = 0xa5, /* every byte that A writes */
    STO_PROBE_PATTERN_B = 0x5b,
    STO_PROBE_BLOCKS = 16, /* of scratch place; one for each intrusion, the rest for A and B */
};

struct sto_probe_command {
    enum sto_probe_who who;
    enum sto_probe_action action;
    struct sto_pr_out_request request;
    uint8_t cdb[16];
    uint8_t cdb_bytes;
    enum sto_direction direction;
    size_t data_bytes; /* out: filled by sto_probe_fill(); in: room */
    const char *words; /* what is being done, constant text */
};

struct sto_probe_result {
    enum sto_rc rc;
    uint8_t tmf_response;
    const uint8_t *data; /* in: what was read; NULL if nothing */
    size_t data_bytes;
};

struct sto_probe_config {
    uint64_t scratch_lba; /* STO_PROBE_BLOCKS blocks that may be overwritten; below 2^32 */
    uint32_t block_bytes;
    uint16_t cluster_hash; /* of the probe's keys */
};

struct sto_probe {
    struct sto_probe_config config;
    struct sto_probe_report report;
    /* the machine's own */
    unsigned step, intrusion, rounds;
    uint64_t key[2]; /* registered by each, as far as known; 0 = none */
    uint64_t ghost;  /* to be taken off */
    bool aptpl, broken;
};

/* Start. Nothing is sent. */
void sto_probe_begin(struct sto_probe *probe, const struct sto_probe_config *config);

/* The next thing to do; false when the report is final. Unit attentions and BUSY are the
 * caller's: it repeats the command. */
bool sto_probe_next(struct sto_probe *probe, struct sto_probe_command *ret_command);

/* The data that a command sends, into `data` of command->data_bytes. */
void sto_probe_fill(const struct sto_probe *probe, const struct sto_probe_command *command,
                    uint8_t *data);

/* How what sto_probe_next() gave out ended. */
void sto_probe_result(struct sto_probe *probe, const struct sto_probe_result *result);

/*
 * Run the whole probe over two LUNs that are logged in and identified under different initiator
 * names, `a` with the longer-lived use. Blocks; each command at most `timeout_ms`. 0 and the
 * report; -errno with a message only where the probe could not even be tried (-ENOTSUP: LUNs
 * without SCSI commands).
 */
int sto_probe_run(struct sto_lun *a, struct sto_lun *b, const struct sto_probe_config *config,
                  uint32_t timeout_ms, struct sto_probe_report *ret_report, struct hw_error *error);

/* The report as the message of a refusal; 0 if it is FIT. */
int sto_probe_judge(const struct sto_probe_report *report, const char *name,
                    struct hw_error *error);

#endif
