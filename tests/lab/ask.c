/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ask SOCKET ORDER: one line of JSON to a control socket of hawser-lun, and its answer, the first
 * line that is no event, to standard output. Exit status 1: it was refused; 2: nobody answers.
 */
#include <config.h>

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static FILE *connect_to(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
        return NULL;
    memcpy(address.sun_path, path, strlen(path));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        return NULL;
    return fdopen(fd, "r+");
}

int main(int argc, char **argv)
{
    FILE *control = argc == 3 ? connect_to(argv[1]) : NULL;
    char line[65536];

    if (control == NULL)
        return 2;
    (void)fprintf(control, "%s\n", argv[2]);
    (void)fflush(control);
    while (fgets(line, sizeof(line), control) != NULL) {
        json_t *answer = json_loads(line, 0, NULL);
        const bool told = json_object_get(answer, "event") != NULL;
        const bool refused = json_object_get(answer, "error") != NULL;

        json_decref(answer);
        if (told)
            continue;
        (void)fputs(line, stdout);
        return refused ? 1 : 0;
    }
    return 2;
}
