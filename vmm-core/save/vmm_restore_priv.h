/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The restore machine from the inside, for vmm_restore*.c only. */
#ifndef VMM_RESTORE_PRIV_H
#define VMM_RESTORE_PRIV_H

#include "common/hw_vector.h"
#include "vmm-core/save/vmm_restore.h"
#include "vmm-core/save/vmm_save_delta.h"
#include "vmm-core/save/vmm_save_record.h"
#include "vmm-core/save/vmm_save_slots.h"

/* clang-format off */
#define VMM_RESTORE_PHASES(X) \
    X(LOOKING, TO(CLAIMING) | TO(READING) | TO(CONSUMING) | TO(ENDED)) /* reads both slots */ \
    X(CLAIMING, TO(READING) | TO(ENDED))                  /* CLAIMED into the other slot */ \
    X(READING, TO(DELTA) | TO(ENDED))                     /* table, index, sections, and checks them */ \
    X(DELTA, TO(MEMORY) | TO(CONFIRMING) | TO(ENDED))     /* pages of the delta area */ \
    X(MEMORY, TO(CONFIRMING) | TO(ENDED))                 /* all blocks */ \
    X(CONFIRMING, TO(CONSUMING) | TO(UNKNOWN) | TO(ENDED)) /* reads both slots again */ \
    X(CONSUMING, TO(RUNNING) | TO(UNKNOWN) | TO(ENDED))   /* CONSUMED into both */ \
    X(UNKNOWN, TO(CONFIRMING))                            /* until the storage answers */ \
    X(RUNNING, TO(ENDED))                                 /* the guest may run; lazy: loads on */ \
    X(ENDED, 0)
/* clang-format on */

enum vmm_restore_phase {
#define VMM_RESTORE_PHASE_ENUM(name, moves) VMM_RESTORE_PHASE_##name,
    VMM_RESTORE_PHASES(VMM_RESTORE_PHASE_ENUM)
#undef VMM_RESTORE_PHASE_ENUM
};

/* A request of the pool: a part, pages of the delta area, or blocks. */
struct vmm_restore_request {
    struct vmm_save_op op;
    struct iovec iov[VMM_SAVE_IOV_MAX];
    struct vmm_restore *restore;
    uint64_t bytes;
    bool busy;
    uint64_t blocks[VMM_SAVE_CHUNK_BLOCKS]; /* that it brings */
    unsigned block_count;
    uint32_t slot, slots; /* of the delta area: that it brings */
    unsigned tries;
};

/* A part that is read whole. */
struct vmm_restore_region {
    enum vmm_restore_part part;
    uint8_t *memory;
    uint64_t offset_bytes, bytes, hash, at;
};

enum { VMM_RESTORE_REGIONS = 3 };

struct vmm_restore {
    struct vmm_restore_options options;
    struct vmm_save_needs has;
    struct vmm_save_memory memory;
    struct vmm_save_queue queue;
    struct vmm_restore_guest guest;
    struct vmm_save_geometry geometry;
    struct vmm_save_private part;
    struct vmm_save_slots slots;
    enum vmm_restore_phase phase;
    struct sto_saved saved; /* that is restored */
    struct vmm_restore_region regions[VMM_RESTORE_REGIONS];
    struct vmm_restore_request pool[VMM_SAVE_DEPTH_MAX];
    unsigned in_flight;
    /* delta area */
    struct vmm_save_delta delta;
    uint32_t delta_next;
    /* blocks: bits */
    uint64_t *todo;             /* not zero, not loaded */
    uint64_t *busy;             /* being read */
    uint64_t *failed;           /* once already */
    HW_VECTOR(uint64_t) wanted; /* before all others, the last first */
    uint64_t next, blocks, left;
    uint64_t read_bytes;
    uint64_t claim; /* generation of our CLAIMED */
    bool checked;   /* sections, table and index are */
    bool consuming; /* CONSUMED was attempted */
    bool stuck;     /* lazy: a block is damaged */
    bool pumping;
    struct vmm_restore_fault fault;
    int rc;
};

/* Into another phase; asserts that it may. */
void vmm_restore_move(struct vmm_restore *restore, enum vmm_restore_phase phase);
/* Refused or failed: nothing runs. `number`: of the fault's part. */
void vmm_restore_fail(struct vmm_restore *restore, int rc, enum vmm_restore_part part,
                      uint64_t number, uint64_t offset_bytes);
/* All is read and verified that has to be before the guest runs. */
void vmm_restore_confirm(struct vmm_restore *restore);
/* End with `rc` when nothing is under way any more. */
void vmm_restore_end(struct vmm_restore *restore, int rc);
/* Is it a mode that writes nothing? */
bool vmm_restore_only_looks(const struct vmm_restore *restore);
/* A request of the pool that is free; NULL: none. */
struct vmm_restore_request *vmm_restore_free_request(struct vmm_restore *restore);
/* Submit it; `done` on completion. 0 or -errno of the queue. */
int vmm_restore_submit(struct vmm_restore *restore, struct vmm_restore_request *request,
                       void (*done)(struct vmm_save_op *op, int rc));
/* Append a page of memory, or (NULL) one that is thrown away. */
void vmm_restore_append(struct vmm_restore *restore, struct vmm_restore_request *request,
                        uint8_t *memory);
/* Pages that the request may still take. */
unsigned vmm_restore_room(const struct vmm_restore *restore,
                          const struct vmm_restore_request *request);

/* vmm_restore_read.c */
/* Read and check table, index and sections, then the pages of the delta area. */
void vmm_restore_read(struct vmm_restore *restore);

/* vmm_restore_load.c */
/* Which blocks there are. */
void vmm_restore_load_begin(struct vmm_restore *restore);
/* Submit what may be submitted. */
void vmm_restore_load_pump(struct vmm_restore *restore);
/* The guest runs on after a damaged block was reported: try all that failed again. */
void vmm_restore_load_retry(struct vmm_restore *restore);
/* The pages of a block that lie in the delta area. */
uint16_t vmm_restore_delta_pages(const struct vmm_restore *restore, uint64_t block);

#endif
