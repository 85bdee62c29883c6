/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A block's length stands in front of its content and counts itself: it is put in when the block
 * ends, and the content moved.
 */
#include "config.h"

#include "vmm-core/machine/vmm_aml.h"

#include <string.h>

enum { ZERO = 0x00, ONE = 0x01, NAME = 0x08, BYTE = 0x0a, WORD = 0x0b, DWORD = 0x0c };
enum { STRING = 0x0d, QWORD = 0x0e, SCOPE = 0x10, BUFFER = 0x11, PACKAGE_OP = 0x12, METHOD = 0x14 };
enum { DUAL_NAME = 0x2e, MULTI_NAME = 0x2f, EXTENDED = 0x5b, ROOT = '\\', IF = 0xa0 };
enum { EXT_REGION = 0x80, EXT_FIELD = 0x81, EXT_DEVICE = 0x82 };
enum { SERIALIZED = 8, FIELD_BY_BYTES = 1, NAME_LETTERS = 4 };

/* --- names and values --- */

void vmm_aml_op(struct hw_writer *writer, enum vmm_aml_op op)
{
    hw_write_u8(writer, (uint8_t)op);
}

/* One name, filled up; returns what follows it. */
static const char *put_name(struct hw_writer *writer, const char *name)
{
    unsigned letters = 0;

    for (; *name != '\0' && *name != '.'; name++, letters++)
        hw_write_u8(writer, (uint8_t)*name);
    for (; letters < NAME_LETTERS; letters++)
        hw_write_u8(writer, '_');
    return *name == '.' ? name + 1 : name;
}

void vmm_aml_path(struct hw_writer *writer, const char *name)
{
    unsigned count = 1;

    if (*name == ROOT)
        hw_write_u8(writer, (uint8_t)*name++);
    for (const char *at = name; *at != '\0'; at++)
        count += *at == '.';
    if (*name == '\0') { /* the root alone */
        hw_write_u8(writer, ZERO);
        return;
    }
    if (count == 2)
        hw_write_u8(writer, DUAL_NAME);
    if (count > 2) {
        hw_write_u8(writer, MULTI_NAME);
        hw_write_u8(writer, (uint8_t)count);
    }
    while (*name != '\0')
        name = put_name(writer, name);
}

void vmm_aml_integer(struct hw_writer *writer, uint64_t value)
{
    if (value <= 1) {
        hw_write_u8(writer, value == 0 ? ZERO : ONE);
    } else if (value <= UINT8_MAX) {
        hw_write_u8(writer, BYTE);
        hw_write_u8(writer, (uint8_t)value);
    } else if (value <= UINT16_MAX) {
        hw_write_u8(writer, WORD);
        hw_write_le16(writer, (uint16_t)value);
    } else if (value <= UINT32_MAX) {
        hw_write_u8(writer, DWORD);
        hw_write_le32(writer, (uint32_t)value);
    } else {
        hw_write_u8(writer, QWORD);
        hw_write_le64(writer, value);
    }
}

void vmm_aml_string(struct hw_writer *writer, const char *text)
{
    hw_write_u8(writer, STRING);
    hw_write_bytes(writer, text, strlen(text) + 1);
}

static uint8_t hex_digit(char letter)
{
    return (uint8_t)(letter <= '9' ? letter - '0' : letter - 'A' + 10);
}

/* Three letters of five bits, four digits; the bytes in the order of the text (19.3.4). */
void vmm_aml_eisa_id(struct hw_writer *writer, const char *id)
{
    const unsigned letters =
        ((unsigned)id[0] & 31) << 10 | ((unsigned)id[1] & 31) << 5 | ((unsigned)id[2] & 31);

    hw_write_u8(writer, DWORD);
    hw_write_be16(writer, (uint16_t)letters);
    hw_write_u8(writer, (uint8_t)(hex_digit(id[3]) << 4 | hex_digit(id[4])));
    hw_write_u8(writer, (uint8_t)(hex_digit(id[5]) << 4 | hex_digit(id[6])));
}

void vmm_aml_name(struct hw_writer *writer, const char *name)
{
    hw_write_u8(writer, NAME);
    vmm_aml_path(writer, name);
}

void vmm_aml_name_integer(struct hw_writer *writer, const char *name, uint64_t value)
{
    vmm_aml_name(writer, name);
    vmm_aml_integer(writer, value);
}

void vmm_aml_region(struct hw_writer *writer, const char *name, enum vmm_aml_space space,
                    uint64_t at, uint64_t bytes)
{
    hw_write_u8(writer, EXTENDED);
    hw_write_u8(writer, EXT_REGION);
    vmm_aml_path(writer, name);
    hw_write_u8(writer, (uint8_t)space);
    vmm_aml_integer(writer, at);
    vmm_aml_integer(writer, bytes);
}

/* --- blocks --- */

/* As many bytes as are needed (20.2.4): one for up to 63, else the low four bits in the first. */
static void put_length(struct hw_writer *writer, size_t length)
{
    unsigned more = 0;

    if (length < 64) {
        hw_write_u8(writer, (uint8_t)length);
        return;
    }
    for (size_t rest = length >> 4; rest > 0; rest >>= 8)
        more++;
    hw_write_u8(writer, (uint8_t)(more << 6 | (length & 15)));
    for (unsigned i = 0; i < more; i++)
        hw_write_u8(writer, (uint8_t)(length >> (4 + 8 * i)));
}

/* Of a length that counts itself. */
static unsigned length_bytes(size_t content)
{
    if (content + 1 < 64)
        return 1;
    if (content + 2 < 1U << 12)
        return 2;
    return content + 3 < 1U << 20 ? 3 : 4;
}

void vmm_aml_end(struct hw_writer *writer, size_t mark)
{
    const size_t content = writer->at - mark;
    const unsigned bytes = length_bytes(content);

    hw_write_zeroes(writer, bytes);
    if (hw_writer_status(writer) < 0)
        return;
    memmove(writer->data + mark + bytes, writer->data + mark, content);
    writer->at = mark;
    put_length(writer, content + bytes);
    writer->at += content;
}

static size_t begin(struct hw_writer *writer, uint8_t op)
{
    hw_write_u8(writer, op);
    return writer->at;
}

static size_t begin_extended(struct hw_writer *writer, uint8_t op)
{
    hw_write_u8(writer, EXTENDED);
    return begin(writer, op);
}

size_t vmm_aml_scope(struct hw_writer *writer, const char *name)
{
    const size_t mark = begin(writer, SCOPE);

    vmm_aml_path(writer, name);
    return mark;
}

size_t vmm_aml_device(struct hw_writer *writer, const char *name)
{
    const size_t mark = begin_extended(writer, EXT_DEVICE);

    vmm_aml_path(writer, name);
    return mark;
}

size_t vmm_aml_method(struct hw_writer *writer, const char *name, unsigned args)
{
    const size_t mark = begin(writer, METHOD);

    vmm_aml_path(writer, name);
    hw_write_u8(writer, (uint8_t)(args | SERIALIZED));
    return mark;
}

size_t vmm_aml_package(struct hw_writer *writer, unsigned count)
{
    const size_t mark = begin(writer, PACKAGE_OP);

    hw_write_u8(writer, (uint8_t)count);
    return mark;
}

size_t vmm_aml_if(struct hw_writer *writer)
{
    return begin(writer, IF);
}

size_t vmm_aml_field(struct hw_writer *writer, const char *region)
{
    const size_t mark = begin_extended(writer, EXT_FIELD);

    vmm_aml_path(writer, region);
    hw_write_u8(writer, FIELD_BY_BYTES);
    return mark;
}

void vmm_aml_field_part(struct hw_writer *writer, const char *name, unsigned bits)
{
    (void)put_name(writer, name);
    put_length(writer, bits);
}

void vmm_aml_buffer(struct hw_writer *writer, const void *bytes, size_t count)
{
    const size_t mark = begin(writer, BUFFER);

    vmm_aml_integer(writer, count);
    hw_write_bytes(writer, bytes, count);
    vmm_aml_end(writer, mark);
}

/* --- resources --- */

enum { RES_IO = 0x47, RES_IO_16_BITS = 1, RES_IRQ = 0x22, RES_END = 0x79 };
enum { RES_INTERRUPTS = 0x89, RES_CONSUMER = 1, RES_SHARED = 8 };
enum { RES_DWORD = 0x87, RES_DWORD_BYTES = 23, RES_WORD = 0x88, RES_WORD_BYTES = 13 };
enum { RANGE_MEMORY = 0, RANGE_IO = 1, RANGE_BUS = 2 };
/* of a bridge: what it passes on; both ends are fixed (6.4.3.5, general flags) */
enum { RANGE_FIXED = 0x0c, MEMORY_WRITABLE = 1, IO_ENTIRE = 3 };

void vmm_aml_res_io(struct hw_writer *writer, uint16_t first, uint8_t count)
{
    hw_write_u8(writer, RES_IO);
    hw_write_u8(writer, RES_IO_16_BITS);
    hw_write_le16(writer, first);
    hw_write_le16(writer, first);
    hw_write_u8(writer, 1); /* alignment */
    hw_write_u8(writer, count);
}

void vmm_aml_res_irq(struct hw_writer *writer, unsigned irq)
{
    hw_write_u8(writer, RES_IRQ);
    hw_write_le16(writer, (uint16_t)(1U << irq));
}

void vmm_aml_res_interrupts(struct hw_writer *writer, const uint32_t *gsis, unsigned count)
{
    hw_write_u8(writer, RES_INTERRUPTS);
    hw_write_le16(writer, (uint16_t)(2 + 4 * count));
    hw_write_u8(writer, RES_CONSUMER | RES_SHARED);
    hw_write_u8(writer, (uint8_t)count);
    for (unsigned i = 0; i < count; i++)
        hw_write_le32(writer, gsis[i]);
}

static void put_word_range(struct hw_writer *writer, uint8_t type, uint8_t flags, uint16_t first,
                           uint16_t last)
{
    hw_write_u8(writer, RES_WORD);
    hw_write_le16(writer, RES_WORD_BYTES);
    hw_write_u8(writer, type);
    hw_write_u8(writer, RANGE_FIXED);
    hw_write_u8(writer, flags);
    hw_write_le16(writer, 0); /* granularity */
    hw_write_le16(writer, first);
    hw_write_le16(writer, last);
    hw_write_le16(writer, 0); /* not translated */
    hw_write_le16(writer, (uint16_t)(last - first + 1));
}

void vmm_aml_res_buses(struct hw_writer *writer, uint16_t first, uint16_t last)
{
    put_word_range(writer, RANGE_BUS, 0, first, last);
}

void vmm_aml_res_ports(struct hw_writer *writer, uint16_t first, uint16_t last)
{
    put_word_range(writer, RANGE_IO, IO_ENTIRE, first, last);
}

void vmm_aml_res_memory(struct hw_writer *writer, uint32_t first, uint32_t last)
{
    hw_write_u8(writer, RES_DWORD);
    hw_write_le16(writer, RES_DWORD_BYTES);
    hw_write_u8(writer, RANGE_MEMORY);
    hw_write_u8(writer, RANGE_FIXED);
    hw_write_u8(writer, MEMORY_WRITABLE);
    hw_write_le32(writer, 0);
    hw_write_le32(writer, first);
    hw_write_le32(writer, last);
    hw_write_le32(writer, 0);
    hw_write_le32(writer, last - first + 1);
}

/* A checksum of 0 stands for none (6.4.2.9). */
void vmm_aml_res_end(struct hw_writer *writer)
{
    hw_write_u8(writer, RES_END);
    hw_write_u8(writer, 0);
}
