/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kernel of a test's own under the block backend: a disk "sda" (8:0) of LUN 0 behind a session
 * that appears when iscsiadm logs in, its data in a temporary file, recorded answers for SG_IO,
 * and calls that hang until they are let go.
 */
#ifndef FAKE_BLOCK_H
#define FAKE_BLOCK_H

#include <pthread.h>
#include <semaphore.h>

#include "storage/sto_block_sys.h"
#include "tests/unit/fake_sysfs.h"

#define FAKE_BLOCK_TARGET "iqn.2026-11.lab:san"
#define FAKE_BLOCK_NAME   "ip-10.0.0.1:3260-iscsi-" FAKE_BLOCK_TARGET "-lun-0"

/* One recorded answer of SG_IO: to commands with this opcode, `times` times, oldest first. */
struct fake_answer {
    uint8_t opcode;
    unsigned times;
    int rc;
    uint8_t status;
    uint16_t host_status;
    uint8_t sense_key;
    uint16_t asc_ascq;
    uint8_t data[24];
    uint32_t data_bytes;
    bool hang; /* until fake_block_let_go() */
};

struct fake_block {
    struct fake_sysfs files;
    struct sto_block_sys sys; /* what the backend is given */
    char image[96];           /* the disk's data */
    pthread_mutex_t lock;     /* over all below */
    struct fake_answer answers[16];
    unsigned answer_count;
    uint8_t last_cdb[16];
    uint8_t last_data[64];
    uint32_t last_data_bytes;
    unsigned commands, opens, resets, logins, logouts;
    int open_rc, reset_rc, number_rc;
    int login_status, other_status; /* of iscsiadm */
    bool login_hangs;               /* until its deadline */
    bool no_disk;                   /* the session appears without its disk */
    uint64_t size_bytes;
    char settings[512]; /* "KEY=VALUE;" of the node record */
    sem_t hung, let_go;
};

/* Everything there, the target keeping reservations; nobody logged in. */
bool fake_block_begin(struct fake_block *fake);
void fake_block_end(struct fake_block *fake);
/* Record an answer; without one, a command is GOOD with zeroes. */
void fake_block_answer(struct fake_block *fake, struct fake_answer answer);
/* A session with the disk is there already. */
void fake_block_session(struct fake_block *fake);
/* Wait until a call hangs; let one go. */
void fake_block_wait_hung(struct fake_block *fake);
void fake_block_let_go(struct fake_block *fake);

#endif
