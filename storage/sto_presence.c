/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The name is taken by bind(2): the kernel lets one process have it and gives it back when that
 * process is gone. A listening socket also tells who holds it (SO_PEERCRED).
 */
#include "config.h"

#include "storage/sto_presence.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <xxhash.h>

#include "common/hw_cleanup.h"
#include "storage/sto_gpt.h"
#include "storage/sto_layout.h"
#include "storage/sto_lun.h"

enum { PROCESS_NAME_BYTES = 32 };

struct name {
    struct sockaddr_un address;
    socklen_t bytes;
};

/* What names the LUN, whichever way it is reached. */
static void identity(const struct sto_url *url, char *text, size_t bytes)
{
    struct stat status;

    if (url->scheme == STO_SCHEME_ISCSI)
        (void)snprintf(text, bytes, "%s/%u", url->target, (unsigned)url->lun);
    else if (stat(url->path, &status) == 0 && S_ISBLK(status.st_mode))
        (void)snprintf(text, bytes, "device %" PRIu64, (uint64_t)status.st_rdev);
    else
        (void)snprintf(text, bytes, "%s", url->path);
}

static struct name name_of(const char *lun, const uint8_t cluster_uuid[16], uint16_t node)
{
    struct name name = { .address.sun_family = AF_UNIX };
    char cluster[STO_GUID_TEXT_BYTES];
    int length;

    /* byte 0 stays zero: an abstract name, which has no file and no owner */
    length = snprintf(name.address.sun_path + 1, sizeof(name.address.sun_path) - 1,
                      "hawser/%s/%u/%016" PRIx64, sto_guid_text(cluster_uuid, cluster),
                      (unsigned)node, (uint64_t)XXH3_64bits(lun, strlen(lun)));
    name.bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
    return name;
}

static void process_name(pid_t pid, char name[PROCESS_NAME_BYTES])
{
    char path[64];
    hw_auto_fclose FILE *file = NULL;

    (void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
    file = fopen(path, "re");
    if (file == NULL || fgets(name, PROCESS_NAME_BYTES, file) == NULL)
        (void)snprintf(name, PROCESS_NAME_BYTES, "?");
    name[strcspn(name, "\n")] = '\0';
}

/* Who holds the name; asks its socket. */
static int refuse(const struct sto_url *url, const struct name *name, struct hw_error *error)
{
    hw_auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct ucred holder = { .pid = 0 };
    socklen_t bytes = sizeof(holder);
    char text[STO_URL_BYTES] = "LUN", comm[PROCESS_NAME_BYTES];
    const char *remedy = "end that process first, or give your order to it";

    (void)sto_url_print(url, text, sizeof(text));
    if (fd < 0 || connect(fd, (const struct sockaddr *)&name->address, name->bytes) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &holder, &bytes) < 0 || holder.pid <= 0)
        return hw_error_set(error, HW_ERROR_REFUSED, EBUSY, text,
                            "another process of this node acts on it on this host", remedy);
    process_name(holder.pid, comm);
    return hw_error_setf(error, HW_ERROR_REFUSED, EBUSY, text, remedy,
                         "process %d (%s) of this node acts on it on this host", (int)holder.pid,
                         comm);
}

static int bind_name(int fd, const struct name *name, struct hw_error *error)
{
    int code;

    if (bind(fd, (const struct sockaddr *)&name->address, name->bytes) == 0)
        return 0;
    code = errno;
    if (code != EADDRINUSE)
        (void)hw_error_setf(error, HW_ERROR_FAILED, code, "unix socket",
                            "see whether this process may make unix sockets here",
                            "cannot be bound: %s", strerror(code));
    return -code;
}

int sto_presence_take(const struct sto_url *url, const uint8_t cluster_uuid[16], uint16_t node,
                      int *ret_fd, struct hw_error *error)
{
    hw_auto_close int fd = sto_presence_socket(error);
    char lun[STO_URL_BYTES];
    struct name name;
    int rc;

    if (fd < 0)
        return fd;
    identity(url, lun, sizeof(lun));
    name = name_of(lun, cluster_uuid, node);
    rc = bind_name(fd, &name, error);
    if (rc < 0)
        return rc == -EADDRINUSE ? refuse(url, &name, error) : rc;
    /* Only so that others can ask who we are. Nobody accepts: each that asked stays in the line. */
    (void)listen(fd, SOMAXCONN);
    *ret_fd = hw_take_fd(&fd);
    return 0;
}

int sto_presence_socket(struct hw_error *error)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    return fd >= 0 ? fd
                   : hw_error_setf(error, HW_ERROR_FAILED, errno, "unix socket",
                                   "see how many files this process may open (ulimit -n)",
                                   "cannot be made: %s", strerror(errno));
}

int sto_presence_take_wwid(const struct sto_url *url, const char *wwid,
                           const uint8_t cluster_uuid[16], uint16_t node, int fd,
                           struct hw_error *error)
{
    char lun[sizeof(((struct sto_facts *)0)->wwid) + sizeof("wwid ")], text[STO_URL_BYTES] = "LUN";
    struct name name;
    int rc;

    if (wwid[0] == '\0')
        return 0;
    (void)snprintf(lun, sizeof(lun), "wwid %s", wwid);
    name = name_of(lun, cluster_uuid, node);
    rc = bind_name(fd, &name, error);
    if (rc != -EADDRINUSE)
        return rc;
    (void)sto_url_print(url, text, sizeof(text));
    return hw_error_set(error, HW_ERROR_REFUSED, EBUSY, text,
                        "another process of this node acts on it on this host, by another URL",
                        "end that process first, or give your order to it");
}

void sto_presence_boot_id(uint8_t ret_boot_id[16])
{
    hw_auto_close int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    char text[STO_GUID_TEXT_BYTES] = "";

    if (fd >= 0 && read(fd, text, sizeof(text) - 1) == (ssize_t)sizeof(text) - 1)
        (void)sto_guid_parse(text, ret_boot_id);
}
