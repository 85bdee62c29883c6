/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page that the lab and the shim inside tgtd share (a mapped file, path in LAB_SHIM_CONTROL):
 * the lab writes the policy, the shim writes the counters. Both sides run on one machine from one
 * build, so the layout is a plain struct. Every field is read and written atomically by itself.
 */
#ifndef LAB_SHIM_CONTROL_H
#define LAB_SHIM_CONTROL_H

#include <stdint.h>

#define LAB_SHIM_MAGIC    UINT64_C(0x48575348494d3031)
#define LAB_SHIM_ENV      "LAB_SHIM_CONTROL"
#define LAB_SHIM_ANY_NODE UINT64_C(0xffffffff)

enum lab_shim_mode {
    LAB_SHIM_OFF = 0,    /* no delay */
    LAB_SHIM_RANDOM = 1, /* each chosen write sleeps 0..delay_us, from the seed and its stamp */
    LAB_SHIM_FIXED = 2,  /* each chosen write sleeps delay_us */
    LAB_SHIM_STUCK =
        3, /* the next chosen write sleeps until `released` is raised, the others do not */
};

struct lab_shim_control {
    uint64_t magic;
    /* policy, written by the lab */
    uint64_t mode;
    uint64_t delay_us;
    uint64_t permille; /* share of the victim's writes that are delayed */
    uint64_t node; /* victim's node in the stamp; LAB_SHIM_ANY_NODE: every write, stamped or not */
    uint64_t seed;
    uint64_t stuck_left;       /* STUCK: how many writes may still be caught */
    uint64_t released;         /* STUCK: raised to let the caught ones go */
    uint64_t read_fails_below; /* reads that begin below this offset in their file fail */
    uint64_t sync_fails;       /* not 0: so does every flush */
    /* counters, written by the shim */
    uint64_t seen;         /* the victim's writes that arrived */
    uint64_t last_kind;    /* the kind in the stamp of the last of them: its opcode */
    uint64_t delayed;      /* of them, delayed */
    uint64_t stuck_now;    /* caught and not yet released */
    uint64_t waiting;      /* arrived, not yet landed */
    uint64_t landed;       /* the victim's writes that returned from the kernel */
    uint64_t last_land_ns; /* CLOCK_BOOTTIME of the last of them */
    uint64_t punched;   /* deallocations (UNMAP); they carry no stamp and count for every victim */
    uint64_t unstamped; /* writes without a stamp */
};

#endif
