/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/sto_occupied: known formats at both ends, hawser's own records, reservations and
 * unexplained bytes are each named, and an empty LUN is found empty.
 */
#include <config.h>

#include "storage/sto_occupied.h"

#include "tests/unit/layout_image.h"
#include "tests/unit/unit.h"

#include <stdlib.h>

#include "storage/sto_meta.h"
#include "storage/sto_record.h"

static uint8_t head_bytes[STO_OCCUPIED_EDGE_BYTES], tail_bytes[STO_OCCUPIED_EDGE_BYTES];
static const struct sto_edge head = { head_bytes, sizeof(head_bytes), 0 };
static const struct sto_edge tail = { tail_bytes, sizeof(tail_bytes),
                                      IMAGE_CAPACITY - STO_OCCUPIED_EDGE_BYTES };
static struct sto_findings findings;

static const struct sto_findings *look(uint32_t block_bytes, const uint8_t *cluster_uuid)
{
    memset(&findings, 0, sizeof(findings));
    CU_ASSERT_EQUAL(
        sto_occupied_bytes(&head, &tail, IMAGE_CAPACITY, block_bytes, cluster_uuid, &findings), 0);
    return &findings;
}

static void empty(void)
{
    memset(head_bytes, 0, sizeof(head_bytes));
    memset(tail_bytes, 0, sizeof(tail_bytes));
}

static bool found(enum sto_finding_kind kind, const char *words)
{
    for (unsigned i = 0; i < findings.count; i++) {
        if (findings.items[i].kind == kind && strstr(findings.items[i].text, words) != NULL)
            return true;
    }
    return false;
}

static void finds_nothing_on_an_empty_lun(void)
{
    empty();
    CU_ASSERT_EQUAL(look(512, NULL)->count, 0);
    CU_ASSERT_EQUAL(look(4096, NULL)->count, 0);
}

static void finds_unexplained_bytes(void)
{
    static uint8_t *const places[] = { head_bytes, head_bytes + STO_OCCUPIED_EDGE_BYTES - 1,
                                       tail_bytes, tail_bytes + STO_OCCUPIED_EDGE_BYTES - 1 };

    for (unsigned i = 0; i < 4; i++) {
        empty();
        *places[i] = 1;
        CU_ASSERT_EQUAL(look(512, NULL)->count, 1);
        CU_ASSERT(found(STO_FINDING_DATA, "no known format"));
    }
}

static void finds_signatures(void)
{
    empty();
    memcpy(head_bytes, "LUKS\xba\xbe\x00\x01", 8);
    look(512, NULL);
    CU_ASSERT(found(STO_FINDING_SIGNATURE, "crypto_LUKS encrypted volume"));
    look(4096, NULL);
    CU_ASSERT(found(STO_FINDING_SIGNATURE, "crypto_LUKS encrypted volume"));

    empty();
    memcpy(tail_bytes + STO_OCCUPIED_EDGE_BYTES - 1024, "Intel Raid ISM Cfg Sig. 1.2.00", 30);
    look(512, NULL);
    CU_ASSERT(found(STO_FINDING_SIGNATURE, "isw_raid_member RAID or LVM member"));
}

static void finds_two_formats_at_once(void)
{
    empty();
    memcpy(head_bytes, "LUKS\xba\xbe\x00\x01", 8);
    memcpy(tail_bytes + STO_OCCUPIED_EDGE_BYTES - 1024, "Intel Raid ISM Cfg Sig. 1.2.00", 30);
    look(512, NULL);
    CU_ASSERT(found(STO_FINDING_SIGNATURE, "crypto_LUKS"));
    CU_ASSERT(found(STO_FINDING_SIGNATURE, "isw_raid_member"));
}

static void finds_partition_tables(void)
{
    static struct sto_layout_image image;
    struct sto_layout layout;

    empty();
    head_bytes[510] = 0x55;
    head_bytes[511] = 0xaa;
    head_bytes[446 + 4] = 0x83;
    image_put(head_bytes + 446 + 8, 2048, 4);
    image_put(head_bytes + 446 + 12, 4096, 4);
    look(512, NULL);
    CU_ASSERT(found(STO_FINDING_TABLE, "dos partition table"));

    for (uint32_t block = 512; block <= 4096; block *= 8) {
        empty();
        image_make(IMAGE_CAPACITY, block, &layout, &image);
        memcpy(head_bytes, image.head, sizeof(image.head));
        look(block, NULL);
        CU_ASSERT(found(STO_FINDING_TABLE, "gpt partition table"));
        empty(); /* the copy at the end alone */
        memcpy(tail_bytes + STO_OCCUPIED_EDGE_BYTES - sizeof(image.tail), image.tail,
               sizeof(image.tail));
        look(block, NULL);
        CU_ASSERT(found(STO_FINDING_TABLE, "gpt partition table"));
    }
}

static void finds_hawser_records(void)
{
    uint8_t other[STO_GUID_BYTES] = { 0 };
    struct sto_record record = { .state = STO_RECORD_OWNED, .node = 3, .generation = 7 };
    struct sto_meta meta = { .max_memory_bytes = 1, .max_cpus = 1, .sequence = 1 };

    memcpy(record.cluster_uuid, image_guid, 16);
    memcpy(meta.cluster_uuid, image_guid, 16);
    empty();
    sto_record_encode(&record, head_bytes + (1 << 20));
    look(512, image_guid);
    CU_ASSERT_EQUAL(findings.count, 1);
    CU_ASSERT(found(STO_FINDING_RECORD, "of this cluster, 12345678-9abc"));
    CU_ASSERT(found(STO_FINDING_RECORD, "owned, node 3, generation 7"));
    look(512, other);
    CU_ASSERT(found(STO_FINDING_RECORD, "of another cluster"));

    empty();
    sto_meta_encode(&meta, head_bytes + (1 << 20) + 128 * 1024);
    look(512, NULL);
    CU_ASSERT(found(STO_FINDING_RECORD, "LUN description of cluster 12345678"));
}

static void names_reservations(void)
{
    struct sto_pr_reservation reservation = { .held = true, .key = 0x1234, .type = 5 };
    struct sto_pr_keys keys = { .count = 2, .keys = { 0x1234, 0x5678 } };

    memset(&findings, 0, sizeof(findings));
    sto_occupied_reservations(NULL, NULL, &findings);
    CU_ASSERT_EQUAL(findings.count, 0);
    sto_occupied_reservations(&keys, &reservation, &findings);
    CU_ASSERT_EQUAL(findings.count, 2);
    CU_ASSERT(found(STO_FINDING_RESERVATION, "write exclusive, registrants only) held by 0x"));
    CU_ASSERT(found(STO_FINDING_KEYS, "registered key 0x0000000000005678"));
    reservation.type = 14;
    sto_occupied_reservations(NULL, &reservation, &findings);
    CU_ASSERT(found(STO_FINDING_RESERVATION, "unknown type"));
}

static void keeps_lists_and_lines_bounded(void)
{
    char line[64], whole[STO_FINDINGS * STO_FINDING_TEXT_BYTES + 100];

    memset(&findings, 0, sizeof(findings));
    sto_findings_line(&findings, line, sizeof(line));
    CU_ASSERT_STRING_EQUAL(line, "");
    sto_findings_add(&findings, STO_FINDING_DATA, "a\n\x1b[1m%s", "\x80");
    CU_ASSERT_STRING_EQUAL(findings.items[0].text, "a??[1m?");
    for (unsigned i = 1; i < STO_FINDINGS + 5; i++)
        sto_findings_add(&findings, STO_FINDING_DATA, "finding %u", i);
    CU_ASSERT_EQUAL(findings.count, STO_FINDINGS);
    CU_ASSERT_EQUAL(findings.left_off, 5);
    sto_findings_line(&findings, line, sizeof(line));
    CU_ASSERT_EQUAL(strlen(line), sizeof(line) - 1);
    CU_ASSERT_STRING_EQUAL(line + sizeof(line) - 4, "...");
    sto_findings_line(&findings, whole, sizeof(whole));
    CU_ASSERT_PTR_NOT_NULL(strstr(whole, "finding 31 and 5 more"));
}

const struct unit_case unit_cases[] = {
    { "an empty LUN is found empty", finds_nothing_on_an_empty_lun },
    { "bytes that no format explains are found", finds_unexplained_bytes },
    { "signatures at either end are named", finds_signatures },
    { "two formats at once are both named", finds_two_formats_at_once },
    { "partition tables are named, and the copy at the end alone", finds_partition_tables },
    { "hawser's records are named with their cluster", finds_hawser_records },
    { "reservations and keys are named", names_reservations },
    { "lists and lines stay within bounds", keeps_lists_and_lines_bounded },
    { 0 },
};
