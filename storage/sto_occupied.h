/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a LUN already holds: a list of named findings. A LUN on which anything is found is not
 * prepared unless the admin insists. Works on bytes and decoded answers that the caller read; it
 * never talks to the LUN.
 */
#ifndef STO_OCCUPIED_H
#define STO_OCCUPIED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/sto_gpt.h"
#include "storage/sto_pr.h"

enum {
    /* Bytes to read of each end of a LUN (the whole of a smaller one): signatures of known
     * formats lie there. A multiple of every block size. */
    STO_OCCUPIED_EDGE_BYTES = 4 * 1024 * 1024,
    STO_FINDINGS = 32,
    STO_FINDING_TEXT_BYTES = 160,
};

enum sto_finding_kind {
    STO_FINDING_TABLE,       /* a partition table */
    STO_FINDING_SIGNATURE,   /* a filesystem, RAID, LVM, encryption or other known signature */
    STO_FINDING_RECORD,      /* a hawser ownership record or LUN description */
    STO_FINDING_RESERVATION, /* somebody holds a reservation */
    STO_FINDING_KEYS,        /* somebody is registered */
    STO_FINDING_DATA,        /* bytes that are not zero, of no known format */
};

/* "partition-table", "signature", "record", "reservation", "keys", "data": for JSON. */
const char *sto_finding_name(enum sto_finding_kind kind);

struct sto_finding {
    enum sto_finding_kind kind;
    char text[STO_FINDING_TEXT_BYTES]; /* words for an admin; printable ASCII */
};

struct sto_findings {
    unsigned count;    /* kept */
    unsigned left_off; /* found beyond STO_FINDINGS */
    struct sto_finding items[STO_FINDINGS];
};

/*
 * Look at both ends of a LUN with libblkid (in an unlinked sparse memory file of the LUN's size)
 * and for hawser's own records. `cluster_uuid` may be NULL; records of that cluster are called
 * its own. Adds to `findings`. 0, or -errno of the memory file or of libblkid.
 */
int sto_occupied_bytes(const struct sto_edge *head, const struct sto_edge *tail,
                       uint64_t capacity_bytes, uint32_t block_bytes, const uint8_t *cluster_uuid,
                       struct sto_findings *findings);

/* Add what READ KEYS and READ RESERVATION said. Either may be NULL. Pure. */
void sto_occupied_reservations(const struct sto_pr_keys *keys,
                               const struct sto_pr_reservation *reservation,
                               struct sto_findings *findings);

/* Add one finding; the text is cut to fit, and unprintable characters become '?'. */
void sto_findings_add(struct sto_findings *findings, enum sto_finding_kind kind, const char *format,
                      ...) __attribute__((format(printf, 3, 4)));

/* All texts in one line, parted by ", ", into `line` of `size` bytes; cut with "...". */
void sto_findings_line(const struct sto_findings *findings, char *line, size_t size);

#endif
