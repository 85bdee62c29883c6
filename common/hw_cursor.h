/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checked byte cursors. Every record on a disk, a wire or from a target is read and written field
 * by field through these: bounds are checked at each step and the first fault sticks, so that a
 * decoder checks once at its end. A failed read yields 0. Nothing allocates.
 */
#ifndef HW_CURSOR_H
#define HW_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hw_reader {
    const uint8_t *data;
    size_t size;
    size_t at;
    bool failed;
};

struct hw_writer {
    uint8_t *data;
    size_t size;
    size_t at;
    bool failed;
};

/* A reader over `size` bytes that the caller owns. */
struct hw_reader hw_reader_over(const void *data, size_t size);
/* A writer over `size` bytes that the caller owns. */
struct hw_writer hw_writer_over(void *data, size_t size);

/* Bytes not yet read; 0 after a fault. */
size_t hw_reader_left(const struct hw_reader *reader);
/* 0, or -EBADMSG if any read so far ran over the end. */
int hw_reader_status(const struct hw_reader *reader);
/* 0, or -ENOSPC if any write so far did not fit. */
int hw_writer_status(const struct hw_writer *writer);

uint8_t hw_read_u8(struct hw_reader *reader);    /* one byte */
uint16_t hw_read_le16(struct hw_reader *reader); /* little-endian, 2 bytes */
uint32_t hw_read_le32(struct hw_reader *reader); /* little-endian, 4 bytes */
uint64_t hw_read_le64(struct hw_reader *reader); /* little-endian, 8 bytes */
uint16_t hw_read_be16(struct hw_reader *reader); /* big-endian (SCSI), 2 bytes */
uint32_t hw_read_be32(struct hw_reader *reader); /* big-endian (SCSI), 4 bytes */
uint64_t hw_read_be64(struct hw_reader *reader); /* big-endian (SCSI), 8 bytes */
/* Copy `size` bytes out; on a fault `ret_bytes` is zeroed. */
void hw_read_bytes(struct hw_reader *reader, void *ret_bytes, size_t size);
/* Step over `size` bytes. */
void hw_read_skip(struct hw_reader *reader, size_t size);
/* Go to an absolute place; beyond the end is a fault. */
void hw_read_seek(struct hw_reader *reader, size_t at);

void hw_write_u8(struct hw_writer *writer, uint8_t value);    /* one byte */
void hw_write_le16(struct hw_writer *writer, uint16_t value); /* little-endian, 2 bytes */
void hw_write_le32(struct hw_writer *writer, uint32_t value); /* little-endian, 4 bytes */
void hw_write_le64(struct hw_writer *writer, uint64_t value); /* little-endian, 8 bytes */
void hw_write_be16(struct hw_writer *writer, uint16_t value); /* big-endian (SCSI), 2 bytes */
void hw_write_be32(struct hw_writer *writer, uint32_t value); /* big-endian (SCSI), 4 bytes */
void hw_write_be64(struct hw_writer *writer, uint64_t value); /* big-endian (SCSI), 8 bytes */
/* Copy `size` bytes in. */
void hw_write_bytes(struct hw_writer *writer, const void *bytes, size_t size);
/* Write `size` zero bytes. */
void hw_write_zeroes(struct hw_writer *writer, size_t size);

#endif
