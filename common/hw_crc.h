/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cyclic redundancy checks of on-disk and on-wire records. Both are of the reflected kind, start
 * from all ones and end inverted; "123456789" gives e3069283h (CRC-32C) and cbf43926h (CRC-32).
 */
#ifndef HW_CRC_H
#define HW_CRC_H

#include <stddef.h>
#include <stdint.h>

/* CRC-32C (Castagnoli; RFC 7143 13.1) of `size` bytes. hawser's own records use this one. */
uint32_t hw_crc32c(const void *data, size_t size);
/* CRC-32 (ISO 3309; UEFI 2.10 5.3.2) of `size` bytes. GUID partition tables use this one. */
uint32_t hw_crc32(const void *data, size_t size);

#endif
