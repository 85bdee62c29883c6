/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the real-time clock share.
 */
#ifndef VMM_CMOS_PRIV_H
#define VMM_CMOS_PRIV_H

#include "vmm-core/machine/vmm_cmos.h"

/* Sizes of memory, processors, boot order and the checksum, into the clock's memory. */
void cmos_describe(uint8_t ram[VMM_RTC_BYTES], const struct vmm_cmos_config *config);

#endif
