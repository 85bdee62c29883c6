/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The three nexuses of a target under test, see seq_port.h. */
#include "config.h"

#include "tests/lab/seq_port.h"

#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "storage/sto_model_lun.h"
#include "storage/sto_url.h"

enum { PORT_MODEL_BLOCKS = 64, PORT_LATENCY_NS = 1000, PORT_TIMEOUT_MS = 20000 };

struct seq_port {
    struct sto_lun *luns[SEQ_NEXUSES];
    /* the models only */
    struct sto_model *model;
    struct sto_model_net *net;
    struct hw_prng prng;
    struct hw_clock clock;
    int64_t now_ns;
};

static int64_t port_now_ns(void *context)
{
    return ((const struct seq_port *)context)->now_ns;
}

static int64_t takes_ns(void *context, const uint8_t cdb[16], bool reset)
{
    (void)context;
    (void)cdb;
    (void)reset;
    return PORT_LATENCY_NS;
}

static bool open_model(struct seq_port *port, enum seq_target target)
{
    struct sto_model_config model = { .blocks = PORT_MODEL_BLOCKS };
    struct sto_model_net_config net = { .clock = &port->clock,
                                        .prng = &port->prng,
                                        .takes_ns = takes_ns,
                                        .context = port,
                                        .latency_ns = PORT_LATENCY_NS };

    model.quirks.persists = target != SEQ_MODEL_AS_TGTD;
    model.quirks.by_session = target == SEQ_MODEL_AS_TGTD;
    model.quirks.unregister_uncounted = target == SEQ_MODEL_AS_LIO;
    model.quirks.hides_capacity = target == SEQ_MODEL_AS_LIO;
    model.quirks.names_reset = target == SEQ_MODEL_AS_LIO;
    port->prng = hw_prng_seeded(1);
    port->now_ns = 1;
    port->clock = (struct hw_clock) { .now_ns = port_now_ns, .context = port };
    port->model = sto_model_new(&model);
    net.model = port->model;
    if (port->model == NULL)
        return false;
    port->net = sto_model_net_new(&net);
    for (unsigned i = 0; i < SEQ_NEXUSES && port->net != NULL; i++)
        port->luns[i] = sto_model_lun_new(port->net, (i + 1) * 16);
    return port->luns[SEQ_NEXUSES - 1] != NULL;
}

static bool open_url(struct seq_port *port, const char *text)
{
    struct sto_url url;
    struct hw_error error = { 0 };
    bool good = sto_url_parse(text, &url, &error) == 0;

    for (unsigned i = 0; i < SEQ_NEXUSES && good; i++) {
        char name[64];
        struct sto_lun_options options = { .initiator = name, .node = i + 1, .connect_ms = 10000 };

        (void)snprintf(name, sizeof(name), "iqn.2026-11.hawser.sequences:n%u", i + 1);
        good = sto_lun_open(&url, &options, &port->luns[i], &error) == 0;
    }
    return good;
}

struct seq_port *seq_port_open(enum seq_target target, const char *url)
{
    struct seq_port *port = calloc(1, sizeof(*port));
    bool good = port != NULL && (url == NULL ? open_model(port, target) : open_url(port, url));

    if (!good) {
        fprintf(stderr, "%s cannot be opened\n", url == NULL ? "the model" : url);
        seq_port_close(port);
        return NULL;
    }
    return port;
}

void seq_port_close(struct seq_port *port)
{
    if (port == NULL)
        return;
    for (unsigned i = 0; i < SEQ_NEXUSES; i++)
        sto_lun_close(port->luns[i]);
    sto_model_net_free(port->net);
    sto_model_free(port->model);
    free(port);
}

static void op_done(struct sto_op *op)
{
    *(bool *)op->context = true;
}

/* The virtual clock goes to the next thing that happens. */
static void serve_model(struct seq_port *port)
{
    int64_t next = sto_model_net_next_ns(port->net);

    for (unsigned i = 0; i < SEQ_NEXUSES; i++) {
        int64_t at = sto_model_lun_next_ns(port->luns[i]);

        next = at < next ? at : next;
    }
    if (next != INT64_MAX && next > port->now_ns)
        port->now_ns = next;
    sto_model_net_advance(port->net);
    for (unsigned i = 0; i < SEQ_NEXUSES; i++)
        sto_lun_service(port->luns[i], 0);
}

static void serve_real(struct seq_port *port)
{
    struct pollfd wait[SEQ_NEXUSES];

    for (unsigned i = 0; i < SEQ_NEXUSES; i++)
        wait[i] = (struct pollfd) { .fd = sto_lun_fd(port->luns[i]),
                                    .events = sto_lun_events(port->luns[i]) };
    (void)poll(wait, SEQ_NEXUSES, 1000);
    for (unsigned i = 0; i < SEQ_NEXUSES; i++)
        sto_lun_service(port->luns[i], wait[i].revents);
}

static void serve(struct seq_port *port)
{
    if (port->model != NULL)
        serve_model(port);
    else
        serve_real(port);
}

bool seq_port_run(struct seq_port *port, unsigned nexus, struct sto_op *op)
{
    bool done = false;

    op->done = op_done;
    op->context = &done;
    op->timeout_ms = PORT_TIMEOUT_MS;
    if (sto_lun_submit(port->luns[nexus], op) < 0)
        return false;
    while (!done)
        serve(port);
    return true;
}

void seq_port_drop(struct seq_port *port, unsigned nexus)
{
    sto_lun_drop(port->luns[nexus], STO_SESSION_DATA);
    if (port->model != NULL) { /* the target notices a moment later */
        port->now_ns += PORT_LATENCY_NS;
        sto_model_net_advance(port->net);
    }
}
