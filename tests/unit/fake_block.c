/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The calls of the block backend, answered from records. Called from worker threads. */
#include <config.h>

#include "tests/unit/fake_block.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "storage/sto_pr.h"

enum { ISCSIADM_SESSION_EXISTS = 15 };

static int fake_open(void *context, const char *path, int flags)
{
    struct fake_block *fake = context;
    int rc;

    (void)path;
    pthread_mutex_lock(&fake->lock);
    fake->opens++;
    rc = fake->open_rc;
    pthread_mutex_unlock(&fake->lock);
    if (rc < 0)
        return rc;
    /* /tmp may be a file system without O_DIRECT; O_EXCL means something else for files */
    rc = open(fake->image, (flags & O_ACCMODE) | O_CLOEXEC);
    return rc < 0 ? -errno : rc;
}

static int fake_device_number(void *context, const char *path, dev_t *ret_number)
{
    struct fake_block *fake = context;

    if (fake->number_rc < 0)
        return fake->number_rc;
    if (access(path, F_OK) < 0)
        return -errno;
    *ret_number = makedev(8, 0);
    return 0;
}

static int fake_size(void *context, int fd, uint64_t *ret_bytes)
{
    struct fake_block *fake = context;

    (void)fd;
    pthread_mutex_lock(&fake->lock);
    *ret_bytes = fake->size_bytes;
    pthread_mutex_unlock(&fake->lock);
    return 0;
}

static void hang(struct fake_block *fake)
{
    sem_post(&fake->hung);
    sem_wait(&fake->let_go);
}

/* The oldest answer for this opcode that is not used up; under the lock. */
static struct fake_answer take_answer(struct fake_block *fake, uint8_t opcode)
{
    for (unsigned at = 0; at < fake->answer_count; at++)
        if (fake->answers[at].opcode == opcode && fake->answers[at].times > 0) {
            fake->answers[at].times--;
            return fake->answers[at];
        }
    return (struct fake_answer) { 0 };
}

static void fill_answer(const struct fake_answer *answer, struct sto_sg *sg)
{
    sg->status = answer->status;
    sg->host_status = answer->host_status;
    if (answer->status == 0x02) {
        memset(sg->sense, 0, 18);
        sg->sense[0] = 0x70;
        sg->sense[2] = answer->sense_key;
        sg->sense[7] = 10;
        sg->sense[12] = (uint8_t)(answer->asc_ascq >> 8);
        sg->sense[13] = (uint8_t)answer->asc_ascq;
        sg->sense_bytes = 18;
    }
    if (sg->direction != STO_DIRECTION_IN)
        return;
    memset(sg->data, 0, sg->data_bytes);
    memcpy(sg->data, answer->data,
           answer->data_bytes < sg->data_bytes ? answer->data_bytes : sg->data_bytes);
    if (answer->data_bytes > 0 && answer->data_bytes < sg->data_bytes)
        sg->residual_bytes = sg->data_bytes - answer->data_bytes;
}

static int fake_sg_io(void *context, int fd, struct sto_sg *sg)
{
    struct fake_block *fake = context;
    struct fake_answer answer;

    (void)fd;
    pthread_mutex_lock(&fake->lock);
    fake->commands++;
    memset(fake->last_cdb, 0, sizeof(fake->last_cdb));
    memcpy(fake->last_cdb, sg->cdb, sg->cdb_bytes);
    fake->last_data_bytes = sg->data_bytes;
    if (sg->direction == STO_DIRECTION_OUT)
        memcpy(fake->last_data, sg->data,
               sg->data_bytes < sizeof(fake->last_data) ? sg->data_bytes : sizeof(fake->last_data));
    answer = take_answer(fake, sg->cdb[0]);
    pthread_mutex_unlock(&fake->lock);
    if (answer.hang)
        hang(fake);
    if (answer.rc == 0)
        fill_answer(&answer, sg);
    return answer.rc;
}

static int fake_lun_reset(void *context, int fd)
{
    struct fake_block *fake = context;
    int rc;

    (void)fd;
    pthread_mutex_lock(&fake->lock);
    fake->resets++;
    rc = fake->reset_rc;
    pthread_mutex_unlock(&fake->lock);
    return rc;
}

/* A setting of the node record; under the lock. */
static void set(struct fake_block *fake, const char *key, const char *value)
{
    size_t used = strlen(fake->settings);

    snprintf(fake->settings + used, sizeof(fake->settings) - used, "%s=%s;", key, value);
}

/* What iscsiadm would do; under the lock. */
static int iscsiadm(struct fake_block *fake, const char *const argv[])
{
    const char *key = "";

    for (unsigned at = 0; argv[at]; at++) {
        if (strcmp(argv[at], "-n") == 0)
            key = argv[at + 1];
        if (strcmp(argv[at], "-v") == 0)
            set(fake, key, argv[at + 1]);
        if (strcmp(argv[at], "--login") == 0) {
            fake->logins++;
            if (fake->login_status == 0 || fake->login_status == ISCSIADM_SESSION_EXISTS)
                fake_block_session(fake);
            return fake->login_status;
        }
        if (strcmp(argv[at], "--logout") == 0)
            fake->logouts++;
    }
    return fake->other_status;
}

static int fake_run(void *context, const char *const argv[], int64_t deadline_ns,
                    char output[STO_RUN_OUTPUT_BYTES])
{
    struct fake_block *fake = context;
    int rc;

    (void)deadline_ns;
    pthread_mutex_lock(&fake->lock);
    rc = fake->login_hangs ? -ETIMEDOUT : iscsiadm(fake, argv);
    snprintf(output, STO_RUN_OUTPUT_BYTES, "%s", rc > 0 ? "iscsiadm: no" : "");
    pthread_mutex_unlock(&fake->lock);
    return rc;
}

/* An empty file that stands for the device. */
static bool put_device(const struct fake_block *fake, const char *name)
{
    char path[128];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", fake->files.dev, name);
    fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    return fd >= 0 && close(fd) == 0;
}

static bool put_image(struct fake_block *fake)
{
    int fd;

    snprintf(fake->image, sizeof(fake->image), "%s/image", fake->files.root);
    fd = open(fake->image, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    return fd >= 0 && ftruncate(fd, 1 << 20) == 0 && close(fd) == 0;
}

bool fake_block_begin(struct fake_block *fake)
{
    memset(fake, 0, sizeof(*fake));
    pthread_mutex_init(&fake->lock, NULL);
    sem_init(&fake->hung, 0, 0);
    sem_init(&fake->let_go, 0, 0);
    if (!fake_sysfs_begin(&fake->files) || !put_device(fake, "sda") || !put_image(fake))
        return false;
    fake_sysfs_disk(&fake->files, "8:0", "sda", true);
    fake->size_bytes = 1 << 20;
    fake->sys = (struct sto_block_sys) { .context = fake,
                                         .sysfs = fake->files.sysfs,
                                         .dev = fake->files.dev,
                                         .open = fake_open,
                                         .device_number = fake_device_number,
                                         .size = fake_size,
                                         .sg_io = fake_sg_io,
                                         .lun_reset = fake_lun_reset,
                                         .run = fake_run };
    /* REPORT CAPABILITIES: length 8, PTPL_C */
    fake_block_answer(
        fake, (struct fake_answer) {
                  .opcode = STO_PR_OPCODE_IN, .times = 1, .data = { 0, 8, 1 }, .data_bytes = 8 });
    return true;
}

void fake_block_end(struct fake_block *fake)
{
    fake_sysfs_end(&fake->files);
    pthread_mutex_destroy(&fake->lock);
    sem_destroy(&fake->hung);
    sem_destroy(&fake->let_go);
}

void fake_block_answer(struct fake_block *fake, struct fake_answer answer)
{
    pthread_mutex_lock(&fake->lock);
    if (fake->answer_count < sizeof(fake->answers) / sizeof(fake->answers[0]))
        fake->answers[fake->answer_count++] = answer;
    pthread_mutex_unlock(&fake->lock);
}

void fake_block_session(struct fake_block *fake)
{
    fake_sysfs_session(&fake->files, 1, FAKE_BLOCK_TARGET "\n", "10.0.0.1\n", "3260\n");
    if (!fake->no_disk)
        fake_sysfs_attach(&fake->files, 1, 0, "sda");
}

void fake_block_wait_hung(struct fake_block *fake)
{
    while (sem_wait(&fake->hung) < 0)
        ;
}

void fake_block_let_go(struct fake_block *fake)
{
    sem_post(&fake->let_go);
}
