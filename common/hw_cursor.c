/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checked byte cursors over bytes that may lie. Each step is checked against what is left, never
 * by adding to an offset first, so that no length from outside can wrap. After a fault nothing
 * moves any more.
 */
#include <config.h>

#include "common/hw_cursor.h"

#include <errno.h>
#include <string.h>

struct hw_reader hw_reader_over(const void *data, size_t size)
{
    return (struct hw_reader) { .data = data, .size = size };
}

struct hw_writer hw_writer_over(void *data, size_t size)
{
    return (struct hw_writer) { .data = data, .size = size };
}

size_t hw_reader_left(const struct hw_reader *reader)
{
    return reader->failed ? 0 : reader->size - reader->at;
}

int hw_reader_status(const struct hw_reader *reader)
{
    return reader->failed ? -EBADMSG : 0;
}

int hw_writer_status(const struct hw_writer *writer)
{
    return writer->failed ? -ENOSPC : 0;
}

/* The next `size` bytes, or NULL and a fault that sticks. */
static const uint8_t *reader_step(struct hw_reader *reader, size_t size)
{
    const uint8_t *bytes;

    if (reader->failed || size > reader->size - reader->at) {
        reader->failed = true;
        return NULL;
    }
    bytes = reader->data + reader->at;
    reader->at += size;
    return bytes;
}

/* Room for the next `size` bytes, or NULL and a fault that sticks. */
static uint8_t *writer_step(struct hw_writer *writer, size_t size)
{
    uint8_t *room;

    if (writer->failed || size > writer->size - writer->at) {
        writer->failed = true;
        return NULL;
    }
    room = writer->data + writer->at;
    writer->at += size;
    return room;
}

static uint64_t read_le(struct hw_reader *reader, size_t size)
{
    const uint8_t *bytes = reader_step(reader, size);
    uint64_t value = 0;

    for (size_t i = size; bytes && i > 0; i--)
        value = value << 8 | bytes[i - 1];
    return value;
}

static uint64_t read_be(struct hw_reader *reader, size_t size)
{
    const uint8_t *bytes = reader_step(reader, size);
    uint64_t value = 0;

    for (size_t i = 0; bytes && i < size; i++)
        value = value << 8 | bytes[i];
    return value;
}

uint8_t hw_read_u8(struct hw_reader *reader)
{
    return (uint8_t)read_le(reader, 1);
}

uint16_t hw_read_le16(struct hw_reader *reader)
{
    return (uint16_t)read_le(reader, 2);
}

uint32_t hw_read_le32(struct hw_reader *reader)
{
    return (uint32_t)read_le(reader, 4);
}

uint64_t hw_read_le64(struct hw_reader *reader)
{
    return read_le(reader, 8);
}

uint16_t hw_read_be16(struct hw_reader *reader)
{
    return (uint16_t)read_be(reader, 2);
}

uint32_t hw_read_be32(struct hw_reader *reader)
{
    return (uint32_t)read_be(reader, 4);
}

uint64_t hw_read_be64(struct hw_reader *reader)
{
    return read_be(reader, 8);
}

void hw_read_bytes(struct hw_reader *reader, void *ret_bytes, size_t size)
{
    const uint8_t *bytes = reader_step(reader, size);

    if (size == 0)
        return;
    if (bytes)
        memcpy(ret_bytes, bytes, size);
    else
        memset(ret_bytes, 0, size);
}

void hw_read_skip(struct hw_reader *reader, size_t size)
{
    (void)reader_step(reader, size);
}

void hw_read_seek(struct hw_reader *reader, size_t at)
{
    if (at > reader->size)
        reader->failed = true;
    if (!reader->failed)
        reader->at = at;
}

static void write_le(struct hw_writer *writer, uint64_t value, size_t size)
{
    uint8_t *room = writer_step(writer, size);

    for (size_t i = 0; room && i < size; i++)
        room[i] = (uint8_t)(value >> (8 * i));
}

static void write_be(struct hw_writer *writer, uint64_t value, size_t size)
{
    uint8_t *room = writer_step(writer, size);

    for (size_t i = 0; room && i < size; i++)
        room[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
}

void hw_write_u8(struct hw_writer *writer, uint8_t value)
{
    write_le(writer, value, 1);
}

void hw_write_le16(struct hw_writer *writer, uint16_t value)
{
    write_le(writer, value, 2);
}

void hw_write_le32(struct hw_writer *writer, uint32_t value)
{
    write_le(writer, value, 4);
}

void hw_write_le64(struct hw_writer *writer, uint64_t value)
{
    write_le(writer, value, 8);
}

void hw_write_be16(struct hw_writer *writer, uint16_t value)
{
    write_be(writer, value, 2);
}

void hw_write_be32(struct hw_writer *writer, uint32_t value)
{
    write_be(writer, value, 4);
}

void hw_write_be64(struct hw_writer *writer, uint64_t value)
{
    write_be(writer, value, 8);
}

void hw_write_bytes(struct hw_writer *writer, const void *bytes, size_t size)
{
    uint8_t *room = writer_step(writer, size);

    if (room && size > 0)
        memcpy(room, bytes, size);
}

void hw_write_zeroes(struct hw_writer *writer, size_t size)
{
    uint8_t *room = writer_step(writer, size);

    if (room && size > 0)
        memset(room, 0, size);
}
