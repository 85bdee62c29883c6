/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fields of a vCPU and of a VM, in the order of doc/saved-state.md. KVM judges their values
 * when it is given them; here only counts and sizes are judged, since memory depends on them.
 */
#include "config.h"

#include "vmm-core/kvm/vmm_vcpu_image.h"

static void u64s(struct vmm_state *state, __u64 *values, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        uint64_t value = values[i];

        vmm_state_u64(state, &value);
        values[i] = value;
    }
}

static void u64_field(struct vmm_state *state, __u64 *value)
{
    u64s(state, value, 1);
}

/* A count that memory depends on: too large is wrong, and counts as 0. */
static void count_field(struct vmm_state *state, uint32_t *count, uint32_t most)
{
    vmm_state_u32(state, count);
    vmm_state_require(state, *count <= most);
    if (*count > most)
        *count = 0;
}

/* General registers are 18 words of 64 bits: rax to r15, rip, rflags. */
static void regs(struct kvm_regs *regs, struct vmm_state *state)
{
    _Static_assert(sizeof(*regs) == 18 * sizeof(__u64), "kvm_regs is 18 words");
    u64s(state, &regs->rax, 18);
}

static void segment(struct kvm_segment *segment, struct vmm_state *state)
{
    u64_field(state, &segment->base);
    vmm_state_u32(state, &segment->limit);
    vmm_state_u16(state, &segment->selector);
    vmm_state_u8(state, &segment->type);
    vmm_state_u8(state, &segment->present);
    vmm_state_u8(state, &segment->dpl);
    vmm_state_u8(state, &segment->db);
    vmm_state_u8(state, &segment->s);
    vmm_state_u8(state, &segment->l);
    vmm_state_u8(state, &segment->g);
    vmm_state_u8(state, &segment->avl);
    vmm_state_u8(state, &segment->unusable);
}

static void table(struct kvm_dtable *table, struct vmm_state *state)
{
    u64_field(state, &table->base);
    vmm_state_u16(state, &table->limit);
}

static void sregs(struct kvm_sregs2 *sregs, struct vmm_state *state)
{
    struct kvm_segment *const segments[] = { &sregs->cs, &sregs->ds, &sregs->es, &sregs->fs,
                                             &sregs->gs, &sregs->ss, &sregs->tr, &sregs->ldt };

    for (unsigned i = 0; i < sizeof(segments) / sizeof(segments[0]); i++)
        segment(segments[i], state);
    table(&sregs->gdt, state);
    table(&sregs->idt, state);
    u64_field(state, &sregs->cr0);
    u64_field(state, &sregs->cr2);
    u64_field(state, &sregs->cr3);
    u64_field(state, &sregs->cr4);
    u64_field(state, &sregs->cr8);
    u64_field(state, &sregs->efer);
    u64_field(state, &sregs->apic_base);
    u64_field(state, &sregs->flags);
    u64s(state, sregs->pdptrs, 4);
}

static void xcrs(struct kvm_xcrs *xcrs, struct vmm_state *state)
{
    count_field(state, &xcrs->nr_xcrs, KVM_MAX_XCRS);
    vmm_state_u32(state, &xcrs->flags);
    for (unsigned i = 0; i < xcrs->nr_xcrs; i++) {
        vmm_state_u32(state, &xcrs->xcrs[i].xcr);
        u64_field(state, &xcrs->xcrs[i].value);
    }
}

static void debugregs(struct kvm_debugregs *debugregs, struct vmm_state *state)
{
    u64s(state, debugregs->db, 4);
    u64_field(state, &debugregs->dr6);
    u64_field(state, &debugregs->dr7);
    u64_field(state, &debugregs->flags);
}

static void events(struct kvm_vcpu_events *events, struct vmm_state *state)
{
    uint8_t *const bytes[] = {
        &events->exception.injected,
        &events->exception.nr,
        &events->exception.has_error_code,
        &events->exception.pending,
        &events->interrupt.injected,
        &events->interrupt.nr,
        &events->interrupt.soft,
        &events->interrupt.shadow,
        &events->nmi.injected,
        &events->nmi.pending,
        &events->nmi.masked,
        &events->smi.smm,
        &events->smi.pending,
        &events->smi.smm_inside_nmi,
        &events->smi.latched_init,
        &events->triple_fault.pending,
        &events->exception_has_payload,
    };

    for (unsigned i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++)
        vmm_state_u8(state, bytes[i]);
    vmm_state_u32(state, &events->exception.error_code);
    vmm_state_u32(state, &events->sipi_vector);
    vmm_state_u32(state, &events->flags);
    u64_field(state, &events->exception_payload);
}

static void cpuid(struct vmm_vcpu_image *image, struct vmm_state *state)
{
    count_field(state, &image->cpuid_count, VMM_CPUID_MAX);
    for (unsigned i = 0; i < image->cpuid_count; i++) {
        struct kvm_cpuid_entry2 *entry = &image->cpuid[i];

        vmm_state_u32(state, &entry->function);
        vmm_state_u32(state, &entry->index);
        vmm_state_u32(state, &entry->flags);
        vmm_state_u32(state, &entry->eax);
        vmm_state_u32(state, &entry->ebx);
        vmm_state_u32(state, &entry->ecx);
        vmm_state_u32(state, &entry->edx);
    }
}

static void msrs(struct vmm_vcpu_image *image, struct vmm_state *state)
{
    count_field(state, &image->msr_count, VMM_MSRS_MAX);
    for (unsigned i = 0; i < image->msr_count; i++) {
        vmm_state_u32(state, &image->msrs[i].index);
        u64_field(state, &image->msrs[i].data);
    }
}

void vmm_vcpu_image_state(struct vmm_vcpu_image *image, struct vmm_state *state)
{
    vmm_state_u32(state, &image->mp_state.mp_state);
    regs(&image->regs, state);
    sregs(&image->sregs, state);
    xcrs(&image->xcrs, state);
    debugregs(&image->debugregs, state);
    vmm_state_bytes(state, image->lapic.regs, sizeof(image->lapic.regs));
    events(&image->events, state);
    vmm_state_u32(state, &image->tsc_khz);
    vmm_state_bool(state, &image->has_tsc_offset);
    vmm_state_u64(state, &image->tsc);
    vmm_state_u64(state, &image->tsc_offset);
    count_field(state, &image->xsave_bytes, VMM_XSAVE_MAX_BYTES);
    vmm_state_bytes(state, image->xsave, image->xsave_bytes);
    cpuid(image, state);
    msrs(image, state);
}

static void pit_channel(struct kvm_pit_channel_state *channel, struct vmm_state *state)
{
    uint8_t *const bytes[] = {
        &channel->count_latched, &channel->status_latched, &channel->status,  &channel->read_state,
        &channel->write_state,   &channel->write_latch,    &channel->rw_mode, &channel->mode,
        &channel->bcd,           &channel->gate,
    };
    uint64_t loaded = (uint64_t)channel->count_load_time;

    vmm_state_u32(state, &channel->count);
    vmm_state_u16(state, &channel->latched_count);
    for (unsigned i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++)
        vmm_state_u8(state, bytes[i]);
    vmm_state_u64(state, &loaded);
    channel->count_load_time = (int64_t)loaded;
}

static void ioapic(struct kvm_ioapic_state *ioapic, struct vmm_state *state)
{
    u64_field(state, &ioapic->base_address);
    vmm_state_u32(state, &ioapic->ioregsel);
    vmm_state_u32(state, &ioapic->id);
    vmm_state_u32(state, &ioapic->irr);
    for (unsigned i = 0; i < KVM_IOAPIC_NUM_PINS; i++)
        u64_field(state, &ioapic->redirtbl[i].bits);
}

void vmm_kvm_image_state(struct vmm_kvm_image *image, struct vmm_state *state)
{
    u64_field(state, &image->clock.clock);
    vmm_state_u32(state, &image->clock.flags);
    u64_field(state, &image->clock.realtime);
    u64_field(state, &image->clock.host_tsc);
    for (unsigned i = 0; i < 3; i++)
        pit_channel(&image->pit.channels[i], state);
    vmm_state_u32(state, &image->pit.flags);
    for (unsigned i = 0; i < VMM_IRQCHIPS; i++) {
        struct kvm_irqchip *chip = &image->irqchips[i];

        chip->chip_id = i;
        if (i == KVM_IRQCHIP_IOAPIC)
            ioapic(&chip->chip.ioapic, state);
        else /* sixteen bytes, each a register */
            vmm_state_bytes(state, &chip->chip.pic, sizeof(chip->chip.pic));
    }
}
