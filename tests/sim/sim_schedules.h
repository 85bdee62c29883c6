/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A simulation's program: one random schedule for each seed, until one goes wrong.
 *   sim_NAME            a quick share, or SEEDS= of them (TAP)
 *   sim_NAME --hunt     for mutants: 0 if some schedule goes wrong
 *   sim_NAME --seed N   that one, told step by step
 */
#ifndef SIM_SCHEDULES_H
#define SIM_SCHEDULES_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sim {
    const char *name; /* "the log" */
    uint64_t quick_seeds, hunt_seeds;
    bool hunt_calm; /* a hunt sees what is wrong when the faults have ended, too */
    /* One schedule, counted in `totals`. False: it went wrong, and the reason was printed. */
    bool (*schedule)(uint64_t seed, bool trace, bool end_calm, void *totals);
    /* Print the rest of the line that says how many schedules went well: ", 5 faults\n". */
    void (*sum)(const void *totals);
    void *totals; /* zeroed */
};

/* The first seeds. The program's exit status. */
static inline int sim_all(const struct sim *sim, uint64_t seeds, const char *program)
{
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        if (sim->schedule(seed, false, true, sim->totals))
            continue;
        printf("not ok 1 - %s\n# replay: %s --seed %" PRIu64 "\n1..1\n", sim->name, program, seed);
        return 1;
    }
    printf("ok 1 - %s: %" PRIu64 " schedules", sim->name, seeds);
    sim->sum(sim->totals);
    printf("1..1\n");
    return 0;
}

/* Until one goes wrong. The program's exit status. */
static inline int sim_hunt(const struct sim *sim)
{
    for (uint64_t seed = 1; seed <= sim->hunt_seeds; seed++)
        if (!sim->schedule(seed, false, sim->hunt_calm, sim->totals))
            return 0;
    return 1;
}

/* main() of a simulation. */
static inline int sim_main(const struct sim *sim, int argc, char **argv)
{
    const char *seeds = getenv("SEEDS");

    if (argc == 3 && strcmp(argv[1], "--seed") == 0)
        return sim->schedule(strtoull(argv[2], NULL, 10), true, true, sim->totals) ? 0 : 1;
    if (argc == 2 && strcmp(argv[1], "--hunt") == 0)
        return sim_hunt(sim);
    return sim_all(sim,
                   seeds != NULL && seeds[0] != '\0' ? strtoull(seeds, NULL, 10) : sim->quick_seeds,
                   argv[0]);
}

#endif
