/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server's life: what needs rights or may block is opened first, then it locks itself in, then
 * it serves.
 */
#include "config.h"

#include "storage/serve/sv_server_priv.h"

#include <errno.h>
#include <iscsi/iscsi.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "storage/serve/sv_sandbox.h"
#include "common/hw_socket.h"

enum { FIRST_FREE_FD = 3 };

static int no_memory(struct hw_error *error)
{
    return hw_error_set(error, HW_ERROR_FAILED, ENOMEM, "memory", "ran out", "");
}

static bool by_area(const struct sto_url *url)
{
    return url->area != STO_AREA_WHOLE && url->area != STO_AREA_WINDOW;
}

/* Does any disk on this LUN name an area of it? */
static bool wants_layout(const struct sv_config *config, const struct sto_url *url)
{
    for (unsigned i = 0; i < config->disk_count; i++)
        if (sv_config_same_lun(&config->disks[i].url, url) && by_area(&config->disks[i].url))
            return true;
    return false;
}

static int open_lun(struct sv_server *server, unsigned disk, struct hw_error *error)
{
    const struct sto_url *url = &server->config->disks[disk].url;
    const struct sv_lun_callbacks callbacks = { .event = server_lun_event, .context = server };
    int rc;

    for (unsigned i = 0; i < disk; i++) {
        if (sv_config_same_lun(&server->config->disks[i].url, url)) {
            server->disk_luns[disk] = server->disk_luns[i];
            return 0;
        }
    }
    rc = sv_lun_new(url, server->config, wants_layout(server->config, url), &callbacks,
                    &server->luns[server->lun_count].lun, error);
    if (rc == 0)
        server->disk_luns[disk] = server->lun_count++;
    return rc;
}

static int open_luns(struct sv_server *server, struct hw_error *error)
{
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < server->config->disk_count; i++) {
        server->has_state = server->has_state || server->config->disks[i].state;
        rc = open_lun(server, i, error);
    }
    return rc;
}

static int open_lease(struct sv_server *server, struct hw_error *error)
{
    const struct sv_config *config = server->config;
    int listener = -1, rc = 0;

    server->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (server->wake_fd < 0)
        return no_memory(error);
    if (config->lease != SV_LEASE_MEMBER || config->deadman_ms == 0)
        return 0;
    if (config->feed[0] != '\0')
        rc = hw_socket_listen(config->feed, SOCK_SEQPACKET, geteuid(), &listener, error);
    if (rc < 0)
        return rc;
    rc = sv_lease_new(config->deadman_ms, listener, config->feed_fd, server->wake_fd,
                      &server->lease);
    if (rc < 0)
        return no_memory(error);
    sv_lease_set_generation(server->lease, config->generation);
    for (unsigned i = 0; i < server->lun_count; i++)
        sv_lun_set_deadline(server->luns[i].lun, sv_lease_until_ns(server->lease));
    return 0;
}

static int open_control(struct sv_server *server, struct hw_error *error)
{
    const struct hw_control_callbacks callbacks = {
        .order = server_order, .watch = server_watch_control, .context = server, .remedy = SV_REMEDY
    };
    int listener;
    int rc;

    if (server->config->control[0] == '\0')
        return 0;
    rc = hw_socket_listen(server->config->control, SOCK_STREAM, geteuid(), &listener, error);
    if (rc == 0 && hw_control_new(listener, &callbacks, &server->control) < 0) {
        (void)close(listener);
        rc = no_memory(error);
    }
    return rc;
}

static int open_all(struct sv_server *server, struct hw_error *error)
{
    int rc = open_luns(server, error);

    if (rc == 0)
        rc = sv_page_new(&server->page, &server->page_fd, error);
    if (rc == 0)
        rc = open_lease(server, error);
    for (unsigned i = 0; rc == 0 && i < server->config->disk_count; i++)
        rc = server_disk_new(server, i, &server->disks[i], error);
    if (rc == 0)
        rc = open_control(server, error);
    if (rc == 0 && server_watch_all(server) < 0)
        rc = no_memory(error);
    return rc;
}

int sv_server_new(const struct sv_config *config, FILE *out, struct sv_server **ret_server,
                  struct hw_error *error)
{
    struct sv_server *server = calloc(1, sizeof(*server));
    int rc;

    if (server == NULL)
        return no_memory(error);
    server->config = config;
    server->out = out;
    server->parent = getppid();
    server->wake_fd = server->page_fd = -1;
    server->timer_ns = server->abandon_ns = server->saved_retry_ns = INT64_MAX;
    server->discard_wanted = config->discard_state;
    server->verdict.reason = SV_REASON_STARTING; /* nothing is judged yet: all is shut */
    server->loop = qb_loop_create();
    rc = server->loop == NULL ? no_memory(error) : open_all(server, error);
    if (rc < 0) {
        sv_server_free(server);
        return rc;
    }
    *ret_server = server;
    return 0;
}

/* --- lock-in --- */

static bool needs_host(const struct sv_server *server)
{
    for (unsigned i = 0; i < server->lun_count; i++)
        if (sv_lun_needs_host(server->luns[i].lun))
            return true;
    return false;
}

static int enter(struct sv_server *server, struct hw_error *error)
{
    uint16_t ports[SV_DISKS * STO_URL_PORTALS];
    struct hw_sandbox_reach reach;
    size_t count = 0;
    int rc;

    for (unsigned i = 0; i < server->lun_count; i++)
        count += sv_lun_ports(server->luns[i].lun, ports + count);
    rc = sv_sandbox_enter(geteuid() == 0 || server->config->uid_given ? server->config->uid : 0,
                          ports, count, &reach, error);
    if (rc == 0 && (!reach.files || !reach.tcp))
        server_tell(server, "sandbox",
                    json_pack("{s:s}", "text",
                              "the kernel's landlock is too old: files or ports "
                              "are kept shut by the list of system calls alone"));
    return rc;
}

/* The change of user has cleared it (prctl(2)); whoever died before that is noticed by its absence.
 */
static int die_with_parent(const struct sv_server *server, struct hw_error *error)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return hw_error_set(error, HW_ERROR_FAILED, errno, "--die-with-parent",
                            "is refused by the kernel", "");
    if (getppid() != server->parent)
        return hw_error_set(error, HW_ERROR_FAILED, ESRCH, "--die-with-parent",
                            "the process that started this one is gone", "");
    return 0;
}

/* What the lease thread has to do without is told, not refused. */
static int start_lease(struct sv_server *server, struct hw_error *error)
{
    struct sv_lease_stats stats;

    if (server->lease == NULL)
        return 0;
    if (sv_lease_start(server->lease) < 0)
        return hw_error_set(error, HW_ERROR_FAILED, EAGAIN, "lease thread", "cannot be started",
                            "");
    stats = sv_lease_stats(server->lease);
    if (!stats.locked || !stats.code_locked)
        server_tell(server, "lease",
                    json_pack("{s:s}", "text",
                              stats.locked
                                  ? "the lease thread's code cannot be kept in memory: raise the "
                                    "limit of locked memory (ulimit -l), or feeds may be late"
                                  : "the lease thread's memory cannot be locked: raise the limit "
                                    "of locked memory (ulimit -l), or feeds may be late"));
    return 0;
}

int sv_server_lock_in(struct sv_server *server, struct hw_error *error)
{
    const bool sandbox = server->config->sandbox && !needs_host(server);
    int rc = 0;

    if (server->config->sandbox && !sandbox)
        server_tell(server, "sandbox",
                    json_pack("{s:s}", "text",
                              "a block: LUN needs its device, SCSI commands and "
                              "iscsiadm: not locked in"));
    sv_lease_raise_limits();
    json_object_seed(0); /* reads /dev/urandom, once */
    iscsi_destroy_context(iscsi_create_context("iqn.2026-11.hawser:none")); /* likewise */
    if (sandbox)
        rc = enter(server, error);
    if (rc == 0 && server->config->die_with_parent)
        rc = die_with_parent(server, error);
    if (rc == 0)
        rc = start_lease(server, error);
    if (rc == 0 && sandbox)
        rc = sv_sandbox_calls(error);
    return rc;
}

static bool any_reserves(const struct sv_server *server)
{
    for (unsigned i = 0; i < server->lun_count; i++)
        if (sv_lun_reserves(server->luns[i].lun))
            return true;
    return false;
}

int sv_server_run(struct sv_server *server, struct hw_error *error)
{
    if (server->config->generation != 0 || !any_reserves(server)) {
        server->grant = (struct sto_own_grant) { .generation = server->config->generation,
                                                 .takeover = server->config->takeover };
        server->claim_waits = true;
    }
    for (unsigned i = 0; i < server->lun_count && !server->ended; i++)
        sv_lun_look(server->luns[i].lun);
    server_settle(server);
    if (!server->ended)
        qb_loop_run(server->loop);
    if (server->error.kind != HW_ERROR_NONE && server->status != 0)
        *error = server->error;
    return server->status;
}

void sv_server_free(struct sv_server *server)
{
    if (server == NULL)
        return;
    server->ended = true;
    sv_saved_end(&server->saved);
    for (unsigned i = 0; i < server->lun_count; i++) /* requests end first, then who had them */
        sv_lun_free(server->luns[i].lun);
    for (unsigned i = 0; i < SV_DISKS; i++)
        server_disk_free(server->disks[i]);
    sv_saved_fini(&server->saved);
    hw_control_free(server->control);
    json_decref(server->refused);
    json_decref(server->owning.asker.id);
    json_decref(server->draining.asker.id);
    json_decref(server->discarding.asker.id);
    json_decref(server->verifying.asker.id);
    sv_lease_free(server->lease);
    sv_page_free(server->page);
    if (server->wake_fd >= 0)
        (void)close(server->wake_fd);
    if (server->loop != NULL)
        qb_loop_destroy(server->loop);
    free(server);
}
