/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/sto_pr: keys, descriptor blocks, parameter lists and answers, against bytes written out
 * by hand from SPC-4.
 */
#include <config.h>

#include "storage/sto_pr.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/unit.h"

static void makes_keys(void)
{
    struct sto_key_parts parts = { .cluster_hash = 0xabcd, .node = 0x1234, .generation = 0x567 };
    struct sto_key_parts back;
    char text[STO_KEY_TEXT_BYTES];
    uint64_t key = sto_key_make(&parts);

    CU_ASSERT_EQUAL(key, 0xc7abcd1234000567);
    CU_ASSERT_TRUE(sto_key_parse(key, &back));
    CU_ASSERT_EQUAL(back.cluster_hash, 0xabcd);
    CU_ASSERT_EQUAL(back.node, 0x1234);
    CU_ASSERT_EQUAL(back.generation, 0x567);
    CU_ASSERT_TRUE(sto_key_is_ours(key, 0xabcd));
    CU_ASSERT_FALSE(sto_key_is_ours(key, 0xabce));
    CU_ASSERT_STRING_EQUAL(sto_key_text(key, text),
                           "0xc7abcd1234000567 (node 4660, generation 1383)");
    CU_ASSERT_STRING_EQUAL(sto_key_text(0x42, text), "0x0000000000000042 (not a hawser key)");
    parts.generation = STO_GENERATION_MAX;
    CU_ASSERT_EQUAL(sto_key_make(&parts), 0xc7abcd1234ffffff);
    parts.generation = STO_GENERATION_MAX + 1;
    CU_ASSERT_EQUAL(sto_key_make(&parts), 0);
    parts.generation = 0;
    CU_ASSERT_EQUAL(sto_key_make(&parts), 0);
    CU_ASSERT_FALSE(sto_key_parse(0xc7abcd1234000000, &back)); /* no generation */
    CU_ASSERT_FALSE(sto_key_parse(0xc6abcd1234000567, &back));
    CU_ASSERT_FALSE(sto_key_parse(0, &back));
}

static void hashes_clusters(void)
{
    uint8_t a[16] = { 1 }, b[16] = { 2 };

    CU_ASSERT_EQUAL(sto_key_cluster_hash(a), sto_key_cluster_hash(a));
    CU_ASSERT_NOT_EQUAL(sto_key_cluster_hash(a), sto_key_cluster_hash(b));
}

static void names_types(void)
{
    for (unsigned type = 0; type < 16; type++) {
        bool known = type == 0 || type == 1 || type == 3 || (type >= 5 && type <= 8);

        CU_ASSERT_EQUAL(sto_pr_type_name(type) != NULL, known);
    }
    CU_ASSERT_STRING_EQUAL(sto_pr_type_name(STO_PR_EXCLUSIVE_ACCESS), "exclusive access");
}

static void encodes_commands(void)
{
    static const uint8_t in[10] = { 0x5e, 0x01, 0, 0, 0, 0, 0, 0x12, 0x34, 0 };
    static const uint8_t out[10] = { 0x5f, 0x04, 0x03, 0, 0, 0, 0, 0, 24, 0 };
    static const uint8_t list[24] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };
    struct sto_pr_out_request request = { .action = STO_PR_PREEMPT,
                                          .type = STO_PR_EXCLUSIVE_ACCESS,
                                          .key = 0x0102030405060708,
                                          .service_key = 0x090a0b0c0d0e0f10 };
    uint8_t cdb[16], parameters[STO_PR_OUT_PARAMETER_BYTES];

    memset(cdb, 0xee, sizeof(cdb));
    CU_ASSERT_EQUAL(sto_pr_in_cdb(STO_PR_READ_RESERVATION, 0x1234, cdb), 10);
    CU_ASSERT_EQUAL(memcmp(cdb, in, sizeof(in)), 0);
    memset(parameters, 0xee, sizeof(parameters));
    CU_ASSERT_EQUAL(sto_pr_out_encode(&request, cdb, parameters), 10);
    CU_ASSERT_EQUAL(memcmp(cdb, out, sizeof(out)), 0);
    CU_ASSERT_EQUAL(memcmp(parameters, list, sizeof(list)), 0);
    request.aptpl = true;
    (void)sto_pr_out_encode(&request, cdb, parameters);
    CU_ASSERT_EQUAL(parameters[20], 0x01);
}

static void decodes_what_it_encodes(void)
{
    for (unsigned action = 0; action <= STO_PR_REGISTER_IGNORE; action++) {
        struct sto_pr_out_request request = { .action = (enum sto_pr_out)action,
                                              .type = STO_PR_WRITE_EXCLUSIVE_REGISTRANTS,
                                              .key = 7,
                                              .service_key = UINT64_MAX - action,
                                              .aptpl = action % 2 != 0 };
        uint8_t cdb[16], parameters[STO_PR_OUT_PARAMETER_BYTES];
        struct sto_pr_out_request back;

        (void)sto_pr_out_encode(&request, cdb, parameters);
        CU_ASSERT_EQUAL(sto_pr_out_decode(cdb, 10, parameters, sizeof(parameters), &back), 0);
        CU_ASSERT_EQUAL(back.action, request.action);
        CU_ASSERT_EQUAL(back.type, request.type);
        CU_ASSERT_EQUAL(back.key, request.key);
        CU_ASSERT_EQUAL(back.service_key, request.service_key);
        CU_ASSERT_EQUAL(back.aptpl, request.aptpl);
        for (size_t bytes = 0; bytes < sizeof(parameters); bytes++)
            CU_ASSERT_EQUAL(sto_pr_out_decode(cdb, 10, parameters, bytes, &back), -EINVAL);
        CU_ASSERT_EQUAL(sto_pr_out_decode(cdb, 9, parameters, sizeof(parameters), &back), -EINVAL);
        cdb[2] |= 0x10; /* a scope that is not the logical unit */
        CU_ASSERT_EQUAL(sto_pr_out_decode(cdb, 10, parameters, sizeof(parameters), &back), -EINVAL);
        cdb[2] &= 0x0f;
        cdb[0] = STO_PR_OPCODE_IN;
        CU_ASSERT_EQUAL(sto_pr_out_decode(cdb, 10, parameters, sizeof(parameters), &back), -EINVAL);
    }
}

static void decodes_keys(void)
{
    static const uint8_t answer[8 + 32] = {
        0, 0, 1, 2, 0, 0, 0, 32,                         /* PRGENERATION 258, four keys */
        0, 0, 0, 0, 0, 0, 0, 9,  0, 0, 0, 0, 0, 0, 0, 3, /**/
        0, 0, 0, 0, 0, 0, 0, 9,  0, 0, 0, 0, 0, 0, 0, 5,
    };
    static struct sto_pr_keys keys;

    CU_ASSERT_EQUAL(sto_pr_decode_keys(answer, sizeof(answer), &keys), 0);
    CU_ASSERT_EQUAL(keys.generation, 258);
    CU_ASSERT_EQUAL(keys.count, 3); /* sorted, each once */
    CU_ASSERT_TRUE(keys.keys[0] == 3 && keys.keys[1] == 5 && keys.keys[2] == 9);
    CU_ASSERT_TRUE(sto_pr_keys_have(&keys, 9));
    CU_ASSERT_FALSE(sto_pr_keys_have(&keys, 4));
    for (size_t bytes = 0; bytes < sizeof(answer); bytes++)
        CU_ASSERT_EQUAL(sto_pr_decode_keys(answer, bytes, &keys), -EBADMSG);
}

static void judges_the_length_of_keys(void)
{
    static uint8_t answer[STO_PR_KEYS_ANSWER_BYTES + 8];
    static struct sto_pr_keys keys;

    CU_ASSERT_EQUAL(sto_pr_decode_keys(answer, 8, &keys), 0);
    CU_ASSERT_EQUAL(keys.count, 0);
    CU_ASSERT_FALSE(sto_pr_keys_have(&keys, 0));
    answer[7] = 12; /* not whole keys */
    CU_ASSERT_EQUAL(sto_pr_decode_keys(answer, sizeof(answer), &keys), -EBADMSG);
    answer[6] = (8 * STO_PR_KEYS) >> 8;
    answer[7] = 0;
    for (unsigned i = 0; i < STO_PR_KEYS; i++)
        answer[8 + 8 * i + 6] = (uint8_t)(i >> 8), answer[8 + 8 * i + 7] = (uint8_t)i;
    CU_ASSERT_EQUAL(sto_pr_decode_keys(answer, STO_PR_KEYS_ANSWER_BYTES, &keys), 0);
    CU_ASSERT_EQUAL(keys.count, STO_PR_KEYS);
    answer[7] = 8; /* one too many, there or not */
    CU_ASSERT_EQUAL(sto_pr_decode_keys(answer, sizeof(answer), &keys), -E2BIG);
    memset(answer + 4, 0xff, 4);
    answer[7] = 0xf8;
    CU_ASSERT_EQUAL(sto_pr_decode_keys(answer, sizeof(answer), &keys), -E2BIG);
}

static void decodes_reservations(void)
{
    uint8_t answer[24] = { 0, 0, 0, 5, 0, 0, 0, 16, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0x03 };
    struct sto_pr_reservation reservation;

    CU_ASSERT_EQUAL(sto_pr_decode_reservation(answer, sizeof(answer), &reservation), 0);
    CU_ASSERT_TRUE(reservation.held);
    CU_ASSERT_EQUAL(reservation.generation, 5);
    CU_ASSERT_EQUAL(reservation.key, 0x0102030405060708);
    CU_ASSERT_EQUAL(reservation.scope, 0);
    CU_ASSERT_EQUAL(reservation.type, STO_PR_EXCLUSIVE_ACCESS);
    for (size_t bytes = 0; bytes < sizeof(answer); bytes++)
        CU_ASSERT_EQUAL(sto_pr_decode_reservation(answer, bytes, &reservation), -EBADMSG);
    answer[7] = 17;
    CU_ASSERT_EQUAL(sto_pr_decode_reservation(answer, sizeof(answer), &reservation), -EBADMSG);
    answer[7] = 0;
    CU_ASSERT_EQUAL(sto_pr_decode_reservation(answer, 8, &reservation), 0);
    CU_ASSERT_FALSE(reservation.held);
    CU_ASSERT_EQUAL(reservation.key, 0);
}

static void decodes_capabilities(void)
{
    uint8_t answer[8] = { 0, 8, 0x01, 0x81, 0xea, 0x01, 0, 0 };
    struct sto_pr_capabilities capabilities;

    CU_ASSERT_EQUAL(sto_pr_decode_capabilities(answer, sizeof(answer), &capabilities), 0);
    CU_ASSERT_TRUE(capabilities.keeps_over_power_loss);
    CU_ASSERT_TRUE(capabilities.active_over_power_loss);
    CU_ASSERT_TRUE(capabilities.type_mask_valid);
    CU_ASSERT_EQUAL(capabilities.types, 0x1ea);
    answer[2] = 0;
    answer[3] = 0;
    answer[4] = 0x08;
    answer[5] = 0;
    CU_ASSERT_EQUAL(sto_pr_decode_capabilities(answer, sizeof(answer), &capabilities), 0);
    CU_ASSERT_FALSE(capabilities.keeps_over_power_loss || capabilities.active_over_power_loss);
    CU_ASSERT_EQUAL(capabilities.types, 1 << STO_PR_EXCLUSIVE_ACCESS);
    for (size_t bytes = 0; bytes < 6; bytes++)
        CU_ASSERT_EQUAL(sto_pr_decode_capabilities(answer, bytes, &capabilities), -EBADMSG);
    answer[1] = 7;
    CU_ASSERT_EQUAL(sto_pr_decode_capabilities(answer, sizeof(answer), &capabilities), -EBADMSG);
}

const struct unit_case unit_cases[] = {
    { "keys", makes_keys },
    { "hash of the cluster", hashes_clusters },
    { "names of types", names_types },
    { "commands as bytes", encodes_commands },
    { "what is encoded decodes, what is cut does not", decodes_what_it_encodes },
    { "READ KEYS", decodes_keys },
    { "READ KEYS of any length", judges_the_length_of_keys },
    { "READ RESERVATION", decodes_reservations },
    { "REPORT CAPABILITIES", decodes_capabilities },
    { 0 },
};
