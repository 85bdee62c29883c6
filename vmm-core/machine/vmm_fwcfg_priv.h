/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of the firmware configuration device: its items, in a table of their own.
 */
#ifndef VMM_FWCFG_PRIV_H
#define VMM_FWCFG_PRIV_H

#include "vmm-core/machine/vmm_fwcfg.h"

enum {
    FWCFG_ENTRY_BYTES = 64, /* of the directory */
    FWCFG_DIRECTORY_BYTES = 4 + VMM_FWCFG_FILES * FWCFG_ENTRY_BYTES,
};

struct fwcfg_item {
    uint16_t key;
    char name[VMM_FWCFG_NAME_BYTES]; /* "": no file */
    bool lent, hashed;
    uint32_t count;
    const uint8_t *bytes; /* NULL, lent: what was lent elsewhere is not here */
    uint8_t *own;         /* the same, if not lent */
    uint64_t hash;        /* xxh3-64 of what is lent, once `hashed` */
};

struct fwcfg_items {
    unsigned count;
    struct fwcfg_item items[VMM_FWCFG_ITEMS];
    uint64_t kept_bytes;
    size_t directory_bytes;
    uint8_t directory[FWCFG_DIRECTORY_BYTES];
};

struct vmm_fwcfg {
    struct vmm_bus *bus;
    struct vmm_dma dma;
    uint16_t key;
    uint32_t offset;   /* in the item, may be behind its end */
    uint32_t dma_high; /* of the address that is being written */
    struct fwcfg_items items;
};

/* What lies under this number. False: nothing; what is not here has NULL for its bytes. */
bool fwcfg_items_find(const struct fwcfg_items *items, uint16_t key, const uint8_t **ret_bytes,
                      uint32_t *ret_count);
/* See vmm_fwcfg_add() and vmm_fwcfg_lend(); with a name, `key` is ignored. */
int fwcfg_items_add(struct fwcfg_items *items, uint16_t key, const char *name, const void *bytes,
                    size_t count, bool lend);
/* Out, or in: then what is lent here already is looked for, and all others are exchanged. */
void fwcfg_items_state(struct fwcfg_items *items, struct vmm_state *state);
void fwcfg_items_free(struct fwcfg_items *items); /* all of them */

#endif
