/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line of hawser-lun, checked. What contradicts itself is refused here, before anything
 * is opened: a missing identity, a lease without its source, one socket for two, bytes that two
 * disks would write.
 */
#include "config.h"

#include "storage/serve/sv_options.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <uuid/uuid.h>

#include "common/hw_values.h"
#include "storage/sto_pr.h"

enum { STORE_MS = 1500, LEASE_MS_MAX = 600 * 1000, DEFAULT_UID = 64000 };

static int usage(struct hw_error *error, const char *object, const char *reason, const char *remedy)
{
    return hw_error_set(error, HW_ERROR_USAGE, EINVAL, object, reason, remedy);
}

bool sv_config_reserves(const struct sto_url *url)
{
    return url->scheme != STO_SCHEME_FILE;
}

bool sv_config_same_lun(const struct sto_url *a, const struct sto_url *b)
{
    if (a->scheme != b->scheme)
        return false;
    if (a->scheme != STO_SCHEME_ISCSI)
        return strcmp(a->path, b->path) == 0;
    return a->lun == b->lun && strcmp(a->target, b->target) == 0;
}

static int take_path(const char *path, char ret_path[SV_SOCKET_BYTES], const char *option,
                     struct hw_error *error)
{
    size_t length = strlen(path);

    if (length == 0 || length >= SV_SOCKET_BYTES)
        return usage(error, option, "is no path of a unix socket",
                     "give one of 1 to 107 bytes, such as /run/web1.sock");
    memcpy(ret_path, path, length + 1);
    return 0;
}

/* "unix:PATH" */
static int take_socket(const char *text, char ret_path[SV_SOCKET_BYTES], const char *option,
                       struct hw_error *error)
{
    const char *path;

    if (hw_parse_socket(text, option, &path, error) < 0)
        return -EINVAL;
    return take_path(path, ret_path, option, error);
}

/* The words behind the URL: socket=PATH[,ro]. A socket's path has no comma. */
static int take_words(const char *words, struct sv_disk_config *disk, const char *option,
                      struct hw_error *error)
{
    static const char socket_word[] = "socket=";

    while (*words != '\0') {
        size_t length = strcspn(words, ",");
        char path[SV_SOCKET_BYTES] = "";

        if (length == 2 && memcmp(words, "ro", 2) == 0) {
            disk->read_only = true;
        } else if (strncmp(words, socket_word, sizeof(socket_word) - 1) == 0) {
            size_t skip = sizeof(socket_word) - 1;

            if (length - skip < sizeof(path))
                memcpy(path, words + skip, length - skip);
            if (take_path(path, disk->socket, option, error) < 0)
                return -EINVAL;
        } else {
            return hw_error_setf(error, HW_ERROR_USAGE, EINVAL, option,
                                 "write URL,socket=PATH and, for a disk, ,ro",
                                 "'%.*s' is no word it knows", (int)length, words);
        }
        words += length;
        words += *words == ',';
    }
    if (disk->socket[0] == '\0')
        return usage(error, option, "has no socket", "add ,socket=PATH");
    return 0;
}

static int take_disk(const char *text, bool state, struct sv_config *config, struct hw_error *error)
{
    const char *option = state ? "--state" : "--lun";
    struct sv_disk_config *disk = &config->disks[config->disk_count];
    const char *words;

    if (config->disk_count == SV_DISKS || (!state && config->disk_count == SV_DISKS - 1))
        return usage(error, option, "is given too often", "a VM has at most 16 disks here");
    memset(disk, 0, sizeof(*disk));
    if (sto_url_parse_option(text, &disk->url, &words, error) < 0)
        return -EINVAL;
    disk->state = state;
    if (take_words(words, disk, option, error) < 0)
        return -EINVAL;
    if (state && disk->read_only)
        return usage(error, option, "cannot be read-only", "leave ,ro out");
    if (state && disk->url.area == STO_AREA_WHOLE)
        return usage(error, option, "names a whole LUN", "add #state");
    if (state && (disk->url.area == STO_AREA_META || disk->url.area == STO_AREA_DISK))
        return usage(error, option, "names an area that is for something else", "name #state");
    if (sv_config_reserves(&disk->url) && disk->url.area == STO_AREA_WINDOW)
        return usage(error, option,
                     "names a part of a LUN by bytes, where its ownership record and saved state "
                     "may be",
                     state ? "name #state" : "name #disk");
    if (!state && sv_config_reserves(&disk->url) && disk->url.area == STO_AREA_WHOLE)
        return usage(error, option, "names a whole LUN, and its ownership record with it",
                     "add #disk");
    if (!state && (disk->url.area == STO_AREA_META || disk->url.area == STO_AREA_STATE))
        return usage(error, option, "names hawser's own area", "add #disk");
    config->disk_count++;
    return 0;
}

/* --- what two options would share --- */

static const char *option_of(const struct sv_disk_config *disk)
{
    return disk->state ? "--state" : "--lun";
}

/* Do the parts by bytes have any in common? A size of 0 is all to the end. */
static bool windows_overlap(const struct sto_url *a, const struct sto_url *b)
{
    const struct sto_url *low = a->offset_bytes <= b->offset_bytes ? a : b;
    const struct sto_url *high = low == a ? b : a;

    return low->size_bytes == 0 || high->offset_bytes - low->offset_bytes < low->size_bytes;
}

/* Two disks of one LUN. A whole LUN has all of its areas; where they are is not known yet. */
static const char *shared_by(const struct sto_url *a, const struct sto_url *b)
{
    const bool by_bytes = a->area == STO_AREA_WINDOW || b->area == STO_AREA_WINDOW ||
                          a->area == STO_AREA_WHOLE || b->area == STO_AREA_WHOLE;

    if (a->area == b->area && a->area != STO_AREA_WINDOW)
        return "the same";
    if (a->area == STO_AREA_WINDOW && b->area == STO_AREA_WINDOW)
        return windows_overlap(a, b) ? "some of the same bytes" : NULL;
    return by_bytes ? "bytes that may be the same" : NULL;
}

static int check_overlaps(const struct sv_config *config, struct hw_error *error)
{
    for (unsigned i = 0; i < config->disk_count; i++) {
        const struct sv_disk_config *disk = &config->disks[i];

        for (unsigned k = 0; k < i; k++) {
            const struct sv_disk_config *other = &config->disks[k];
            const char *shared = sv_config_same_lun(&disk->url, &other->url)
                                     ? shared_by(&disk->url, &other->url)
                                     : NULL;

            if (shared != NULL)
                return hw_error_setf(error, HW_ERROR_USAGE, EINVAL, option_of(disk),
                                     "serve each area of a LUN once, by its name (#disk, #state)",
                                     "with socket %s serves %s as %s with socket %s", disk->socket,
                                     shared, option_of(other), other->socket);
        }
    }
    return 0;
}

/* One name for two listeners: the second would find the first one's. */
static int check_sockets(const struct sv_config *config, struct hw_error *error)
{
    const char *options[SV_DISKS + 2], *paths[SV_DISKS + 2];
    unsigned count = 0;

    for (; count < config->disk_count; count++) {
        options[count] = option_of(&config->disks[count]);
        paths[count] = config->disks[count].socket;
    }
    options[count] = "--control";
    paths[count++] = config->control;
    options[count] = "--feed";
    paths[count++] = config->feed;
    for (unsigned i = 0; i < count; i++)
        for (unsigned k = 0; k < i; k++)
            if (paths[i][0] != '\0' && strcmp(paths[i], paths[k]) == 0)
                return hw_error_setf(error, HW_ERROR_USAGE, EINVAL, paths[i], "give each its own",
                                     "is the socket of %s and of %s", options[k], options[i]);
    return 0;
}

static int take_disks(const struct hw_call *call, struct sv_config *config, struct hw_error *error)
{
    const char *text;

    for (size_t i = 0; (text = hw_option_value(call, "lun", i)) != NULL; i++)
        if (take_disk(text, false, config, error) < 0)
            return -EINVAL;
    text = hw_option_value(call, "state", 0);
    if (text != NULL && take_disk(text, true, config, error) < 0)
        return -EINVAL;
    if (config->disk_count == 0)
        return usage(error, "--lun", "is missing", "say which disk to serve");
    return check_overlaps(config, error);
}

static bool needs_owner(const struct sv_config *config)
{
    for (unsigned i = 0; i < config->disk_count; i++)
        if (sv_config_reserves(&config->disks[i].url))
            return true;
    return false;
}

static int take_identity(const struct hw_call *call, struct sv_config *config,
                         struct hw_error *error)
{
    const char *cluster = hw_option_value(call, "cluster", 0);
    uint64_t node = 0, generation = 0;

    if (cluster != NULL && uuid_parse(cluster, config->cluster_uuid) < 0)
        return usage(error, "--cluster", "is no UUID", "give the cluster's");
    if (hw_option_number(call, "node", 1, UINT16_MAX, &node, error) < 0 ||
        hw_option_number(call, "generation", 1, STO_GENERATION_MAX, &generation, error) < 0)
        return -EINVAL;
    config->node = (uint16_t)node;
    config->generation = (uint32_t)generation;
    config->has_identity = cluster != NULL && node != 0;
    config->takeover = hw_option_given(call, "takeover");
    if (needs_owner(config) && !config->has_identity)
        return hw_error_set(error, HW_ERROR_REFUSED, EPERM,
                            cluster == NULL ? "--cluster" : "--node",
                            "is missing: a shared LUN has an owner, and nobody says who it is",
                            "give --cluster and --node");
    return 0;
}

static int take_feed(const struct hw_call *call, struct sv_config *config, struct hw_error *error)
{
    const char *text = hw_option_value(call, "feed", 0);
    uint64_t fd;

    config->feed_fd = -1;
    if (text == NULL)
        return 0;
    if (strncmp(text, "fd:", 3) != 0)
        return take_socket(text, config->feed, "--feed", error);
    if (hw_parse_number(text + 3, &fd) < 0 || fd > INT32_MAX)
        return usage(error, "--feed", "names no descriptor", "write fd: and its number");
    config->feed_fd = (int)fd;
    return 0;
}

static int take_leases(const struct hw_call *call, struct sv_config *config, struct hw_error *error)
{
    const char *mode = hw_option_value(call, "lease", 0);
    uint64_t deadman_ms = 0, store_ms = STORE_MS;

    if (mode != NULL && strcmp(mode, "member") != 0 && strcmp(mode, "storage") != 0)
        return usage(error, "--lease", "is neither member nor storage", "");
    config->lease =
        mode != NULL && strcmp(mode, "storage") == 0 ? SV_LEASE_STORAGE : SV_LEASE_MEMBER;
    if (hw_option_number(call, "deadman-ms", 1, LEASE_MS_MAX, &deadman_ms, error) < 0 ||
        hw_option_number(call, "store-ms", 1, LEASE_MS_MAX, &store_ms, error) < 0 ||
        take_feed(call, config, error) < 0)
        return -EINVAL;
    config->deadman_ms = (uint32_t)deadman_ms;
    config->store_ms = (uint32_t)store_ms;
    if (deadman_ms == 0 && hw_option_given(call, "feed"))
        return usage(error, "--feed", "is given without a lease that they prolong",
                     "add --deadman-ms");
    if (config->lease == SV_LEASE_MEMBER && deadman_ms != 0 && config->feed[0] == '\0' &&
        config->feed_fd < 0)
        return usage(error, "--deadman-ms", "is given without feeds: nothing would ever be written",
                     "add --feed");
    return 0;
}

static int take_users(const struct hw_call *call, struct sv_config *config, struct hw_error *error)
{
    uint64_t uid = geteuid() == 0 ? DEFAULT_UID : geteuid(), front;

    config->uid_given = hw_option_given(call, "uid");
    config->sandbox = !hw_option_given(call, "no-sandbox");
    if (hw_option_number(call, "uid", 0, UINT32_MAX - 1, &uid, error) < 0)
        return -EINVAL;
    front = config->sandbox ? uid : geteuid();
    if (hw_option_number(call, "front-end-uid", 0, UINT32_MAX - 1, &front, error) < 0)
        return -EINVAL;
    config->uid = (uid_t)uid;
    config->front_end_uid = (uid_t)front;
    return 0;
}

int sv_config_read(const struct hw_call *call, struct sv_config *ret_config, struct hw_error *error)
{
    struct sv_config config = { .feed_fd = -1 };
    const char *control = hw_option_value(call, "control", 0);

    if (take_disks(call, &config, error) < 0 || take_leases(call, &config, error) < 0 ||
        take_users(call, &config, error) < 0 ||
        (control != NULL && take_socket(control, config.control, "--control", error) < 0) ||
        check_sockets(&config, error) < 0)
        return -EINVAL;
    if (take_identity(call, &config, error) < 0)
        return -EINVAL;
    if (needs_owner(&config) && config.generation == 0 && config.control[0] == '\0')
        return usage(error, "--generation", "is missing, and so is a control socket to order it",
                     "give --generation or --control");
    config.discard_state = hw_option_given(call, "discard-state");
    config.die_with_parent = hw_option_given(call, "die-with-parent");
    config.json = hw_option_given(call, "json");
    config.initiator = hw_option_value(call, "initiator", 0);
    *ret_config = config;
    return 0;
}
