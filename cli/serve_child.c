/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The program stands beside this one in the tree that it was built in, and in sbin where it was
 * installed.
 */
#include "config.h"

#include "cli/serve_child.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef HAWSER_SBINDIR /* the Makefile says where programs of root are installed */
#define HAWSER_SBINDIR "/usr/sbin"
#endif

static int name_path(const char *directory, const char *name, char path[CLI_SERVE_PATH_BYTES])
{
    int bytes = snprintf(path, CLI_SERVE_PATH_BYTES, "%s/%s", directory, name);

    return bytes < 0 || bytes >= CLI_SERVE_PATH_BYTES ? -ENAMETOOLONG : 0;
}

int cli_serve_name_paths(const char *directory, struct cli_serve_paths *ret_paths)
{
    if (strlen(directory) >= sizeof(ret_paths->directory) || strchr(directory, ',') != NULL)
        return -ENAMETOOLONG;
    memcpy(ret_paths->directory, directory, strlen(directory) + 1);
    if (name_path(directory, "disk", ret_paths->disk) < 0 ||
        name_path(directory, "state", ret_paths->state) < 0 ||
        name_path(directory, "control", ret_paths->control) < 0)
        return -ENAMETOOLONG;
    return 0;
}

static void add(struct cli_serve_command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add(struct cli_serve_command *command, const char *format, ...)
{
    const size_t left = sizeof(command->text) - command->used;
    va_list arguments;
    int bytes;

    va_start(arguments, format);
    bytes = vsnprintf(command->text + command->used, left, format, arguments);
    va_end(arguments);
    if (bytes < 0 || (size_t)bytes >= left || command->count + 1 >= CLI_SERVE_WORDS) {
        command->full = true;
        return;
    }
    command->words[command->count++] = command->text + command->used;
    command->used += (size_t)bytes + 1;
}

/* URL#area,secret-file=..,socket=PATH */
static void add_disk(struct cli_serve_command *command, const struct cli_serve_wish *wish,
                     enum sto_area area, const char *socket)
{
    struct sto_url url = wish->url;
    char text[STO_URL_BYTES];

    if (wish->layout)
        url.area = area;
    if (sto_url_print(&url, text, sizeof(text)) < 0)
        command->full = true;
    else if (url.secret_file[0] != '\0')
        add(command, "%s,secret-file=%s,socket=%s", text, url.secret_file, socket);
    else
        add(command, "%s,socket=%s", text, socket);
}

static void find_program(char path[4096])
{
    static const char beside[] = "/../storage/serve/hawser-lun";
    ssize_t bytes = readlink("/proc/self/exe", path, 4096 - sizeof(beside));
    char *slash;

    path[bytes > 0 ? bytes : 0] = '\0';
    slash = strrchr(path, '/');
    if (slash != NULL) {
        memcpy(slash, beside, sizeof(beside));
        if (access(path, X_OK) == 0)
            return;
    }
    (void)snprintf(path, 4096, "%s/hawser-lun", HAWSER_SBINDIR);
}

int cli_serve_command(const struct cli_serve_wish *wish, const struct cli_serve_paths *paths,
                      struct cli_serve_command *ret_command)
{
    struct cli_serve_command *command = ret_command;

    memset(command, 0, sizeof(*command));
    find_program(command->program);
    add(command, "hawser-lun");
    add(command, "--lun"), add_disk(command, wish, STO_AREA_DISK, paths->disk);
    if (wish->layout)
        add(command, "--state"), add_disk(command, wish, STO_AREA_STATE, paths->state);
    add(command, "--control"), add(command, "unix:%s", paths->control);
    if (wish->owned) {
        add(command, "--cluster"), add(command, "%s", wish->cluster);
        add(command, "--node"), add(command, "%u", wish->identity.node);
        add(command, "--generation"), add(command, "%" PRIu32, wish->identity.generation);
        if (wish->takeover)
            add(command, "--takeover");
    }
    if (wish->discard_state)
        add(command, "--discard-state");
    add(command, "--die-with-parent");
    if (wish->initiator != NULL)
        add(command, "--initiator"), add(command, "%s", wish->initiator);
    if (wish->sandbox)
        add(command, "--front-end-uid"), add(command, "%u", (unsigned)wish->front_end_uid);
    else
        add(command, "--no-sandbox");
    command->words[command->count] = NULL;
    return command->full ? -ENAMETOOLONG : 0;
}

pid_t cli_serve_start(const struct cli_serve_command *command)
{
    const pid_t parent = getpid();
    pid_t pid = fork();
    sigset_t none;
    int null_fd;

    if (pid != 0)
        return pid < 0 ? -errno : pid;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    /* no server without somebody to start it again; it sets this once more for itself */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
        _exit(127);
    (void)setpgid(0, 0); /* Ctrl-C is ours to pass on, in order */
    null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null_fd >= 0) {
        (void)dup2(null_fd, STDIN_FILENO);
        (void)dup2(null_fd, STDOUT_FILENO);
    }
    (void)execv(command->program, command->words);
    (void)fprintf(stderr, "hawser: %s: cannot be started: %s; install hawser-lun\n",
                  command->program, strerror(errno));
    (void)fflush(stderr);
    _exit(127);
}

int cli_serve_connect(const struct cli_serve_paths *paths, pid_t child)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct ucred peer;
    socklen_t bytes = sizeof(peer);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;

    if (fd < 0)
        return -errno;
    memcpy(address.sun_path, paths->control, strlen(paths->control) + 1);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) < 0)
        rc = -errno;
    else if (peer.pid == child)
        return fd;
    else
        rc = -EPERM;
    (void)close(fd);
    return rc;
}
