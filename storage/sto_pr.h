/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SCSI-3 persistent reservations (SPC-4 5.13, 6.15, 6.16): the key that hawser registers, the
 * command descriptor blocks, the parameter lists and what PERSISTENT RESERVE IN answers. Pure:
 * bytes in, structs out. Types are SCSI's numbers everywhere.
 */
#ifndef STO_PR_H
#define STO_PR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STO_PR_OPCODE_IN = 0x5e, STO_PR_OPCODE_OUT = 0x5f };

/* Service actions of PERSISTENT RESERVE IN (SPC-4 table 212). */
enum sto_pr_in {
    STO_PR_READ_KEYS = 0,
    STO_PR_READ_RESERVATION = 1,
    STO_PR_REPORT_CAPABILITIES = 2,
    STO_PR_READ_FULL_STATUS = 3,
};

/* Service actions of PERSISTENT RESERVE OUT (SPC-4 table 221). 05h is deliberately not used. */
enum sto_pr_out {
    STO_PR_REGISTER = 0,
    STO_PR_RESERVE = 1,
    STO_PR_RELEASE = 2,
    STO_PR_CLEAR = 3,
    STO_PR_PREEMPT = 4,
    STO_PR_PREEMPT_AND_ABORT = 5,
    STO_PR_REGISTER_IGNORE = 6,
};

/* Reservation types (SPC-4 table 213). */
enum sto_pr_type {
    STO_PR_NONE = 0,
    STO_PR_WRITE_EXCLUSIVE = 1,
    STO_PR_EXCLUSIVE_ACCESS = 3,
    STO_PR_WRITE_EXCLUSIVE_REGISTRANTS = 5,
    STO_PR_EXCLUSIVE_ACCESS_REGISTRANTS = 6,
    STO_PR_WRITE_EXCLUSIVE_ALL = 7,
    STO_PR_EXCLUSIVE_ACCESS_ALL = 8,
};

/* "exclusive access" and so on; "type N" words for unknown ones are the caller's. NULL if unknown.
 */
const char *sto_pr_type_name(unsigned type);

/* --- the key: C7h | cluster hash 16 | node 16 | generation 24 (timing.md, Keys and takeover) ---
 */

enum { STO_KEY_MAGIC = 0xc7 };
enum {
    STO_GENERATION_MAX = 0xffffff, /* never wrapped: refused at the limit */
    STO_GENERATION_BLOCK = 16,     /* a grant commits this many */
};

struct sto_key_parts {
    uint16_t cluster_hash; /* low 16 bits of xxh3-64 of the cluster's uuid (16 raw bytes) */
    uint16_t node;
    uint32_t generation; /* 1 to STO_GENERATION_MAX */
};

/* The cluster's part of the key from its uuid (16 bytes as RFC 4122 orders them). */
uint16_t sto_key_cluster_hash(const uint8_t cluster_uuid[16]);
/* Put a key together; 0 (never a valid key) if the generation is 0 or too large. */
uint64_t sto_key_make(const struct sto_key_parts *parts);
/* Take a key apart; false if it is not one of hawser's (wrong magic, generation 0). */
bool sto_key_parse(uint64_t key, struct sto_key_parts *ret_parts);
/* True if `key` is a hawser key of this cluster. */
bool sto_key_is_ours(uint64_t key, uint16_t cluster_hash);

enum { STO_KEY_TEXT_BYTES = 96 };
/* "0xc7… (node 2, generation 7)" or "0x… (not a hawser key)" into `text`. Returns `text`. */
const char *sto_key_text(uint64_t key, char text[STO_KEY_TEXT_BYTES]);

/* --- commands --- */

/* CDB of PERSISTENT RESERVE IN; `allocation_bytes` at most 65535. Returns the CDB's length, 10. */
uint8_t sto_pr_in_cdb(enum sto_pr_in action, uint16_t allocation_bytes, uint8_t cdb[16]);

enum { STO_PR_OUT_PARAMETER_BYTES = 24 };

struct sto_pr_out_request {
    enum sto_pr_out action;
    enum sto_pr_type type;
    uint64_t key;         /* RESERVATION KEY: the caller's own; 0 if not registered */
    uint64_t service_key; /* SERVICE ACTION RESERVATION KEY: the new key, or the victim's */
    bool aptpl;           /* activate persistence through power loss; REGISTER only */
};

/* CDB and parameter list of PERSISTENT RESERVE OUT (SPC-4 6.16). Returns the CDB's length, 10. */
uint8_t sto_pr_out_encode(const struct sto_pr_out_request *request, uint8_t cdb[16],
                          uint8_t parameters[STO_PR_OUT_PARAMETER_BYTES]);
/* The reverse, for targets' models: 0, or -EINVAL for a CDB or list that is not valid. */
int sto_pr_out_decode(const uint8_t *cdb, size_t cdb_bytes, const uint8_t *parameters,
                      size_t parameter_bytes, struct sto_pr_out_request *ret_request);

/* --- answers --- */

enum { STO_PR_KEYS = 512 }; /* registrants looked at; more is refused, never cut silently */
enum { STO_PR_KEYS_ANSWER_BYTES = 8 + 8 * STO_PR_KEYS };
enum { STO_PR_RESERVATION_ANSWER_BYTES = 24 };
enum { STO_PR_CAPABILITIES_ANSWER_BYTES = 8 };

struct sto_pr_keys {
    uint32_t generation; /* PRGENERATION */
    unsigned count;
    uint64_t keys[STO_PR_KEYS]; /* sorted; a key that several nexuses registered stands once */
};

struct sto_pr_reservation {
    uint32_t generation; /* PRGENERATION */
    bool held;
    uint64_t key; /* 0 for the all-registrants types */
    uint8_t scope;
    uint8_t type;
};

struct sto_pr_capabilities {
    bool keeps_over_power_loss;  /* PTPL_C */
    bool active_over_power_loss; /* PTPL_A */
    bool type_mask_valid;
    uint16_t types; /* bit n: type n is supported */
};

/*
 * Decode READ KEYS (SPC-4 6.15.2). -EBADMSG if the answer is cut or its length is not a multiple
 * of 8, -E2BIG if it names more than STO_PR_KEYS registrants.
 */
int sto_pr_decode_keys(const void *answer, size_t bytes, struct sto_pr_keys *ret_keys);
/* Decode READ RESERVATION (SPC-4 6.15.3). -EBADMSG if cut or of an impossible length. */
int sto_pr_decode_reservation(const void *answer, size_t bytes,
                              struct sto_pr_reservation *ret_reservation);
/* Decode REPORT CAPABILITIES (SPC-4 6.15.4). -EBADMSG if cut. */
int sto_pr_decode_capabilities(const void *answer, size_t bytes,
                               struct sto_pr_capabilities *ret_capabilities);
/* True if `key` is among them. */
bool sto_pr_keys_have(const struct sto_pr_keys *keys, uint64_t key);

#endif
