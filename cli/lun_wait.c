/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One thread a wait: what blocks may sit in a library that has no loop to hang a timer into.
 */
#include "config.h"

#include "cli/lun_wait.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/hw_clock.h"

enum { REPEAT_MS = 10000 };

static void *tell(void *context)
{
    struct cli_wait *wait = context;
    struct pollfd fd = { .fd = wait->stop_fd, .events = POLLIN };

    if (poll(&fd, 1, (int)wait->after_ms) == 0) {
        (void)fputs(wait->line, wait->err);
        (void)fflush(wait->err);
    }
    return NULL;
}

void cli_wait_begin(struct cli_wait *wait, FILE *err, const char *object, const char *what,
                    int64_t after_ms, int64_t most_ms)
{
    sigset_t all, before;

    memset(wait, 0, sizeof(*wait));
    if (err == NULL || after_ms >= most_ms)
        return;
    wait->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (wait->stop_fd < 0)
        return;
    wait->err = err;
    wait->after_ms = after_ms;
    (void)snprintf(wait->line, sizeof(wait->line),
                   "%s: waits for %s, at most %" PRId64 " s; Ctrl-C ends it\n", object, what,
                   (most_ms + 999) / 1000);
    /* signals are the main thread's */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    wait->started = pthread_create(&wait->thread, NULL, tell, wait) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!wait->started)
        (void)close(wait->stop_fd);
}

void cli_wait_end(struct cli_wait *wait)
{
    if (!wait->started)
        return;
    (void)eventfd_write(wait->stop_fd, 1);
    (void)pthread_join(wait->thread, NULL);
    (void)close(wait->stop_fd);
    wait->started = false;
}

bool cli_said_lately(struct cli_said *said, const char *text)
{
    const int64_t now_ms = hw_clock_now_ms(hw_clock_boottime());
    char cut[sizeof(said->text)];

    (void)snprintf(cut, sizeof(cut), "%s", text);
    if (strcmp(cut, said->text) == 0 && now_ms - said->at_ms < REPEAT_MS)
        return true;
    memcpy(said->text, cut, sizeof(cut));
    said->at_ms = now_ms;
    return false;
}
