/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stateslot FILE OFFSET SLOT STATE GENERATION: writes the header of a saved state into the backing
 * file of a LUN whose hawser-state begins at OFFSET bytes, as another node would have. STATE is
 * "committed", "consumed" and so on.
 */
#include <config.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "storage/sto_saved.h"
#include "storage/sto_state_area.h"

static enum sto_saved_state state_of(const char *name)
{
    for (enum sto_saved_state state = STO_SAVED_EMPTY; state <= STO_SAVED_CONSUMED; state++)
        if (strcmp(sto_saved_state_name(state), name) == 0)
            return state;
    return 0;
}

int main(int argc, char **argv)
{
    uint8_t sector[STO_SAVED_BYTES];
    struct sto_saved saved = { .node = 2, .memory_bytes = 1 << 20, .cpus = 1 };
    off_t at;
    int fd;

    if (argc != 6)
        return 2;
    saved.state = state_of(argv[4]);
    saved.generation = strtoull(argv[5], NULL, 10);
    at = strtoll(argv[2], NULL, 10) + (off_t)strtoul(argv[3], NULL, 10) * STO_STATE_HEADER_BYTES;
    fd = open(argv[1], O_WRONLY | O_CLOEXEC);
    if (saved.state == 0 || fd < 0)
        return 2;
    sto_saved_encode(&saved, sector);
    if (pwrite(fd, sector, sizeof(sector), at) != (ssize_t)sizeof(sector) || fsync(fd) < 0)
        return 1;
    return close(fd) < 0;
}
