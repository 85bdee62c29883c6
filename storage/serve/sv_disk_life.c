/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk's life: at its socket before lock-in, known to clients when its LUN is laid out; and what
 * it tells of itself.
 */
#include "config.h"

#include "storage/serve/sv_disk_priv.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xxhash.h>

#include "common/hw_socket.h"
#include "common/hw_text.h"

static int32_t ready(int32_t fd, int32_t revents, void *data)
{
    struct sv_disk *disk = data;

    sv_lun_gather(disk->lun);
    vh_back_service(disk->back, fd, (short)revents);
    sv_lun_hand_over(disk->lun);
    server_settle(disk->server);
    return 0;
}

static void watch(void *context, int fd, short events)
{
    struct sv_disk *disk = context;
    qb_loop_t *loop = disk->server->loop;

    if (events == 0)
        (void)qb_loop_poll_del(loop, fd);
    else if (qb_loop_poll_mod(loop, QB_LOOP_HIGH, fd, events, disk, ready) < 0)
        (void)qb_loop_poll_add(loop, QB_LOOP_HIGH, fd, events, disk, ready);
}

static void tell(void *context, bool connected, const char *text)
{
    struct sv_disk *disk = context;

    server_tell(
        disk->server, connected ? "client" : "client-gone",
        json_pack("{s:o, s:o}", "socket", hw_text(disk->config->socket), "text", hw_text(text)));
}

int server_disk_new(struct sv_server *server, unsigned index, struct sv_disk **ret_disk,
                    struct hw_error *error)
{
    struct sv_disk *disk = calloc(1, sizeof(*disk));
    int listener, rc;

    if (disk == NULL)
        return hw_error_set(error, HW_ERROR_FAILED, ENOMEM, "memory", "ran out", "");
    disk->server = server;
    disk->index = index;
    disk->config = &server->config->disks[index];
    disk->lun = server->luns[server->disk_luns[index]].lun;
    rc = hw_socket_listen_full(disk->config->socket, SOCK_STREAM, server->config->front_end_uid,
                               &listener, &disk->filled, error);
    if (rc == 0) {
        const struct vh_back_callbacks callbacks = { .request = disk_request_came,
                                                     .abandon = disk_request_abandoned,
                                                     .watch = watch,
                                                     .tell = tell,
                                                     .context = disk };

        disk->listener = listener;
        rc = vh_back_new(listener, sizeof(struct disk_request), &callbacks, &disk->back);
        if (rc < 0) {
            (void)vh_events_error(rc, error);
            (void)close(listener);
        }
    }
    if (rc < 0) {
        free(disk);
        return rc;
    }
    *ret_disk = disk;
    return 0;
}

void server_disk_free(struct sv_disk *disk)
{
    if (disk == NULL)
        return;
    while (disk->parked_first != NULL) {
        struct disk_request *request = disk->parked_first;

        disk->parked_first = request->next;
        vh_request_done(request->from, VH_BLK_IOERR, false);
    }
    vh_back_free(disk->back);
    free(disk);
}

/* The name that the guest reads: enough to tell LUNs apart, and steady. */
static void name(const struct sto_facts *facts, char id[VH_BLK_ID_BYTES])
{
    const char *from = facts->serial[0] != '\0' ? facts->serial : facts->wwid;
    const size_t bytes = strlen(from);

    memset(id, 0, VH_BLK_ID_BYTES);
    memcpy(id, bytes > VH_BLK_ID_BYTES ? from + bytes - VH_BLK_ID_BYTES : from,
           bytes > VH_BLK_ID_BYTES ? VH_BLK_ID_BYTES : bytes);
}

/* Of all LUNs together: a guest has all of its disks, or none. */
static uint64_t server_line(const struct sv_server *server)
{
    uint64_t lines[SV_DISKS] = { 0 };

    for (unsigned i = 0; i < server->lun_count; i++) {
        const struct sto_owner *owner = sv_lun_owner(server->luns[i].lun);

        lines[i] = owner == NULL ? 0 : sto_owner_line(owner);
    }
    return XXH3_64bits(lines, sizeof(lines));
}

void server_disk_owned(struct sv_disk *disk, bool owned)
{
    const char *wwid = sv_lun_wwid(disk->lun);
    const struct vh_back_origin origin = { .lun = XXH3_64bits(wwid, strlen(wwid)),
                                           .line = server_line(disk->server) };

    vh_back_set_origin(disk->back, owned ? &origin : NULL);
}

int server_disk_ready(struct sv_disk *disk, struct hw_error *error)
{
    const struct sto_facts *facts = sv_lun_facts(disk->lun);
    const bool discard = sv_lun_may_discard(disk->lun);
    struct vh_blk_device device = { .block_bytes = facts->block_bytes,
                                    .physical_block_bytes = facts->physical_block_bytes,
                                    .optimal_bytes = facts->optimal_transfer_bytes,
                                    .queues = VH_QUEUES,
                                    .read_only = disk->config->read_only || facts->read_only,
                                    .discard = discard && !disk->config->state,
                                    .write_zeroes = discard && !disk->config->state };
    int rc;

    if (disk->ready)
        return 0;
    rc = sv_lun_window(disk->lun, &disk->config->url, &disk->window, error);
    if (rc < 0)
        return rc;
    device.sectors = disk->window.size_bytes / VH_SECTOR_BYTES;
    name(facts, device.id);
    disk->ready = true;
    if (disk->config->state) {
        rc = sv_saved_init(&disk->server->saved, sv_lun_submit_to, disk->lun,
                           disk->window.offset_bytes, facts->block_bytes, server_saved_looked,
                           disk->server);
        if (rc < 0)
            return hw_error_set(error, HW_ERROR_FAILED, ENOMEM, "memory", "ran out", "");
        disk->server->saved_ready = true;
        server_look(disk->server);
    }
    hw_socket_empty(disk->listener, disk->filled);
    vh_back_ready(disk->back, &device);
    return 0;
}

bool server_disk_unmarked(const struct sv_disk *disk)
{
    return vh_back_stats(disk->back).unmarked;
}

unsigned server_disk_in_flight(const struct sv_disk *disk)
{
    return vh_back_in_flight(disk->back);
}

json_t *server_disk_statistics(const struct sv_disk *disk)
{
    struct vh_back_stats stats = vh_back_stats(disk->back);

    return json_pack("{s:o, s:I, s:I, s:I, s:I, s:i, s:i, s:b, s:b, s:i}", "socket",
                     hw_text(disk->config->socket), "requests", (json_int_t)stats.requests,
                     "read-bytes", (json_int_t)stats.bytes_read, "written-bytes",
                     (json_int_t)stats.bytes_written, "refused", (json_int_t)stats.refused,
                     "clients", (int)stats.clients, "in-flight", (int)stats.in_flight, "running",
                     stats.running, "waiting", stats.waiting, "stale", (int)stats.stale);
}
