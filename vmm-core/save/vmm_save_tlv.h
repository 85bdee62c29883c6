/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device state on disk: sections of type, instance, version, flags, length, checksum and bytes,
 * one after the other (doc/saved-state.md). A reader that does not know a section skips it if it is
 * optional and refuses the state if it is required. Pure: writes into and reads out of memory that
 * the caller names.
 */
#ifndef VMM_SAVE_TLV_H
#define VMM_SAVE_TLV_H

#include <stdbool.h>
#include <stdint.h>

#include "common/hw_cursor.h"

enum {
    VMM_SAVE_TLV_HEAD_BYTES = 24,
    VMM_SAVE_TLV_ALIGN_BYTES = 8, /* a section starts on a multiple of this */
    VMM_SAVE_TLV_REQUIRED = 1,    /* flag */
    VMM_SAVE_TLV_MAX = 1024,      /* sections of one state */
};

struct vmm_save_tlv {
    uint32_t type;     /* the device's id; 0 is not used */
    uint32_t instance; /* which one of its kind */
    uint16_t version;  /* of its content */
    bool required;
    const uint8_t *bytes; /* in the reader's memory */
    uint32_t length_bytes;
    uint64_t offset_bytes; /* where it starts, for messages */
};

/* A section under construction: its content is written with hw_write_*() through `content`. */
struct vmm_save_tlv_writer {
    struct hw_writer all;
    size_t head_at;
    bool open;
};

/* Write into `size` bytes that the caller owns. */
struct vmm_save_tlv_writer vmm_save_tlv_writer_over(void *data, size_t size);
/*
 * Begin a section; returns the writer for its content, good until vmm_save_tlv_end(). What does not
 * fit is told at the end.
 */
struct hw_writer *vmm_save_tlv_begin(struct vmm_save_tlv_writer *writer, uint32_t type,
                                     uint32_t instance, uint16_t version, bool required);
/* End the section that was begun. */
void vmm_save_tlv_end(struct vmm_save_tlv_writer *writer);
/* 0 with the length of all sections, -ENOSPC if they did not fit. */
int vmm_save_tlv_finish(struct vmm_save_tlv_writer *writer, size_t *ret_bytes);

struct vmm_save_tlv_reader {
    const uint8_t *data;
    size_t size, at;
};

/* Read `size` bytes of sections. */
struct vmm_save_tlv_reader vmm_save_tlv_reader_over(const void *data, size_t size);
/*
 * The next section. 0; -ENOENT: there are no more; -EBADMSG: damaged at `ret_tlv->offset_bytes`, or
 * of a form that is not known (flags, type 0).
 */
int vmm_save_tlv_next(struct vmm_save_tlv_reader *reader, struct vmm_save_tlv *ret_tlv);

/*
 * Check all sections: their checksums, that none comes twice, and that `known` (says yes to a type
 * and version that can be loaded) knows each required one. 0; -EBADMSG, -EEXIST (twice) or
 * -EPROTONOSUPPORT (required and not known), with the section in `ret_tlv`.
 */
int vmm_save_tlv_check(const void *data, size_t size,
                       bool (*known)(void *context, uint32_t type, uint16_t version), void *context,
                       struct vmm_save_tlv *ret_tlv);

#endif
