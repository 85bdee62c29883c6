/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * crash: hawser-lun killed at every request boundary under load, and started again. The boundaries
 * of the LUN are those of the fault backend (?fault=kill:any:N and killafter:any:N), those of the
 * rings are in crash_points.h. For each N until a run has none left: the server dies there, the
 * next one takes its place (at the rings' points it dies once more, while it does the requests
 * again or soon behind that), and the load (crash_load.h) must end with nothing wrong. On a file,
 * without root.
 *   crash                run all (TAP)
 *   crash --hunt         for mutants: 0 if some run goes wrong, with the reason
 *   crash --round KIND N one run: kill, killafter or point
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "storage/serve/sv_server.h"
#include "tests/lab/crash_load.h"
#include "tests/lab/crash_points.h"

enum { ROUND_MS = 20000, HUNT_MS = 6000, ROUNDS_MAX = 2000, AGAIN = 9 };

enum kind { KIND_KILL, KIND_KILLAFTER, KIND_POINT, KIND_COUNT };

static const char *const kind_names[] = { "kill", "killafter", "point" };
static const char *const kind_titles[] = {
    "killed before each operation of the LUN",
    "killed behind each operation of the LUN, before anybody is told",
    "killed at each point of the rings, and again while it comes back",
};

struct crash {
    char directory[64], file[100], socket[100];
    int file_fd, round_ms;
    struct sv_config config;
    struct crash_points *points;
    struct load load;
    enum kind kind;
    unsigned n, lives;
    pid_t child;
};

static void fail(const char *what)
{
    fprintf(stderr, "crash: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void set_up(struct crash *crash)
{
    snprintf(crash->directory, sizeof(crash->directory), "/tmp/hawser-crash-XXXXXX");
    if (mkdtemp(crash->directory) == NULL)
        fail("no directory");
    snprintf(crash->file, sizeof(crash->file), "%s/lun", crash->directory);
    snprintf(crash->socket, sizeof(crash->socket), "%s/disk", crash->directory);
    crash->file_fd = open(crash->file, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    crash->points = mmap(NULL, sizeof(*crash->points), PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (crash->file_fd < 0 || crash->points == MAP_FAILED)
        fail(crash->file);
}

static void tear_down(struct crash *crash)
{
    (void)close(crash->file_fd);
    (void)unlink(crash->file);
    (void)unlink(crash->socket);
    if (rmdir(crash->directory) < 0)
        fail(crash->directory);
}

/* --- the server --- */

static void serve(const struct sv_config *config)
{
    FILE *quiet = fopen("/dev/null", "w");
    struct hw_error error = { 0 };
    struct sv_server *server;
    int status = 99;

    if (sv_server_new(config, quiet, &server, &error) == 0) {
        status = sv_server_lock_in(server, &error) < 0 ? 98 : sv_server_run(server, &error);
        sv_server_free(server);
    } else {
        (void)fprintf(stderr, "# %s: %s\n", error.object, error.reason);
    }
    syscall(SYS_exit_group, status);
}

/* Writes are slow and the rest is not, so that requests end in another order than they came. */
static void configure(struct crash *crash)
{
    struct sv_config *config = &crash->config;
    struct sv_disk_config *disk = &config->disks[0];
    const bool first = crash->lives == 0;
    char url[256], kill[40] = "";

    memset(config, 0, sizeof(*config));
    config->disk_count = 1;
    config->feed_fd = -1;
    config->store_ms = 1500;
    config->uid = config->front_end_uid = geteuid();
    snprintf(disk->socket, sizeof(disk->socket), "%s", crash->socket);
    if (first && crash->kind != KIND_POINT)
        snprintf(kill, sizeof(kill), "%s:any:%u+", kind_names[crash->kind], crash->n);
    snprintf(url, sizeof(url), "file:%s?fault=%sdelay:write:*:1ms", crash->file, kill);
    if (sto_url_parse(url, &disk->url, NULL) < 0)
        fail(url);
    memset(crash->points, 0, sizeof(*crash->points));
    if (first && crash->kind == KIND_POINT)
        crash->points->at = crash->n;
    else if (crash->lives == 1 && crash->kind == KIND_POINT)
        crash->points->at = crash->n % AGAIN + 1;
}

static void start(struct crash *crash)
{
    configure(crash);
    (void)fflush(NULL);
    crash->child = fork();
    if (crash->child == 0) {
        crash_points_arm(crash->points);
        serve(&crash->config);
    }
    if (crash->child < 0)
        fail("fork");
    crash->lives++;
}

/* Killed: the next one. It never ends by itself. */
static void look_after(struct crash *crash)
{
    int status;

    if (waitpid(crash->child, &status, WNOHANG) != crash->child)
        return;
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        load_say(&crash->load, "life %u of the server ended by itself, status 0x%x", crash->lives,
                 (unsigned)status);
    load_check(&crash->load);
    start(crash);
}

/* --- one run --- */

static void play(struct crash *crash)
{
    struct load *load = &crash->load;
    const int64_t end_ms = hw_clock_now_ms(hw_clock_boottime()) + crash->round_ms;
    int status;

    if (ftruncate(crash->file_fd, 0) < 0 || ftruncate(crash->file_fd, LOAD_DISK_BYTES) < 0 ||
        load_begin(load, crash->file_fd) < 0)
        fail("a run cannot begin");
    crash->lives = 0;
    start(crash);
    while (!load_is_over(load) && load->wrong[0] == '\0') {
        (void)vh_drive_connect(load->drive, crash->socket); /* if it is not, and if it can be */
        load_go_on(load);
        (void)watch_loop_turn(&load->loop, 1);
        look_after(crash);
        if (hw_clock_now_ms(hw_clock_boottime()) > end_ms)
            load_say(load, "%u of %u requests are answered, and no more", load->answers,
                     (unsigned)LOAD_OPS);
    }
    load_check(load);
    (void)kill(crash->child, load->wrong[0] == '\0' ? SIGTERM : SIGKILL);
    if (waitpid(crash->child, &status, 0) != crash->child ||
        (status != 0 && load->wrong[0] == '\0'))
        load_say(load, "told to end, it ends with status 0x%x", (unsigned)status);
    load_end(load);
}

static bool run(struct crash *crash, enum kind kind, unsigned n)
{
    crash->kind = kind;
    crash->n = n;
    play(crash);
    if (crash->load.wrong[0] == '\0')
        return true;
    printf("# %s %u, life %u%s%s: %s\n", kind_names[kind], n, crash->lives,
           crash->points->last[0] != '\0' ? ", " : "", crash->points->last, crash->load.wrong);
    return false;
}

/* Every n until it is past the last. Returns how many killed; 0: something was wrong. */
static unsigned run_all(struct crash *crash, enum kind kind)
{
    for (unsigned n = 1; n < ROUNDS_MAX; n++) {
        if (!run(crash, kind, n)) {
            printf("# replay: tests/lab/crash --round %s %u\n", kind_names[kind], n);
            return 0;
        }
        if (crash->lives == 1)
            return n - 1;
    }
    printf("# %s: no end of it\n", kind_names[kind]);
    return 0;
}

static int test(struct crash *crash)
{
    int status = 0;

    printf("1..%d\n", KIND_COUNT);
    for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
        unsigned killed = run_all(crash, kind);

        /* each request is an operation, and passes eight points */
        const bool good = killed >= (kind == KIND_POINT ? 8 * LOAD_OPS : LOAD_OPS);

        printf("%sok %d - %s (%u)\n", good ? "" : "not ", kind + 1, kind_titles[kind], killed);
        status |= !good;
    }
    return status;
}

static int hunt(struct crash *crash)
{
    crash->round_ms = HUNT_MS;
    return run_all(crash, KIND_POINT) == 0 ? 0 : 1;
}

static int one(struct crash *crash, const char *kind, const char *n)
{
    for (enum kind i = 0; i < KIND_COUNT; i++)
        if (strcmp(kind, kind_names[i]) == 0)
            return run(crash, i, (unsigned)strtoul(n, NULL, 10)) ? 0 : 1;
    fprintf(stderr, "usage: crash [--hunt | --round kill|killafter|point N]\n");
    return 2;
}

int main(int argc, char **argv)
{
    static struct crash crash = { .round_ms = ROUND_MS };
    int status;

    (void)signal(SIGPIPE, SIG_IGN);
    set_up(&crash);
    if (argc == 4 && strcmp(argv[1], "--round") == 0)
        status = one(&crash, argv[2], argv[3]);
    else
        status = argc == 2 && strcmp(argv[1], "--hunt") == 0 ? hunt(&crash) : test(&crash);
    tear_down(&crash);
    return status;
}
