/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The proxy's commands, one a line on stdin; each is answered by an event line when it is in force.
 * C is a connection's number or "all"; DIR is "up" (to the target) or "down".
 *
 * hold DIR [OPCODE]: keep PDUs (from the first with that hexadecimal opcode on). release DIR: let
 * them go. delay DIR MS: each arrives so much later. cut C, fin C: reset or close both ends. detach
 * C: reset the client's end only and keep what it had sent back from the target. deliver C: now
 * give it.
 *
 * task N [COUNT]: the next COUNT answers to task management become response N. task lose [COUNT]:
 * they never arrive. task pass. attention N [CODE]: N unit attentions before each step (opcode and
 * service action). lose-pr-out SKIP: the answer to PERSISTENT RESERVE OUT number SKIP + 1 is lost
 * with its connection. seed N. show. count: how many PDUs with a write or its data came so far.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "proxy.h"

#define MAX_WORDS 4u

static void for_connections(struct proxy *proxy, const char *which,
                            void (*act)(struct px_connection *))
{
    unsigned number = (unsigned)strtoul(which, NULL, 10);
    bool all = strcmp(which, "all") == 0;

    for (unsigned i = 0; i < PX_CONNECTIONS; i++) {
        struct px_connection *connection = &proxy->connections[i];
        if (connection->number != 0 && (all || connection->number == number))
            act(connection);
    }
}

static void cut_one(struct px_connection *connection)
{
    px_connection_end(connection, true);
}

static void fin_one(struct px_connection *connection)
{
    px_connection_end(connection, false);
}

static void detach_one(struct px_connection *connection)
{
    px_connection_close_side(connection, PX_CLIENT, true);
    px_queue_clear(&connection->out[PX_CLIENT]);
    connection->detached = true;
    connection->blocked[PX_CLIENT] = true;
}

static void deliver_one(struct px_connection *connection)
{
    connection->blocked[PX_CLIENT] = false;
}

static enum px_side side_from(const char *direction)
{
    return strcmp(direction, "up") == 0 ? PX_CLIENT : PX_TARGET;
}

static int command_hold(struct proxy *proxy, char **words)
{
    struct px_rules *rules;

    if (words[1] == NULL)
        return -1;
    rules = &proxy->orders.rules[side_from(words[1])];
    if (words[2] == NULL) {
        rules->hold = true;
        return 0;
    }
    unsigned long opcode = strtoul(words[2], NULL, 16);
    if (opcode >= 64)
        return -1;
    rules->hold_ops |= UINT64_C(1) << opcode;
    return 0;
}

static int command_release(struct proxy *proxy, char **words)
{
    if (words[1] == NULL)
        return -1;
    enum px_side from = side_from(words[1]);
    proxy->orders.rules[from].hold = false;
    proxy->orders.rules[from].hold_ops = 0;
    for (unsigned i = 0; i < PX_CONNECTIONS; i++) {
        struct px_connection *connection = &proxy->connections[i];
        connection->blocked[from] = connection->detached && from == PX_CLIENT;
    }
    return 0;
}

static int command_delay(struct proxy *proxy, char **words)
{
    if (words[1] == NULL || words[2] == NULL)
        return -1;
    proxy->orders.rules[side_from(words[1])].delay_ms = strtoul(words[2], NULL, 10);
    return 0;
}

static int command_task(struct proxy *proxy, char **words)
{
    struct px_orders *orders = &proxy->orders;

    if (words[1] == NULL)
        return -1;
    orders->task_answers_left =
        words[2] != NULL ? (unsigned)strtoul(words[2], NULL, 10) : UINT32_MAX;
    if (strcmp(words[1], "pass") == 0)
        orders->task_answer = PX_TASK_PASS;
    else if (strcmp(words[1], "lose") == 0)
        orders->task_answer = PX_TASK_LOSE;
    else if (strcmp(words[1], "fake") == 0)
        orders->task_answer = PX_TASK_FAKE;
    else
        orders->task_answer = (int)(strtoul(words[1], NULL, 10) & 0xff);
    return 0;
}

static int command_attention(struct proxy *proxy, char **words)
{
    if (words[1] == NULL)
        return -1;
    proxy->orders.attentions = (unsigned)strtoul(words[1], NULL, 10);
    proxy->orders.attention_code =
        words[2] != NULL ? (unsigned)strtoul(words[2], NULL, 16) & 0xffff : 0;
    return 0;
}

static int command_lose(struct proxy *proxy, char **words)
{
    if (words[1] == NULL)
        return -1;
    proxy->orders.pr_out_skip = (unsigned)strtoul(words[1], NULL, 10);
    proxy->orders.pr_out_lose = 1;
    return 0;
}

static int command_seed(struct proxy *proxy, char **words)
{
    if (words[1] == NULL)
        return -1;
    proxy->orders.random = strtoull(words[1], NULL, 10);
    return 0;
}

static int command_show(struct proxy *proxy, char **words)
{
    (void)words;
    for (unsigned i = 0; i < PX_CONNECTIONS; i++) {
        const struct px_connection *connection = &proxy->connections[i];
        unsigned waiting = 0;
        for (const struct px_pdu *pdu = connection->out[PX_TARGET].first; pdu; pdu = pdu->next)
            waiting++;
        if (connection->number != 0)
            printf("{\"event\":\"connection\",\"connection\":%u,\"detached\":%s,"
                   "\"up_waiting\":%u,\"injected\":%" PRIu32 "}\n",
                   connection->number, connection->detached ? "true" : "false", waiting,
                   connection->added_answers);
    }
    return 0;
}

static int command_count(struct proxy *proxy, char **words)
{
    (void)words;
    printf("{\"event\":\"count\",\"writes\":%" PRIu64 "}\n", proxy->writes);
    return 0;
}

static int command_on_connections(struct proxy *proxy, char **words)
{
    static const struct {
        const char *verb;
        void (*act)(struct px_connection *);
    } acts[] = {
        { "cut", cut_one }, { "fin", fin_one }, { "detach", detach_one }, { "deliver", deliver_one }
    };

    if (words[1] == NULL)
        return -1;
    for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
        if (strcmp(words[0], acts[i].verb) == 0)
            for_connections(proxy, words[1], acts[i].act);
    }
    return 0;
}

void px_obey(struct proxy *proxy, char *line)
{
    static const struct {
        const char *verb;
        int (*obey)(struct proxy *, char **);
    } commands[] = {
        { "hold", command_hold },
        { "release", command_release },
        { "delay", command_delay },
        { "task", command_task },
        { "attention", command_attention },
        { "lose-pr-out", command_lose },
        { "seed", command_seed },
        { "show", command_show },
        { "count", command_count },
        { "cut", command_on_connections },
        { "fin", command_on_connections },
        { "detach", command_on_connections },
        { "deliver", command_on_connections },
    };
    char *words[MAX_WORDS + 1] = { NULL }, *save = NULL;
    unsigned count = 0;
    int rc = -1;

    for (char *word = strtok_r(line, " \t", &save); word != NULL && count < MAX_WORDS;
         word = strtok_r(NULL, " \t", &save))
        words[count++] = word;
    if (count == 0)
        return;
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(words[0], commands[i].verb) == 0)
            rc = commands[i].obey(proxy, words);
    }
    printf("{\"event\":\"%s\",\"command\":\"%s\"}\n", rc == 0 ? "done" : "refused", words[0]);
}
