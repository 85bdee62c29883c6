/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/machine/vmm_aml: terms as the specification spells them out, byte by byte.
 */
#include <config.h>

#include "vmm-core/machine/vmm_aml.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/unit.h"

enum { ROOM = 1 << 21 };

static uint8_t bytes[ROOM];
static struct hw_writer writer;

static void begin(void)
{
    memset(bytes, 0xee, sizeof(bytes));
    writer = hw_writer_over(bytes, sizeof(bytes));
}

/* Whether just this was written; begins anew. */
static bool wrote(const void *expected, size_t count)
{
    const bool same = writer.at == count && memcmp(bytes, expected, count) == 0;

    begin();
    return same;
}
#define WROTE(text) CU_ASSERT_TRUE(wrote(text, sizeof(text) - 1))

static void integers(void)
{
    begin();
    vmm_aml_integer(&writer, 0);
    vmm_aml_integer(&writer, 1);
    vmm_aml_integer(&writer, 2);
    vmm_aml_integer(&writer, 0xff);
    WROTE("\x00\x01\x0a\x02\x0a\xff");
    vmm_aml_integer(&writer, 0x100);
    vmm_aml_integer(&writer, 0x10000);
    WROTE("\x0b\x00\x01\x0c\x00\x00\x01\x00");
    vmm_aml_integer(&writer, UINT64_C(0x100000000));
    WROTE("\x0e\x00\x00\x00\x00\x01\x00\x00\x00");
}

static void names(void)
{
    begin();
    vmm_aml_path(&writer, "ISA");
    WROTE("ISA_");
    vmm_aml_path(&writer, "\\_SB");
    WROTE("\\_SB_");
    vmm_aml_path(&writer, "\\");
    WROTE("\\\x00");
    vmm_aml_path(&writer, "PCI0.X");
    WROTE("\x2ePCI0X___");
    vmm_aml_path(&writer, "\\_SB.PCI0.ISA");
    WROTE("\\\x2f\x03_SB_PCI0ISA_");
    vmm_aml_name_integer(&writer, "_UID", 7);
    WROTE("\x08_UID\x0a\x07");
    vmm_aml_string(&writer, "QEMU0001");
    WROTE("\x0dQEMU0001\x00");
    vmm_aml_eisa_id(&writer, "PNP0A03");
    WROTE("\x0c\x41\xd0\x0a\x03");
    vmm_aml_eisa_id(&writer, "PNP0C0F");
    WROTE("\x0c\x41\xd0\x0c\x0f");
}

/* A block of a given content: from one form of the length to the next (20.2.4). */
static void lengths(void)
{
    static const struct {
        size_t content;
        const char *length;
        unsigned bytes;
    } cases[] = { { 0, "\x01", 1 },
                  { 62, "\x3f", 1 },
                  { 63, "\x41\x04", 2 },
                  { 4093, "\x4f\xff", 2 },
                  { 4094, "\x81\x00\x01", 3 },
                  { 1048572, "\x8f\xff\xff", 3 },
                  { 1048573, "\xc1\x00\x00\x01", 4 } };

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t mark;

        begin();
        mark = vmm_aml_if(&writer);
        for (size_t at = 0; at < cases[i].content; at++)
            hw_write_u8(&writer, (uint8_t)at);
        vmm_aml_end(&writer, mark);
        CU_ASSERT_EQUAL(writer.at, 1 + cases[i].bytes + cases[i].content);
        CU_ASSERT_EQUAL(bytes[0], 0xa0);
        CU_ASSERT_EQUAL(memcmp(bytes + 1, cases[i].length, cases[i].bytes), 0);
        for (size_t at = 0; at < cases[i].content; at += 61)
            CU_ASSERT_EQUAL(bytes[1 + cases[i].bytes + at], (uint8_t)at);
    }
}

static void blocks(void)
{
    size_t outer, inner;

    begin();
    outer = vmm_aml_scope(&writer, "\\_SB");
    inner = vmm_aml_device(&writer, "COM1");
    vmm_aml_name(&writer, "_HID");
    vmm_aml_eisa_id(&writer, "PNP0501");
    vmm_aml_end(&writer, inner);
    vmm_aml_end(&writer, outer);
    WROTE("\x10\x17\\_SB_\x5b\x82\x0f"
          "COM1\x08_HID\x0c\x41\xd0\x05\x01");
    outer = vmm_aml_method(&writer, "RDPT", 2);
    vmm_aml_op(&writer, VMM_AML_RETURN);
    vmm_aml_path(&writer, "PEPT");
    vmm_aml_end(&writer, outer);
    WROTE("\x14\x0bRDPT\x0a\xa4PEPT");
    outer = vmm_aml_package(&writer, 2);
    vmm_aml_integer(&writer, 0);
    vmm_aml_integer(&writer, 5);
    vmm_aml_end(&writer, outer);
    WROTE("\x12\x05\x02\x00\x0a\x05");
    vmm_aml_region(&writer, "PEOR", VMM_AML_SYSTEM_IO, 0x505, 1);
    outer = vmm_aml_field(&writer, "PEOR");
    vmm_aml_field_part(&writer, "PEPT", 8);
    vmm_aml_field_part(&writer, "X", 100);
    vmm_aml_end(&writer, outer);
    WROTE("\x5b\x80PEOR\x01\x0b\x05\x05\x01\x5b\x81\x11PEOR\x01PEPT\x08X___\x44\x06");
    vmm_aml_buffer(&writer, "ab", 2);
    WROTE("\x11\x05\x0a\x02"
          "ab");
}

static void resources(void)
{
    static const uint32_t gsis[] = { 5, 10 };

    begin();
    vmm_aml_res_io(&writer, 0x3f8, 8);
    vmm_aml_res_irq(&writer, 4);
    vmm_aml_res_end(&writer);
    WROTE("\x47\x01\xf8\x03\xf8\x03\x01\x08\x22\x10\x00\x79\x00");
    vmm_aml_res_interrupts(&writer, gsis, 2);
    WROTE("\x89\x0a\x00\x09\x02\x05\x00\x00\x00\x0a\x00\x00\x00");
    vmm_aml_res_buses(&writer, 0, 0xff);
    WROTE("\x88\x0d\x00\x02\x0c\x00\x00\x00\x00\x00\xff\x00\x00\x00\x00\x01");
    vmm_aml_res_ports(&writer, 0xd00, 0xffff);
    WROTE("\x88\x0d\x00\x01\x0c\x03\x00\x00\x00\x0d\xff\xff\x00\x00\x00\xf3");
    vmm_aml_res_memory(&writer, 0xc0000000, 0xfebfffff);
    WROTE("\x87\x17\x00\x00\x0c\x01\x00\x00\x00\x00\x00\x00\x00\xc0\xff\xff\xbf\xfe"
          "\x00\x00\x00\x00\x00\x00\xc0\x3e");
}

static void it_does_not_fit(void)
{
    size_t mark;

    begin();
    writer.size = 8;
    mark = vmm_aml_scope(&writer, "\\_SB");
    vmm_aml_name_integer(&writer, "_UID", 0);
    vmm_aml_end(&writer, mark);
    CU_ASSERT_EQUAL(hw_writer_status(&writer), -ENOSPC);
    CU_ASSERT_EQUAL(bytes[8], 0xee);
}

const struct unit_case unit_cases[] = {
    { "integers", integers },
    { "names", names },
    { "lengths", lengths },
    { "blocks", blocks },
    { "resources", resources },
    { "it does not fit", it_does_not_fit },
    { 0 },
};
