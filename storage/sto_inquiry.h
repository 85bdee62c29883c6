/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading what a target says of a LUN: standard INQUIRY, vital product data pages, READ
 * CAPACITY(16), MODE SENSE(6). Pure; every byte is from the target and may lie. Each parser fills
 * the fields of struct sto_facts that it knows of and leaves the others alone; -EBADMSG if the
 * answer is too short or says something impossible.
 */
#ifndef STO_INQUIRY_H
#define STO_INQUIRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/sto_lun.h"

enum sto_vpd_page {
    STO_VPD_SUPPORTED = 0x00,
    STO_VPD_SERIAL = 0x80,
    STO_VPD_IDENTIFICATION = 0x83,
    STO_VPD_BLOCK_LIMITS = 0xb0,
    STO_VPD_PROVISIONING = 0xb2,
};

enum { STO_MODE_PAGE_CACHING = 0x08 };

/* What stands behind a LUN number (SPC-4 6.6.2, peripheral qualifier and device type). */
enum sto_peripheral {
    STO_PERIPHERAL_DISK,
    STO_PERIPHERAL_ABSENT, /* the target has nothing at this number */
    STO_PERIPHERAL_OTHER,  /* a tape, a controller ...: not a disk */
};

struct sto_vpd_pages {
    uint8_t bits[32]; /* page n: bit n % 8 of byte n / 8 */
};

/* Vendor, product, revision (SPC-4 6.6.2). */
int sto_inquiry_standard(const void *answer, size_t bytes, struct sto_facts *facts,
                         enum sto_peripheral *ret_peripheral);
/* The list of pages (SPC-4 7.8.10). */
int sto_inquiry_pages(const void *answer, size_t bytes, struct sto_vpd_pages *ret_pages);
/* True if the target offers this page. */
bool sto_inquiry_has_page(const struct sto_vpd_pages *pages, uint8_t page);
/* Unit serial number (SPC-4 7.8.15). */
int sto_inquiry_serial(const void *answer, size_t bytes, struct sto_facts *facts);
/* Device identification (SPC-4 7.8.5): the LUN's best name: NAA, then EUI-64, then T10. */
int sto_inquiry_identification(const void *answer, size_t bytes, struct sto_facts *facts);
/* Block limits (SBC-3 6.5.3). Limits in blocks become bytes by facts->block_bytes: parse READ
 * CAPACITY(16) first. */
int sto_inquiry_block_limits(const void *answer, size_t bytes, struct sto_facts *facts);
/* Logical block provisioning (SBC-3 6.5.4). */
int sto_inquiry_provisioning(const void *answer, size_t bytes, struct sto_facts *facts);
/* READ CAPACITY(16) (SBC-3 5.16.2). */
int sto_inquiry_capacity(const void *answer, size_t bytes, struct sto_facts *facts);
/* MODE SENSE(6) with the caching page (SPC-4 7.5.5, SBC-3 6.4.5): write protection and cache. */
int sto_inquiry_mode(const void *answer, size_t bytes, struct sto_facts *facts);

#endif
