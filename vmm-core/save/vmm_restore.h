/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Restores a guest from hawser-state, starts one cold, or only looks (vmm.md, "Saved state on the
 * LUN"; doc/saved-state.md). The target's half of the rule that nothing runs twice: no guest runs
 * before CONSUMED is durable in both slots. Eager: everything is loaded and verified before that.
 * Lazy: delta area and device state are; the rest comes as it is touched and in the background,
 * each block verified before it can be seen. A machine without threads, as vmm_save.h.
 */
#ifndef VMM_RESTORE_H
#define VMM_RESTORE_H

#include <stdbool.h>

#include "vmm-core/save/vmm_save.h"

struct vmm_restore;

enum vmm_restore_mode {
    VMM_RESTORE_EAGER,
    VMM_RESTORE_LAZY,
    VMM_RESTORE_COLD,    /* nothing is restored; refused if a state waits */
    VMM_RESTORE_DISCARD, /* nothing is restored; a state that waits is given up */
    VMM_RESTORE_INSPECT, /* look only: headers, table, index, sections; nothing is written */
    VMM_RESTORE_VERIFY,  /* and all of memory */
};

enum vmm_restore_part {
    VMM_RESTORE_PART_NONE,
    VMM_RESTORE_PART_HEADER,   /* number: slot */
    VMM_RESTORE_PART_TABLE,    /* number: chunk of the record, or UINT64_MAX: all of it */
    VMM_RESTORE_PART_INDEX,    /* number: slot of the entry, or UINT64_MAX */
    VMM_RESTORE_PART_DELTA,    /* number: page */
    VMM_RESTORE_PART_SECTIONS, /* number: offset of the section, or UINT64_MAX */
    VMM_RESTORE_PART_MEMORY,   /* number: block */
};

/* What is wrong, and where. */
struct vmm_restore_fault {
    enum vmm_restore_part part;
    uint64_t number;
    uint64_t offset_bytes;        /* in hawser-state */
    uint32_t type, instance;      /* of a section */
    struct vmm_save_need missing; /* with -ENOTSUP */
};

enum { VMM_RESTORE_FAULT_TEXT_BYTES = 160 };
/* "block 17 of memory (at 0x1234 of hawser-state)" and so on. */
const char *vmm_restore_fault_text(const struct vmm_restore_fault *fault,
                                   char text[VMM_RESTORE_FAULT_TEXT_BYTES]);

/* What the machine wants of its guest. None of these blocks. */
struct vmm_restore_guest {
    /* Can a section of this type and version be loaded? */
    bool (*known)(void *context, uint32_t type, uint16_t version);
    /* Load a section. Called for each that is known, before anything is consumed. 0 or -errno. */
    int (*load)(void *context, const struct vmm_save_tlv *section);
    /*
     * A block of memory is there and verified; `nonzero` are its pages that are not zero. Blocks
     * that are zero are not told. LAZY: it may be mapped now.
     */
    void (*block)(void *context, uint64_t block, uint16_t nonzero);
    /* The guest may run: CONSUMED is durable in both slots. Not when only looking. */
    void (*ready)(void *context);
    /*
     * All is done (0), or it was refused or failed before ready(): nothing may run. -ENOENT: there
     * is no state; -EUCLEAN: none that may be restored, but the slots are not settled; -EBUSY: a
     * state waits (COLD); -EXDEV: it is another VM's; -EMSGSIZE: another size; -ENOTSUP: this host
     * lacks something; -EPROTONOSUPPORT: a format, or a required section, that is not known;
     * -EBADMSG: damaged, `fault` says where; -ESTALE: somebody else took it; -errno of the queue.
     */
    void (*ended)(void *context, int rc, const struct vmm_restore_fault *fault);
    /*
     * The storage does not answer, or (LAZY, when the guest runs) a block is damaged: stop the
     * guest. vmm_restore_retry() goes on.
     */
    void (*frozen)(void *context, int rc, const struct vmm_restore_fault *fault);
    void *context;
};

struct vmm_restore_options {
    enum vmm_restore_mode mode;
    uint8_t vm_uuid[16];
    uint16_t node;
    uint32_t owner_generation;
    uint32_t cpus;
    uint64_t area_bytes;
    const struct vmm_save_needs *has; /* what this host has; copied */
    /*
     * LAZY: a bit for each block, set (release) when it is there; in memory that is shared with the
     * storage server, the caller's. May be NULL.
     */
    uint64_t *populated;
};

/*
 * Begin. `memory` is fresh: all of it zero (INSPECT, COLD, DISCARD: only its size counts). As
 * vmm_save_start() else. The private part's size is vmm_save_needed_bytes().
 */
int vmm_restore_start(const struct vmm_restore_options *options,
                      const struct vmm_save_memory *memory, uint8_t *part,
                      const struct vmm_save_queue *queue, const struct vmm_restore_guest *guest,
                      struct vmm_restore **ret_restore);
/* Free; not from within a callback, and not while requests are under way. NULL is allowed. */
void vmm_restore_free(struct vmm_restore *restore);

/* The storage answers again. Does nothing unless frozen. */
void vmm_restore_retry(struct vmm_restore *restore);
/* LAZY: somebody waits for this block: it comes next. True: it is there already. */
bool vmm_restore_want(struct vmm_restore *restore, uint64_t block);
/* LAZY: the guest gave these pages back and holes were punched: blocks within count as loaded. */
void vmm_restore_discarded(struct vmm_restore *restore, uint64_t first_page, uint64_t pages);
/* As vmm_save_guest's unloaded(): for a save before all is loaded. */
bool vmm_restore_unloaded(const struct vmm_restore *restore, uint64_t block,
                          struct vmm_save_carried *ret_carried);
/* Requests under way. */
unsigned vmm_restore_in_flight(const struct vmm_restore *restore);

struct vmm_restore_progress {
    const char *phase;
    uint64_t blocks, blocks_left; /* that are not zero */
    uint64_t read_bytes;
    uint32_t delta_pages;
};

/* How far it is. */
void vmm_restore_progress(const struct vmm_restore *restore,
                          struct vmm_restore_progress *ret_progress);
/* What both slots said; the header that is restored is `look.saved`. Borrowed. */
const struct sto_saved_look *vmm_restore_look(const struct vmm_restore *restore);
/* The sections that were read and checked, for vmm_save_tlv_reader_over(). Borrowed; 0: none. */
size_t vmm_restore_sections(const struct vmm_restore *restore, const uint8_t **ret_sections);

#endif
