/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Prints the reservation key that node NODE of cluster UUID registers for GENERATION: C7h, low 16
 * bits of xxh3-64 of the uuid's 16 bytes, node 16 bits, generation 24 bits. Written apart from
 * hawser's own code on purpose: the lab's old owner must hold a key that hawser takes for one of
 * its cluster's, and a change of either side must be noticed.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <uuid/uuid.h>
#include <xxhash.h>

int main(int argc, char **argv)
{
    uuid_t cluster;
    char *end_node = NULL, *end_generation = NULL;

    if (argc != 4 || uuid_parse(argv[1], cluster) != 0) {
        fprintf(stderr, "usage: labkey CLUSTER-UUID NODE GENERATION\n");
        return 2;
    }
    uint64_t node = strtoull(argv[2], &end_node, 10);
    uint64_t generation = strtoull(argv[3], &end_generation, 10);
    if (*end_node != '\0' || *end_generation != '\0' || node > 0xffff || generation == 0 ||
        generation > 0xffffff) {
        fprintf(stderr, "labkey: node is 0 to 65535, generation 1 to 16777215\n");
        return 2;
    }
    uint64_t hash = XXH3_64bits(cluster, sizeof(cluster)) & 0xffff;
    printf("0x%016" PRIx64 "\n", UINT64_C(0xc7) << 56 | hash << 40 | node << 24 | generation);
    return 0;
}
