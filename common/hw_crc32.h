/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CRC-32 of ISO 3309, the check of GUID partition tables ("123456789" gives cbf43926h). hawser's
 * own records use CRC-32C, see hw_crc32c.h.
 */
#ifndef HW_CRC32_H
#define HW_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* The CRC-32 (ISO 3309; UEFI 2.10 5.3.2) of `size` bytes. */
uint32_t hw_crc32(const void *data, size_t size);

#endif
