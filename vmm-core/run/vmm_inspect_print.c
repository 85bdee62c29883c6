/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What lies in a state area, in words. Everything in it may be anybody's: names are made of
 * numbers, and nothing of its content is printed as text.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <time.h>
#include <uuid/uuid.h>

#include "vmm-core/machine/vmm_dev_ids.h"
#include "vmm-core/run/vmm_inspect_priv.h"

enum { TIME_BYTES = 32 };

static const char *meaning(enum sto_saved_verdict verdict)
{
    switch (verdict) {
    case STO_SAVED_CLEAN:
        return "nothing waits to be restored";
    case STO_SAVED_WAITS:
        return "a state waits to be restored";
    case STO_SAVED_UNSETTLED:
        return "nothing can be restored: a save was cut off, or a header is damaged";
    case STO_SAVED_FOREIGN:
        return "written by another version of hawser";
    }
    return "?";
}

static const char *type_name(uint32_t type)
{
    static const struct {
        uint32_t type;
        const char *name;
    } names[] = {
        { VMM_DEV_UART, "serial port" },
        { VMM_DEV_I8042, "keyboard controller" },
        { VMM_DEV_CMOS, "real-time clock" },
        { VMM_DEV_PORTS, "system ports" },
        { VMM_DEV_FWCFG, "firmware configuration" },
        { VMM_DEV_PCI, "PCI host bridge" },
        { VMM_DEV_PIIX3, "ISA bridge" },
        { VMM_DEV_PM, "power management" },
        { VMM_DEV_MSIX, "MSI-X" },
        { VMM_DEV_FIRMWARE, "firmware" },
        { VMM_DEV_PCI_ROM, "expansion ROM" },
        { VMM_DEV_VIRTIO_RNG, "entropy" },
        { VMM_DEV_VIRTIO_BLK, "disk" },
        { VMM_DEV_VIRTIO_CONSOLE, "console" },
        { VMM_DEV_VIRTIO_NET, "network" },
        { VMM_DEV_VIRTIO_BALLOON, "balloon" },
        { VMM_DEV_VM, "VM" },
        { VMM_DEV_VCPU, "vCPU" },
        { VMM_SAVE_TYPE_NEEDS, "needs" },
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i].type == type)
            return names[i].name;
    return "unknown";
}

static const char *time_text(uint64_t seconds, char text[TIME_BYTES])
{
    const time_t when = seconds > INT32_MAX * UINT64_C(1000) ? 0 : (time_t)seconds;
    struct tm parts;

    if (gmtime_r(&when, &parts) == NULL ||
        strftime(text, TIME_BYTES, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        text[0] = '\0';
    return text;
}

/* --- for people --- */

static void print_header(FILE *out, const struct sto_saved *saved)
{
    char uuid[UUID_STR_LEN], when[TIME_BYTES];

    uuid_unparse_lower(saved->vm_uuid, uuid);
    (void)fprintf(out, "state: %s\nvm: %s\n", sto_saved_state_name(saved->state), uuid);
    (void)fprintf(out, "generation: %" PRIu64 "\nnode: %u\nownership generation: %" PRIu32 "\n",
                  saved->generation, saved->node, saved->owner_generation);
    (void)fprintf(out, "saved: %s\nmemory: %" PRIu64 " MiB\nvCPUs: %" PRIu32 "\n",
                  time_text(saved->saved_s, when), saved->memory_bytes >> 20, saved->cpus);
}

static void print_needs(FILE *out, const struct vmm_save_tlv *section)
{
    struct vmm_save_needs needs;

    if (vmm_save_needs_decode(section->bytes, section->length_bytes, &needs) < 0)
        return;
    for (uint32_t i = 0; i < needs.count; i++)
        if (needs.items[i].kind != VMM_SAVE_NEED_MSR)
            (void)fprintf(out, "needs: %s %#" PRIx32 " %#" PRIx64 "\n",
                          vmm_save_need_name(needs.items[i].kind), needs.items[i].id,
                          needs.items[i].value);
}

static void print_sections(FILE *out, const struct inspect_report *report)
{
    struct vmm_save_tlv_reader reader =
        vmm_save_tlv_reader_over(report->sections, report->sections_bytes);
    struct vmm_save_tlv section;

    while (vmm_save_tlv_next(&reader, &section) == 0) {
        (void)fprintf(out, "section: %" PRIu32 ".%" PRIu32 " (%s), version %u, %" PRIu32 " bytes\n",
                      section.type, section.instance, type_name(section.type), section.version,
                      section.length_bytes);
        if (section.type == VMM_SAVE_TYPE_NEEDS)
            print_needs(out, &section);
    }
}

void inspect_print(FILE *out, const struct inspect_report *report)
{
    (void)fprintf(out, "verdict: %s: %s\n", sto_saved_verdict_name(report->look.verdict),
                  meaning(report->look.verdict));
    for (unsigned i = 0; i < STO_SAVED_SLOTS; i++)
        if (report->look.damaged[i])
            (void)fprintf(out, "damaged: header slot %c\n", 'A' + (int)i);
    if (report->look.known)
        print_header(out, &report->look.saved);
    if (!report->is_read)
        return;
    print_sections(out, report);
    if (report->verified)
        (void)fprintf(out, "memory: %" PRIu64 " MiB that are not zero, all as they were saved\n",
                      (report->progress.blocks * VMM_SAVE_BLOCK_BYTES + (1 << 20) - 1) >> 20);
}

/* --- JSON --- */

static json_t *header_json(const struct sto_saved *saved)
{
    char uuid[UUID_STR_LEN], when[TIME_BYTES];

    uuid_unparse_lower(saved->vm_uuid, uuid);
    return json_pack("{s:s, s:s, s:I, s:i, s:I, s:s, s:I, s:I}", "state",
                     sto_saved_state_name(saved->state), "vm", uuid, "generation",
                     (json_int_t)saved->generation, "node", (int)saved->node,
                     "ownership-generation", (json_int_t)saved->owner_generation, "saved",
                     time_text(saved->saved_s, when), "memory-bytes",
                     (json_int_t)saved->memory_bytes, "cpus", (json_int_t)saved->cpus);
}

static json_t *sections_json(const struct inspect_report *report)
{
    struct vmm_save_tlv_reader reader =
        vmm_save_tlv_reader_over(report->sections, report->sections_bytes);
    struct vmm_save_tlv section;
    json_t *list = json_array();

    while (vmm_save_tlv_next(&reader, &section) == 0)
        (void)json_array_append_new(
            list,
            json_pack("{s:I, s:I, s:s, s:i, s:I}", "type", (json_int_t)section.type, "instance",
                      (json_int_t)section.instance, "name", type_name(section.type), "version",
                      (int)section.version, "bytes", (json_int_t)section.length_bytes));
    return list;
}

int inspect_print_json(FILE *out, const struct inspect_report *report)
{
    const struct sto_saved_look *look = &report->look;
    json_t *object = json_pack("{s:s, s:[b, b]}", "verdict", sto_saved_verdict_name(look->verdict),
                               "damaged", look->damaged[0], look->damaged[1]);
    char *text;

    if (object != NULL && look->known)
        (void)json_object_set_new(object, "header", header_json(&look->saved));
    if (object != NULL && report->is_read)
        (void)json_object_set_new(object, "sections", sections_json(report));
    if (object != NULL && report->is_read)
        (void)json_object_set_new(object, "verified", json_boolean(report->verified));
    text = object == NULL ? NULL : json_dumps(object, JSON_COMPACT);
    json_decref(object);
    if (text == NULL)
        return -ENOMEM;
    (void)fprintf(out, "%s\n", text);
    free(text);
    return 0;
}
