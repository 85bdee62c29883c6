/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * holder CLUSTER NODE WWID: holds the name of that node on the LUN with this WWID until it is
 * killed, as a process does that acts on it by another URL. It says "held" when it has it.
 */
#include <config.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "storage/sto_gpt.h"
#include "storage/sto_presence.h"

int main(int argc, char **argv)
{
    const struct sto_url url = { .scheme = STO_SCHEME_ISCSI };
    uint8_t cluster[STO_GUID_BYTES];
    int fd = sto_presence_socket(NULL);

    if (argc != 4 || !sto_guid_parse(argv[1], cluster))
        return 2;
    if (fd < 0 || sto_presence_take_wwid(&url, argv[3], cluster, (uint16_t)atoi(argv[2]), fd, NULL))
        return 1;
    (void)puts("held");
    (void)fflush(stdout);
    (void)pause();
    return 0;
}
