/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Points at which a back end of vhost-user-blk may be killed, around each store into the in-flight
 * region and the used ring. The program that has them is linked with --wrap for the functions of
 * storage/vhost/ that do these stores (module.am), so that nothing of it is in the product.
 */
#ifndef CRASH_POINTS_H
#define CRASH_POINTS_H

/* In memory that the process and who watches it share. */
struct crash_points {
    unsigned at;    /* dies at this one, counted from 1; 0: at none */
    unsigned count; /* that were passed */
    char last[64];  /* where it died */
};

/* This process passes points from now on. */
void crash_points_arm(struct crash_points *points);

#endif
