/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hawser-vmm: the embedded VMM, one process a VM.
 */
#include "config.h"

#include "common/hw_main.h"
#include "vmm-core/run/vmm_words.h"

int main(int argc, char **argv)
{
    return hw_main(&vmm_program, argc, argv);
}
