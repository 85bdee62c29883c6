/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds out what a LUN already holds. libblkid wants a descriptor: it gets a sparse memory file as
 * large as the LUN with both ends copied in, so that it finds what stands at the end, too. Bytes
 * that no format explains count as well: a database without a header is data all the same.
 */
#include "config.h"

#include "storage/sto_occupied.h"

#include <blkid/blkid.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

#include "common/hw_cleanup.h"
#include "storage/sto_layout.h"
#include "storage/sto_meta.h"
#include "storage/sto_record.h"

const char *sto_finding_name(enum sto_finding_kind kind)
{
    switch (kind) {
    case STO_FINDING_TABLE:
        return "partition-table";
    case STO_FINDING_SIGNATURE:
        return "signature";
    case STO_FINDING_RECORD:
        return "record";
    case STO_FINDING_RESERVATION:
        return "reservation";
    case STO_FINDING_KEYS:
        return "keys";
    case STO_FINDING_DATA:
        return "data";
    }
    return "?";
}

void sto_findings_add(struct sto_findings *findings, enum sto_finding_kind kind, const char *format,
                      ...)
{
    struct sto_finding *finding;
    va_list arguments;

    if (findings->count == STO_FINDINGS) {
        findings->left_off++;
        return;
    }
    finding = &findings->items[findings->count++];
    finding->kind = kind;
    va_start(arguments, format);
    (void)vsnprintf(finding->text, sizeof(finding->text), format, arguments);
    va_end(arguments);
    for (char *c = finding->text; *c != '\0'; c++) {
        if (*c < 0x20 || *c >= 0x7f)
            *c = '?';
    }
}

void sto_findings_line(const struct sto_findings *findings, char *line, size_t size)
{
    size_t at = 0;

    if (size > 0)
        line[0] = '\0';
    for (unsigned i = 0; i < findings->count && at < size; i++) {
        int wrote =
            snprintf(line + at, size - at, "%s%s", i > 0 ? ", " : "", findings->items[i].text);

        if (wrote < 0)
            return;
        at += (size_t)wrote;
    }
    if (at < size && findings->left_off > 0)
        at += (size_t)snprintf(line + at, size - at, " and %u more", findings->left_off);
    if (at >= size && size > 3)
        memcpy(line + size - 4, "...", 4);
}

/* --- known formats --- */

static const char *value_of(blkid_probe probe, const char *name)
{
    const char *value = NULL;

    return blkid_probe_lookup_value(probe, name, &value, NULL) == 0 ? value : NULL;
}

/* What libblkid calls the usage, in an admin's words. */
static const char *usage_words(const char *usage)
{
    if (usage == NULL)
        return "signature";
    if (strcmp(usage, "raid") == 0)
        return "RAID or LVM member";
    if (strcmp(usage, "crypto") == 0)
        return "encrypted volume";
    return strcmp(usage, "filesystem") == 0 ? "filesystem" : "signature";
}

static void add_format(blkid_probe probe, struct sto_findings *findings)
{
    const char *table = value_of(probe, "PTTYPE");
    const char *type = value_of(probe, "TYPE");
    const char *label = value_of(probe, "LABEL");
    const char *uuid = value_of(probe, "UUID");

    if (type != NULL)
        sto_findings_add(findings, STO_FINDING_SIGNATURE, "%s %s%s%.40s%s%s%.40s", type,
                         usage_words(value_of(probe, "USAGE")), label != NULL ? " \"" : "",
                         label != NULL ? label : "", label != NULL ? "\"" : "",
                         uuid != NULL ? " " : "", uuid != NULL ? uuid : "");
    if (table != NULL)
        sto_findings_add(findings, STO_FINDING_TABLE, "%s partition table", table);
}

static int probe_file(int fd, uint64_t capacity_bytes, uint32_t block_bytes,
                      struct sto_findings *findings)
{
    blkid_probe probe = blkid_new_probe();
    int rc;

    if (probe == NULL)
        return -ENOMEM;
    rc = blkid_probe_set_device(probe, fd, 0, (blkid_loff_t)capacity_bytes);
    if (rc == 0)
        rc = blkid_probe_set_sectorsize(probe, block_bytes);
    if (rc == 0)
        rc = blkid_probe_enable_superblocks(probe, 1);
    if (rc == 0)
        rc = blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_LABEL | BLKID_SUBLKS_UUID |
                                                          BLKID_SUBLKS_TYPE | BLKID_SUBLKS_USAGE |
                                                          BLKID_SUBLKS_BADCSUM);
    if (rc == 0)
        rc = blkid_probe_enable_partitions(probe, 1);
    if (rc == 0)
        rc = blkid_probe_set_partitions_flags(probe, BLKID_PARTS_FORCE_GPT);
    while (rc == 0) {
        rc = blkid_do_probe(probe);
        if (rc == 0)
            add_format(probe, findings);
    }
    blkid_free_probe(probe);
    return rc < 0 ? -EIO : 0; /* 1: nothing more */
}

static int copy_edge(int fd, const struct sto_edge *edge)
{
    size_t at = 0;

    while (at < edge->bytes) {
        ssize_t wrote =
            pwrite(fd, edge->data + at, edge->bytes - at, (off_t)(edge->offset_bytes + at));

        if (wrote <= 0)
            return wrote < 0 ? -errno : -EIO;
        at += (size_t)wrote;
    }
    return 0;
}

/* --- hawser's own records --- */

static const uint8_t *place_in(const struct sto_edge *head, uint64_t offset_bytes, size_t bytes)
{
    return head->offset_bytes == 0 && head->bytes >= offset_bytes + bytes
               ? head->data + offset_bytes
               : NULL;
}

static const char *whose(const uint8_t *cluster_uuid, const uint8_t found[STO_GUID_BYTES])
{
    if (cluster_uuid == NULL)
        return "of cluster";
    return memcmp(cluster_uuid, found, STO_GUID_BYTES) == 0 ? "of this cluster,"
                                                            : "of another cluster,";
}

static void add_record(const struct sto_edge *head, const uint8_t *cluster_uuid,
                       struct sto_findings *findings)
{
    const uint8_t *area = place_in(head, STO_LAYOUT_META_OFFSET_BYTES, STO_RECORD_AREA_BYTES);
    char uuid[STO_GUID_TEXT_BYTES];
    struct sto_record record;
    bool damaged;
    int rc =
        area == NULL ? -ENOENT : sto_record_choose(area, STO_RECORD_AREA_BYTES, &record, &damaged);

    if (rc == -EPROTONOSUPPORT)
        sto_findings_add(findings, STO_FINDING_RECORD,
                         "ownership record of a newer version of hawser");
    if (rc < 0)
        return;
    sto_findings_add(
        findings, STO_FINDING_RECORD, "hawser ownership record %s %s (%s, node %u, generation %u)",
        whose(cluster_uuid, record.cluster_uuid), sto_guid_text(record.cluster_uuid, uuid),
        sto_record_state_name(record.state), record.node, record.generation);
}

static void add_description(const struct sto_edge *head, const uint8_t *cluster_uuid,
                            struct sto_findings *findings)
{
    const uint8_t *a = place_in(
        head, STO_LAYOUT_META_OFFSET_BYTES + STO_LAYOUT_DESCRIPTION_OFFSET_BYTES, STO_META_BYTES);
    const uint8_t *b =
        place_in(head, STO_LAYOUT_META_OFFSET_BYTES + STO_LAYOUT_DESCRIPTION_COPY_OFFSET_BYTES,
                 STO_META_BYTES);
    char uuid[STO_GUID_TEXT_BYTES];
    struct sto_meta meta;
    int rc = a == NULL || b == NULL ? -ENOENT : sto_meta_choose(a, b, &meta, NULL);

    if (rc == -EPROTONOSUPPORT)
        sto_findings_add(findings, STO_FINDING_RECORD,
                         "LUN description of a newer version of hawser");
    if (rc < 0)
        return;
    sto_findings_add(findings, STO_FINDING_RECORD, "hawser LUN description %s %s",
                     whose(cluster_uuid, meta.cluster_uuid),
                     sto_guid_text(meta.cluster_uuid, uuid));
}

static bool all_zero(const struct sto_edge *edge)
{
    for (size_t i = 0; i < edge->bytes; i++) {
        if (edge->data[i] != 0)
            return false;
    }
    return true;
}

int sto_occupied_bytes(const struct sto_edge *head, const struct sto_edge *tail,
                       uint64_t capacity_bytes, uint32_t block_bytes, const uint8_t *cluster_uuid,
                       struct sto_findings *findings)
{
    hw_auto_close int fd = memfd_create("hawser-occupied", MFD_CLOEXEC);
    unsigned before = findings->count + findings->left_off;
    int rc = 0;

    if (fd < 0 || ftruncate(fd, (off_t)capacity_bytes) < 0)
        return -errno;
    rc = copy_edge(fd, head);
    if (rc == 0)
        rc = copy_edge(fd, tail);
    if (rc == 0)
        rc = probe_file(fd, capacity_bytes, block_bytes, findings);
    if (rc < 0)
        return rc;
    add_record(head, cluster_uuid, findings);
    add_description(head, cluster_uuid, findings);
    if (findings->count + findings->left_off == before && !(all_zero(head) && all_zero(tail)))
        sto_findings_add(findings, STO_FINDING_DATA, "data of no known format");
    return 0;
}

void sto_occupied_reservations(const struct sto_pr_keys *keys,
                               const struct sto_pr_reservation *reservation,
                               struct sto_findings *findings)
{
    char key[STO_KEY_TEXT_BYTES];

    if (reservation != NULL && reservation->held) {
        const char *type = sto_pr_type_name(reservation->type);

        sto_findings_add(findings, STO_FINDING_RESERVATION, "reservation (%s) held by %s",
                         type != NULL ? type : "unknown type", sto_key_text(reservation->key, key));
    }
    for (unsigned i = 0; keys != NULL && i < keys->count; i++) {
        if (reservation == NULL || !reservation->held || keys->keys[i] != reservation->key)
            sto_findings_add(findings, STO_FINDING_KEYS, "registered key %s",
                             sto_key_text(keys->keys[i], key));
    }
}
