/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fails system calls of the code under test that are made by syscall(2) or preadv2(2): as a kernel
 * that does not know them, or a filter, would. The program is linked with ld --wrap for both. Not
 * for threads.
 */
#ifndef FAIL_SYSCALL_H
#define FAIL_SYSCALL_H

/* From now on each call of this number (SYS_...) fails with this errno, and is counted. */
void fail_syscall_arm(long number, int error);
/* Stop failing. How many were failed. */
unsigned fail_syscall_disarm(void);

#endif
