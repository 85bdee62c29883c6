/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host bridge 00:00.0 (Intel 82441FX data sheet, 440FX PCIset), and what its attribute
 * registers (PAM) say of memory from C0000h to FFFFFh.
 */
#include "config.h"

#include <string.h>

#include "vmm-core/machine/vmm_pci_priv.h"

/* PAM; SMRAM, system management RAM */
enum { PAM = 0x59, PAM_END = 0x60, SMRAM = 0x72, SMRAM_AT_RESET = 2 };
/* Half a register is for 16 KiB, but the high half of the first: it is for F0000h to FFFFFh. */
enum { LAST_SEGMENTS = 12, ATTRIBUTES = VMM_PCI_SHADOW_READ | VMM_PCI_SHADOW_WRITE };

static const struct vmm_pci_identity identity = {
    .vendor = 0x8086,
    .device = 0x1237,
    .subsystem_vendor = 0x1af4,
    .subsystem = 0x1100, /* by which SeaBIOS knows that fw_cfg is there */
    .class_code = 0x060000,
    .revision = 2,
};

static unsigned attributes(const struct vmm_pci *pci, unsigned segment)
{
    const uint8_t *pam = pci->host.config + PAM;

    if (segment >= LAST_SEGMENTS)
        return pam[0] >> 4 & ATTRIBUTES;
    return pam[1 + segment / 2] >> (segment % 2 * 4) & ATTRIBUTES;
}

static void tell(struct vmm_pci *pci, bool all)
{
    for (unsigned i = 0; pci->set_shadow != NULL && i < VMM_PCI_SHADOW_SEGMENTS; i++) {
        const uint8_t now = (uint8_t)attributes(pci, i);

        if (!all && now == pci->shadow[i])
            continue;
        pci->shadow[i] = now;
        pci->set_shadow(pci->shadow_context, i, now);
    }
}

static void changed(void *dev, unsigned at, unsigned count)
{
    if (at < PAM_END && at + count > PAM)
        tell(dev, false);
}

void vmm_pci_set_shadow(struct vmm_pci *pci,
                        void (*set)(void *context, unsigned segment, unsigned attributes),
                        void *context)
{
    pci->set_shadow = set;
    pci->shadow_context = context;
    tell(pci, true);
}

void pci_begin_host(struct vmm_pci *pci)
{
    struct vmm_pci_function *host = &pci->host;

    vmm_pci_begin(host, &identity);
    /* PCICMD: memory and master are always on */
    host->config[VMM_PCI_COMMAND] = VMM_PCI_MEMORY | VMM_PCI_MASTER;
    host->writable[VMM_PCI_COMMAND] = VMM_PCI_PARITY;
    host->writable[VMM_PCI_COMMAND + 1] = VMM_PCI_SERR >> 8;
    memset(host->writable + PAM, 0xff, PAM_END - PAM);
    host->writable[SMRAM] = 0xff;
    host->config[SMRAM] = SMRAM_AT_RESET;
    host->changed = changed;
    host->dev = pci;
}
