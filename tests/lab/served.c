/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A LUN's owner for the lab, like owner.c, with hawser-lun in the place of the library: it starts
 * one, is its front end and its cluster daemon, and says the same events and obeys the same words.
 * Besides: kill | restart | order JSON | stop | cont (of hawser-lun); feed on | feed off.
 * (over 400: one program, whose parts share its state).
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/hw_clock.h"
#include "common/hw_feed.h"
#include "lab_words.h"
#include "storage/vhost/vh_drive.h"

enum { WATCHED = 8, ARGUMENTS = 40, PATH_BYTES = 100, QUEUE_SIZE = 64, RETRY_MS = 20 };
enum { FEED_EVERY_MS = 50 };
enum { META_END_BYTES = 2 * 1024 * 1024, DISK_BYTES = 1024 * 1024 };

struct options {
    const char *url, *cluster, *initiator, *mutation, *deadman, *store;
    unsigned node;
    uint32_t generation;
    bool record, claim, no_sandbox;
};

struct served {
    struct options options;
    const char *program; /* this one: hawser-lun is found from it */
    char directory[PATH_BYTES / 2];
    char disk_path[PATH_BYTES], control_path[PATH_BYTES], feed_path[PATH_BYTES];
    pid_t child;
    int child_status;
    int control; /* -1: not connected */
    int feed;    /* likewise */
    bool feeds;
    int64_t fed_ns;
    size_t line_have;
    char line[8192];
    struct vh_drive *drive;
    bool drive_up;
    uint32_t owned_generation; /* "owned" is to be said of this; 0: nothing is */
    struct pollfd watched[WATCHED];
    unsigned watched_count;
    int memory_fd;
    struct lab_guest guest;
    struct vh_drive_op ops[2 * LAB_GUEST_DEPTH];
    bool ended;
    int status;
};

static void end(struct served *served, int status)
{
    served->ended = true;
    served->status = status;
}

/* --- hawser-lun --- */

static void find_program(const struct served *served, char path[PATH_BYTES * 4])
{
    const char *slash = strrchr(served->program, '/');
    const char *given = getenv("LAB_HAWSER_LUN");

    if (given != NULL)
        (void)snprintf(path, PATH_BYTES * 4, "%s", given);
    else if (served->options.mutation != NULL)
        (void)snprintf(path, PATH_BYTES * 4, "%.*s/hawser-lun-%s", (int)(slash - served->program),
                       served->program, served->options.mutation);
    else
        (void)snprintf(path, PATH_BYTES * 4, "%.*s/../../storage/serve/hawser-lun",
                       (int)(slash - served->program), served->program);
}

static void exec_child(struct served *served)
{
    const struct options *options = &served->options;
    char path[PATH_BYTES * 4], lun[1024], node[16], generation[16], control[PATH_BYTES + 8];
    char feed[PATH_BYTES + 8];
    char *arguments[ARGUMENTS];
    unsigned count = 0;

    find_program(served, path);
    (void)snprintf(lun, sizeof(lun), "%s#disk,socket=%s", options->url, served->disk_path);
    (void)snprintf(node, sizeof(node), "%u", options->node);
    (void)snprintf(generation, sizeof(generation), "%" PRIu32, options->generation);
    (void)snprintf(control, sizeof(control), "unix:%s", served->control_path);
    (void)snprintf(feed, sizeof(feed), "unix:%s", served->feed_path);
#define ADD(word) arguments[count++] = (char *)(uintptr_t)(word)
    ADD("hawser-lun");
    ADD("--lun"), ADD(lun), ADD("--control"), ADD(control), ADD("--cluster"), ADD(options->cluster),
        ADD("--node"), ADD(node), ADD("--generation"), ADD(generation);
    if (!options->claim)
        ADD("--takeover");
    if (options->initiator != NULL)
        ADD("--initiator"), ADD(options->initiator);
    if (options->deadman != NULL)
        ADD("--feed"), ADD(feed), ADD("--deadman-ms"), ADD(options->deadman);
    if (options->store != NULL)
        ADD("--lease"), ADD("storage"), ADD("--store-ms"), ADD(options->store);
    if (options->no_sandbox)
        ADD("--no-sandbox");
    else
        ADD("--front-end-uid"), ADD("0");
    ADD("--die-with-parent");
    ADD(NULL);
#undef ADD
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)dup2(STDERR_FILENO, STDOUT_FILENO); /* our own events stand there */
    (void)execv(path, arguments);
    (void)fprintf(stderr, "served: %s: %s\n", path, strerror(errno));
    _exit(127);
}

static void start_child(struct served *served)
{
    served->child = fork();
    if (served->child == 0)
        exec_child(served);
    lab_say("started", ", \"pid\": %d", (int)served->child);
}

static void reap(struct served *served)
{
    int status;

    if (served->child <= 0 || waitpid(served->child, &status, WNOHANG) != served->child)
        return;
    served->child = 0;
    served->child_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    lab_say("server-ended", ", \"server-status\": %d", served->child_status);
}

/* --- its events --- */

static const char *word(const json_t *event, const char *name)
{
    const char *text = json_string_value(json_object_get(event, name));

    return text == NULL ? "" : text;
}

/* Said when the disk is there, too: what follows it are words for the guest. */
static void owned(struct served *served, uint32_t generation)
{
    if (served->guest.generation == 0)
        served->guest.generation = generation;
    if (served->drive_up)
        lab_say("owned", ", \"generation\": %" PRIu32, generation);
    else
        served->owned_generation = generation;
}

static void owner_event(struct served *served, const char *name, const json_t *event)
{
    const char *reason = word(event, "reason");
    const json_int_t generation = json_integer_value(json_object_get(event, "generation"));
    const bool not_proven = strcmp(reason, "NOT_PROVEN") == 0;

    if (strcmp(name, "owned") == 0) {
        owned(served, (uint32_t)generation);
        return;
    }
    lab_say(not_proven && strcmp(name, "suspended") != 0 ? "not-proven" : name,
            ", \"reason\": \"%s\", \"key\": \"%s\", \"detail\": \"%s\", \"generation\": "
            "%" JSON_INTEGER_FORMAT,
            reason, word(event, "key"), word(event, "detail"), generation);
    if (strcmp(name, "refused") == 0)
        end(served, not_proven ? 5 : 3);
    if (strcmp(name, "left") == 0 && strcmp(reason, "released") == 0)
        end(served, 0);
}

/* What happened before we asked for events, out of the answer to that. */
static void missed(struct served *served, const json_t *status)
{
    const json_t *lun = json_array_get(json_object_get(status, "luns"), 0);

    if (json_is_true(json_object_get(lun, "owned")))
        owned(served, (uint32_t)json_integer_value(json_object_get(lun, "generation")));
    if (json_object_get(status, "refused") != NULL)
        owner_event(served, "refused", json_object_get(status, "refused"));
}

static void control_line(struct served *served, const char *line)
{
    static const char *const owners[] = { "owned", "refused", "lost",     "handed",
                                          "left",  "held-up", "suspended" };
    json_t *event = json_loads(line, 0, NULL);
    const char *name = word(event, "event");

    for (unsigned i = 0; i < sizeof(owners) / sizeof(owners[0]); i++)
        if (strcmp(name, owners[i]) == 0)
            owner_event(served, name, event);
    if (strcmp(name, "gate") == 0)
        lab_say("gate", ", \"gate\": \"%s\", \"reason\": \"%s\"", word(event, "gate"),
                word(event, "reason"));
    if (json_object_get(event, "ok") != NULL)
        lab_say("answer", ", \"answer\": %s", line);
    if (json_object_get(event, "ok") != NULL && served->guest.generation == 0)
        missed(served, event);
    json_decref(event);
}

static void read_control(struct served *served)
{
    ssize_t got = recv(served->control, served->line + served->line_have,
                       sizeof(served->line) - 1 - served->line_have, MSG_DONTWAIT);
    char *newline;

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        (void)close(served->control);
        served->control = -1;
        served->line_have = 0;
        return;
    }
    served->line_have += (size_t)got;
    served->line[served->line_have] = '\0';
    while ((newline = strchr(served->line, '\n')) != NULL) {
        *newline = '\0';
        control_line(served, served->line);
        served->line_have -= (size_t)(newline + 1 - served->line);
        memmove(served->line, newline + 1, served->line_have + 1);
    }
}

static void order(struct served *served, const char *text)
{
    char line[512];
    int length = snprintf(line, sizeof(line), "%s\n", text);

    if (served->control < 0 || send(served->control, line, (size_t)length, MSG_NOSIGNAL) != length)
        lab_say("usage", ", \"reason\": \"hawser-lun is not there\"");
}

/* A connected socket, or -1. */
static int connect_to(const char *path, int type)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

static void connect_control(struct served *served)
{
    served->control = connect_to(served->control_path, SOCK_STREAM);
    if (served->control >= 0)
        order(served, "{\"command\": \"events\"}");
}

/* --- its feeds --- */

static void feed(struct served *served)
{
    const int64_t now_ns = hw_clock_now_ns(hw_clock_boottime());
    const struct hw_feed packet = { .generation = served->options.generation,
                                    .sent_ns = now_ns,
                                    .term = 1 };
    uint8_t bytes[HW_FEED_BYTES];

    if (!served->feeds || now_ns - served->fed_ns < (int64_t)FEED_EVERY_MS * 1000000)
        return;
    served->fed_ns = now_ns;
    hw_feed_encode(&packet, bytes);
    if (served->feed < 0)
        served->feed = connect_to(served->feed_path, SOCK_SEQPACKET | SOCK_NONBLOCK);
    if (served->feed >= 0 && send(served->feed, bytes, sizeof(bytes), MSG_NOSIGNAL) < 0 &&
        errno != EAGAIN) {
        (void)close(served->feed);
        served->feed = -1;
    }
}

/* --- the guest's disk: vhost-user --- */

static void watch(void *context, int fd, short events)
{
    struct served *served = context;
    unsigned i = 0;

    while (i < served->watched_count && served->watched[i].fd != fd)
        i++;
    if (events == 0 && i < served->watched_count)
        served->watched[i] = served->watched[--served->watched_count];
    else if (events != 0 && i < WATCHED)
        served->watched[i] = (struct pollfd) { .fd = fd, .events = events };
    if (events != 0 && i == served->watched_count && i < WATCHED)
        served->watched_count++;
}

static void drive_state(void *context, bool up, const char *text)
{
    struct served *served = context;

    served->drive_up = up;
    if (up && served->owned_generation != 0) {
        lab_say("owned", ", \"generation\": %" PRIu32, served->owned_generation);
        served->owned_generation = 0;
    }
    (void)fprintf(stderr, "served: disk %s %s\n", up ? "up" : "down", text);
}

static void disk_window(void *context, uint64_t *ret_offset, uint64_t *ret_bytes)
{
    const struct served *served = context;

    *ret_offset = META_END_BYTES;
    *ret_bytes = vh_drive_sectors(served->drive) * 512;
    if (*ret_bytes > DISK_BYTES)
        *ret_bytes = DISK_BYTES;
}

static void op_done(struct vh_drive_op *op, enum vh_blk_status status)
{
    lab_guest_done(op->context, status == VH_BLK_OK, "error");
}

static int disk_submit(void *context, struct lab_guest_request *one, enum sto_op_kind kind,
                       uint64_t offset_bytes)
{
    struct served *served = context;
    struct vh_drive_op *op =
        &served->ops[(one->buffer - served->guest.disk.memory) / LAB_GUEST_RUN_BYTES];

    *op = (struct vh_drive_op) { .type = kind == STO_OP_WRITE  ? VH_BLK_OUT
                                         : kind == STO_OP_READ ? VH_BLK_IN
                                                               : VH_BLK_FLUSH,
                                 .sector = offset_bytes / 512,
                                 .iov = &one->iov,
                                 .iov_count = kind == STO_OP_FLUSH ? 0 : 1,
                                 .done = op_done,
                                 .context = one };
    return vh_drive_submit(served->drive, op);
}

static bool make_disk(struct served *served)
{
    const struct vh_drive_callbacks callbacks = { .watch = watch,
                                                  .state = drive_state,
                                                  .context = served };
    struct lab_guest_disk disk = { .window = disk_window,
                                   .submit = disk_submit,
                                   .context = served };
    struct vh_drive_region region = { .bytes = LAB_GUEST_MEMORY_BYTES };

    region.fd = memfd_create("guest", MFD_CLOEXEC);
    if (region.fd < 0 || ftruncate(region.fd, LAB_GUEST_MEMORY_BYTES) < 0)
        return false;
    region.address =
        mmap(NULL, LAB_GUEST_MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, region.fd, 0);
    if (region.address == MAP_FAILED ||
        vh_drive_new(QUEUE_SIZE, &region, 1, &callbacks, &served->drive) < 0)
        return false;
    disk.memory = region.address;
    lab_guest_init(&served->guest, &disk, (uint16_t)served->options.node, lab_say_guest, NULL);
    return true;
}

/* --- words --- */

/* Of standard input; its end is "quit". */
static void obey(void *context, const char *line)
{
    struct served *served = context;
    unsigned node = 0;
    char text[64];

    if (strcmp(line, "quit") == 0)
        end(served, 0);
    else if (strcmp(line, "release") == 0)
        order(served, "{\"command\": \"release\"}");
    else if (strcmp(line, "kill") == 0 && served->child > 0)
        (void)kill(served->child, SIGKILL);
    else if (strcmp(line, "stop") == 0 && served->child > 0)
        (void)kill(served->child, SIGSTOP);
    else if (strcmp(line, "cont") == 0 && served->child > 0)
        (void)kill(served->child, SIGCONT);
    else if (strcmp(line, "feed on") == 0)
        served->feeds = true;
    else if (strcmp(line, "feed off") == 0) {
        served->feeds = false;
        lab_say("starved", ", \"feeds\": 0");
    } else if (strcmp(line, "restart") == 0 && served->child == 0)
        start_child(served);
    else if (strncmp(line, "order ", 6) == 0)
        order(served, line + 6);
    else if (strcmp(line, "handover") == 0 || sscanf(line, "handover %u", &node) == 1) {
        (void)snprintf(text, sizeof(text), "{\"command\": \"hand-over\", \"node\": %u}", node);
        order(served, text);
    } else if (!lab_words_for_guest(&served->guest, line))
        lab_say("usage", ", \"reason\": \"unknown command\"");
}

/* What is not there yet is tried again: hawser-lun is starting, or was killed. */
static void connect_all(struct served *served)
{
    if (served->child == 0)
        return;
    if (served->control < 0)
        connect_control(served);
    if (!served->drive_up)
        (void)vh_drive_connect(served->drive, served->disk_path);
}

static void loop(struct served *served)
{
    struct lab_words words = { .fill = 0 };

    while (!served->ended) {
        struct pollfd fds[WATCHED + 2];
        unsigned count = served->watched_count;
        bool waits = served->child > 0 && (served->control < 0 || !served->drive_up);

        memcpy(fds, served->watched, count * sizeof(fds[0]));
        fds[count] = (struct pollfd) { .fd = STDIN_FILENO, .events = POLLIN };
        fds[count + 1] = (struct pollfd) { .fd = served->control, .events = POLLIN };
        (void)poll(fds, count + 2, waits ? RETRY_MS : served->feeds ? FEED_EVERY_MS : 1000);
        feed(served);
        for (unsigned i = 0; i < count; i++)
            if (fds[i].revents != 0)
                vh_drive_service(served->drive, fds[i].fd, fds[i].revents);
        if (served->control >= 0 && fds[count + 1].revents != 0)
            read_control(served);
        if (fds[count].revents != 0 && !lab_words_read(&words, obey, served))
            end(served, 0);
        reap(served);
        connect_all(served);
    }
}

static const struct option long_options[] = {
    { "lun", required_argument, NULL, 'l' },
    { "cluster", required_argument, NULL, 'c' },
    { "node", required_argument, NULL, 'n' },
    { "generation", required_argument, NULL, 'g' },
    { "initiator", required_argument, NULL, 'i' },
    { "mutation", required_argument, NULL, 'm' },
    { "deadman-ms", required_argument, NULL, 'd' },
    { "store-ms", required_argument, NULL, 's' },
    { "barrier-ms", required_argument, NULL, 'b' },
    { "barrier-attempts", required_argument, NULL, 'b' },
    { "record", no_argument, NULL, 'r' },
    { "claim", no_argument, NULL, 'C' },
    { "no-sandbox", no_argument, NULL, 'S' },
    { NULL, 0, NULL, 0 },
};

static bool parse(int argc, char **argv, struct options *options)
{
    int letter;

    while ((letter = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        switch (letter) {
        case 'l':
            options->url = optarg;
            break;
        case 'c':
            options->cluster = optarg;
            break;
        case 'n':
            options->node = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'g':
            options->generation = (uint32_t)strtoul(optarg, NULL, 10);
            break;
        case 'i':
            options->initiator = optarg;
            break;
        case 'm':
            options->mutation = optarg;
            break;
        case 'd':
            options->deadman = optarg;
            break;
        case 's':
            options->store = optarg;
            break;
        case 'b':
            break; /* hawser-lun goes on until it is told to stop */
        case 'r':
            options->record = true;
            break;
        case 'C':
            options->claim = true;
            break;
        case 'S':
            options->no_sandbox = true;
            break;
        default:
            return false;
        }
    }
    return options->url != NULL && options->cluster != NULL && options->node != 0 &&
           options->generation != 0 && options->record;
}

int main(int argc, char **argv)
{
    struct served *served = calloc(1, sizeof(*served));
    char base[PATH_BYTES];

    if (served == NULL)
        return 1;
    served->program = argv[0];
    served->control = served->feed = -1;
    served->status = 1;
    if (!parse(argc, argv, &served->options)) {
        (void)fprintf(stderr, "usage: served --lun URL --cluster UUID --node N --generation G "
                              "--record [--initiator NAME] [--claim] [--mutation NAME] "
                              "[--deadman-ms N | --store-ms N] [--no-sandbox]\n");
        return 2;
    }
    if (getcwd(base, sizeof(base)) == NULL) /* the lab's, which ends with it */
        return 1;
    (void)snprintf(served->directory, sizeof(served->directory), "%.30s/served-XXXXXX", base);
    if (mkdtemp(served->directory) == NULL || !make_disk(served))
        return 1;
    (void)snprintf(served->disk_path, PATH_BYTES, "%s/disk", served->directory);
    (void)snprintf(served->control_path, PATH_BYTES, "%s/control", served->directory);
    (void)snprintf(served->feed_path, PATH_BYTES, "%s/feed", served->directory);
    served->feeds = served->options.deadman != NULL;
    (void)fcntl(STDIN_FILENO, F_SETFL, fcntl(STDIN_FILENO, F_GETFL) | O_NONBLOCK);
    start_child(served);
    loop(served);
    if (served->child > 0) {
        (void)kill(served->child, SIGKILL);
        (void)waitpid(served->child, NULL, 0);
    }
    vh_drive_free(served->drive);
    (void)unlink(served->disk_path);
    (void)unlink(served->control_path);
    (void)unlink(served->feed_path);
    (void)rmdir(served->directory);
    return served->status;
}
