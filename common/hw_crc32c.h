/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CRC-32C (Castagnoli), as in RFC 3720 appendix B.4: the checksum of every on-disk record. */
#ifndef HW_CRC32C_H
#define HW_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The CRC-32C of `size` bytes. */
uint32_t hw_crc32c(const void *data, size_t size);

#endif
