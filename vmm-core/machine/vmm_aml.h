/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing ACPI Machine Language (ACPI 6.5, chapter 20): the few terms that a description of the
 * machine is made of. A block is begun, its content written, and ended; blocks nest. What does not
 * fit is told by the writer's status, as with everything that is written through it. Pure.
 */
#ifndef VMM_AML_H
#define VMM_AML_H

#include "common/hw_cursor.h"

/* Terms without content of their own; their operands are written behind them. */
enum vmm_aml_op {
    VMM_AML_ARG0 = 0x68,
    VMM_AML_STORE = 0x70, /* value, target */
    VMM_AML_AND = 0x7b,   /* two values, target */
    VMM_AML_OR = 0x7d,    /* likewise */
    VMM_AML_NO_TARGET = 0x00,
    VMM_AML_DWORD_FIELD = 0x8a, /* buffer, place of the byte, name: CreateDWordField */
    VMM_AML_RETURN = 0xa4,      /* value */
};

enum vmm_aml_space { VMM_AML_SYSTEM_IO = 1, VMM_AML_PCI_CONFIG = 2 };

/*
 * Names are of up to four letters each, with dots between and perhaps a backslash in front; at most
 * four of them.
 */
void vmm_aml_op(struct hw_writer *writer, enum vmm_aml_op op);
void vmm_aml_path(struct hw_writer *writer, const char *name);   /* a reference */
void vmm_aml_integer(struct hw_writer *writer, uint64_t value);  /* in its shortest form */
void vmm_aml_string(struct hw_writer *writer, const char *text); /* ASCII */
void vmm_aml_eisa_id(struct hw_writer *writer, const char *id);  /* "PNP0A03" (19.3.4) */
void vmm_aml_buffer(struct hw_writer *writer, const void *bytes, size_t count);
/* Name (NAME, ...): the value is written next. */
void vmm_aml_name(struct hw_writer *writer, const char *name);
void vmm_aml_name_integer(struct hw_writer *writer, const char *name, uint64_t value);
void vmm_aml_region(struct hw_writer *writer, const char *name, enum vmm_aml_space space,
                    uint64_t at, uint64_t bytes);
/* In a field block: the next `bits`, under this name of four letters. */
void vmm_aml_field_part(struct hw_writer *writer, const char *name, unsigned bits);

/* Each returns a mark for vmm_aml_end(). */
size_t vmm_aml_scope(struct hw_writer *writer, const char *name);
size_t vmm_aml_device(struct hw_writer *writer, const char *name);
/* With `args` arguments (to 7), for one caller at a time. */
size_t vmm_aml_method(struct hw_writer *writer, const char *name, unsigned args);
size_t vmm_aml_package(struct hw_writer *writer, unsigned count);   /* of so many values */
size_t vmm_aml_if(struct hw_writer *writer);                        /* the condition comes first */
size_t vmm_aml_field(struct hw_writer *writer, const char *region); /* by bytes */
/* The block that was begun with this mark ends here. */
void vmm_aml_end(struct hw_writer *writer, size_t mark);

/* --- resources (ACPI 6.5, 6.4), written into a buffer of their own --- */

/* A device's ports, and its interrupt. */
void vmm_aml_res_io(struct hw_writer *writer, uint16_t first, uint8_t count);
void vmm_aml_res_irq(struct hw_writer *writer, unsigned irq); /* edge, active high */
/* Level, active high, shared; any of these global system interrupts. */
void vmm_aml_res_interrupts(struct hw_writer *writer, const uint32_t *gsis, unsigned count);
/* What a bridge passes on: buses, ports, memory; the last one included. */
void vmm_aml_res_buses(struct hw_writer *writer, uint16_t first, uint16_t last);
void vmm_aml_res_ports(struct hw_writer *writer, uint16_t first, uint16_t last);
void vmm_aml_res_memory(struct hw_writer *writer, uint32_t first, uint32_t last);
/* No more. */
void vmm_aml_res_end(struct hw_writer *writer);

#endif
