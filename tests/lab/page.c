/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * page SOCKET COUNT: is the shared page of a hawser-lun as new as what it answers? Asks the control
 * socket for the page, then for its status again and again until COUNT confirmations of its LUNs
 * were seen. Exit status 1: the page was behind what the status before it said; 2: something else.
 */
#include <config.h>

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "storage/serve/sv_page.h"

static int connect_to(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
        return -1;
    memcpy(address.sun_path, path, strlen(path));
    return connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -1 : fd;
}

/* The descriptor that comes with the answer, or -1. */
static int ask_page(int control)
{
    static const char order[] = "{\"command\":\"page\"}\n";
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } rights;
    char answer[256];
    struct iovec iov = { answer, sizeof(answer) };
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &rights, .msg_controllen = sizeof(rights)
    };
    int fd;

    if (send(control, order, sizeof(order) - 1, 0) != (ssize_t)sizeof(order) - 1 ||
        recvmsg(control, &message, MSG_CMSG_CLOEXEC) <= 0 || CMSG_FIRSTHDR(&message) == NULL)
        return -1;
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
    return fd;
}

/* When the LUN confirmed longest ago was, by the answer; -1: it says nothing. */
static int64_t ask_status(FILE *control)
{
    char line[65536];
    int64_t oldest_ns = -1;
    json_t *status, *lun;
    size_t i;

    (void)fputs("{\"command\":\"status\"}\n", control);
    (void)fflush(control);
    if (fgets(line, sizeof(line), control) == NULL)
        return -1;
    status = json_loads(line, 0, NULL);
    json_array_foreach(json_object_get(status, "luns"), i, lun)
    {
        int64_t at_ns = json_integer_value(json_object_get(lun, "confirmed-ns"));

        oldest_ns = oldest_ns < 0 || at_ns < oldest_ns ? at_ns : oldest_ns;
    }
    json_decref(status);
    return oldest_ns;
}

static int watch(FILE *control, const void *page, unsigned long wanted)
{
    struct sv_page_view view;
    int64_t last_ns = 0;

    for (unsigned long seen = 0; seen < wanted;) {
        int64_t said_ns = ask_status(control);

        if (said_ns <= 0 || !sv_page_read(page, &view))
            return 2;
        if (view.confirmed_ns < said_ns) {
            (void)printf("%" PRId64 " ms behind\n", (said_ns - view.confirmed_ns) / 1000000);
            return 1;
        }
        seen += said_ns != last_ns;
        last_ns = said_ns;
        (void)usleep(1000);
    }
    return 0;
}

int main(int argc, char **argv)
{
    int control = argc == 3 ? connect_to(argv[1]) : -1;
    int fd = control < 0 ? -1 : ask_page(control);
    const void *page;

    if (fd < 0 || sv_page_map(fd, &page) < 0)
        return 2;
    return watch(fdopen(control, "r+"), page, strtoul(argv[2], NULL, 10));
}
