/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parts of hawser-lun, each alone: storage/serve/sv_page, storage/serve/sv_lease,
 * storage/serve/sv_saved, storage/serve/sv_job, storage/serve/sv_resolve.
 * (over 400: small parts that share their players)
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/hw_feed.h"
#include "storage/serve/sv_lease.h"
#include "storage/serve/sv_page.h"
#include "storage/serve/sv_resolve.h"
#include "storage/serve/sv_saved.h"
#include "common/hw_socket.h"
#include "storage/sto_state_area.h"
#include "tests/unit/lun_file.h"
#include "tests/unit/unit.h"
#include "tests/unit/unix_path.h"
#include "tests/unit/watch_loop.h"

/* Neither its descriptor nor the same memory opened anew can be written, by whatever call. */
static void cannot_be_written(int fd)
{
    char name[64];
    int again;

    CU_ASSERT_PTR_EQUAL(mmap(NULL, SV_PAGE_BYTES, PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    again = open(name, O_RDWR | O_CLOEXEC);
    if (again < 0)
        return; /* refused already */
    CU_ASSERT_PTR_EQUAL(mmap(NULL, SV_PAGE_BYTES, PROT_WRITE, MAP_SHARED, again, 0), MAP_FAILED);
    CU_ASSERT_TRUE(pwrite(again, "x", 1, 0) < 0);
    CU_ASSERT_TRUE(ftruncate(again, 0) < 0);
    close(again);
}

static void publishes(void)
{
    const struct sv_page_view said = {
        .confirmed_ns = 77, .generation = 32, .gate = SV_GATE_OPEN, .reason = SV_REASON_LEASE
    };
    struct sv_page_view seen;
    struct sv_page *page;
    const void *map;
    int fd, other;

    CU_ASSERT_EQUAL_FATAL(sv_page_new(&page, &fd, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(sv_page_map(fd, &map), 0);
    CU_ASSERT_TRUE(sv_page_read(map, &seen));
    CU_ASSERT_EQUAL(seen.gate, SV_GATE_HOLD);
    CU_ASSERT_EQUAL(seen.confirmed_ns, 0);
    sv_page_write(page, &said);
    CU_ASSERT_TRUE(sv_page_read(map, &seen));
    CU_ASSERT_EQUAL(seen.confirmed_ns, said.confirmed_ns); /* by fields: there is padding */
    CU_ASSERT_EQUAL(seen.generation, said.generation);
    CU_ASSERT_EQUAL(seen.gate, said.gate);
    CU_ASSERT_EQUAL(seen.reason, said.reason);
    cannot_be_written(fd);
    sv_page_write(page, &(struct sv_page_view) { .confirmed_ns = 78 }); /* its writer can */
    CU_ASSERT_TRUE(sv_page_read(map, &seen));
    CU_ASSERT_EQUAL(seen.confirmed_ns, 78);
    sv_page_unmap(map);
    sv_page_free(page);
    other = memfd_create("unit", MFD_CLOEXEC);
    CU_ASSERT_EQUAL(sv_page_map(other, &map), -EBADMSG);
    CU_ASSERT_EQUAL(ftruncate(other, SV_PAGE_BYTES), 0);
    CU_ASSERT_EQUAL(sv_page_map(other, &map), -EBADMSG);
    close(other);
}

static char path[UNIX_PATH_BYTES];

/* --- the lease --- */

static struct sv_lease *lease;

static int64_t now_ns(void)
{
    return hw_clock_now_ns(hw_clock_boottime());
}

static void feed(int fd, uint64_t generation, int64_t sent_ns, uint64_t term)
{
    const struct hw_feed one = { .generation = generation, .sent_ns = sent_ns, .term = term };
    uint8_t bytes[HW_FEED_BYTES];

    hw_feed_encode(&one, bytes);
    CU_ASSERT_EQUAL(send(fd, bytes, sizeof(bytes), 0), (ssize_t)sizeof(bytes));
}

static uint64_t wanted_feeds;

static bool fed(void *context)
{
    struct sv_lease_stats stats = sv_lease_stats(lease);

    (void)context;
    return stats.taken + stats.refused >= wanted_feeds;
}

static bool wait_fed(uint64_t feeds)
{
    struct watch_loop loop = { 0 };

    wanted_feeds = feeds;
    return watch_loop_until(&loop, fed, NULL);
}

static void keeps_a_lease(void)
{
    int listener, first, second, wake = eventfd(0, EFD_NONBLOCK);
    int64_t sent;
    eventfd_t count;

    unix_path_make(path, "feed");
    CU_ASSERT_EQUAL_FATAL(hw_socket_listen(path, SOCK_SEQPACKET, geteuid(), &listener, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(sv_lease_new(1000, listener, -1, wake, &lease), 0);
    sv_lease_set_generation(lease, 32);
    CU_ASSERT_EQUAL_FATAL(sv_lease_start(lease), 0);
    CU_ASSERT_EQUAL(*sv_lease_until_ns(lease), 0); /* born expired */
    first = unix_path_connect(path, SOCK_SEQPACKET);
    sent = now_ns();
    feed(first, 32, sent, 5);
    CU_ASSERT_TRUE(wait_fed(1));
    CU_ASSERT_EQUAL(*sv_lease_until_ns(lease), sent + 1000000000);
    CU_ASSERT_EQUAL(eventfd_read(wake, &count), 0);
    feed(first, 16, sent + 1, 5);                   /* another generation's */
    feed(first, 32, sent + 1, 4);                   /* of an earlier term */
    feed(first, 32, now_ns() + 3600000000000LL, 5); /* from the future */
    CU_ASSERT_EQUAL(send(first, "x", 1, 0), 1);     /* none at all */
    CU_ASSERT_TRUE(wait_fed(5));
    CU_ASSERT_EQUAL(sv_lease_stats(lease).taken, 1);
    CU_ASSERT_EQUAL(*sv_lease_until_ns(lease), sent + 1000000000);
    second = unix_path_connect(path, SOCK_SEQPACKET); /* clusterd was started again */
    sent = now_ns();
    feed(second, 32, sent, 6);
    CU_ASSERT_TRUE(wait_fed(6));
    CU_ASSERT_EQUAL(*sv_lease_until_ns(lease), sent + 1000000000);
    sv_lease_set_generation(lease, 48); /* another grant: over at once */
    CU_ASSERT_EQUAL(*sv_lease_until_ns(lease), 0);
    feed(second, 32, now_ns(), 6);
    feed(second, 48, sent = now_ns(), 6);
    CU_ASSERT_TRUE(wait_fed(8));
    CU_ASSERT_EQUAL(*sv_lease_until_ns(lease), sent + 1000000000);
    CU_ASSERT_TRUE(sv_lease_stats(lease).connected);
    sv_lease_free(lease);
    close(first), close(second), close(wake);
    unlink(path);
}

/* The number in this line of a file of proc(5); of smaps the one of the mapping that has `at`. */
static unsigned long proc_number(const char *file_name, const char *name, const volatile void *at)
{
    FILE *file = fopen(file_name, "r");
    const size_t bytes = strlen(name);
    unsigned long from, to, number = 0;
    bool inside = at == NULL;
    char line[512];

    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        if (at != NULL && sscanf(line, "%lx-%lx ", &from, &to) == 2)
            inside = (uintptr_t)at >= from && (uintptr_t)at < to;
        if (inside && strncmp(line, name, bytes) == 0)
            number = strtoul(line + bytes, NULL, 10);
    }
    (void)fclose(file);
    return number;
}

/* Without rights, and with `limit_bytes` to lock: 0, or what is wrong. */
static int lock_within(rlim_t limit_bytes, bool locked)
{
    const struct rlimit limit = { limit_bytes, limit_bytes };
    int wake = eventfd(0, EFD_NONBLOCK);

    if (setrlimit(RLIMIT_MEMLOCK, &limit) < 0 ||
        (geteuid() == 0 && setresuid(64321, 64321, 64321) < 0))
        return 1;
    if (sv_lease_new(1000, -1, -1, wake, &lease) < 0)
        return 2;
    if (sv_lease_start(lease) < 0)
        return 3;
    if (sv_lease_stats(lease).locked != locked)
        return 4;
    sv_lease_free(lease);
    return 0;
}

static int in_a_child(rlim_t limit_bytes, bool locked)
{
    int status = -1;
    pid_t child;

    (void)fflush(NULL);
    child = fork();
    if (child == 0)
        _exit(lock_within(limit_bytes, locked));
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Some hosts let nobody lock that much. */
static bool may_lock(size_t bytes)
{
    void *some = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool may = some != MAP_FAILED && mlock2(some, bytes, 0) == 0;

    (void)munmap(some, bytes);
    return may;
}

/* The thread's stack and data stay in memory; a guest's memory, which comes later, does not. */
static void locks_its_memory(void)
{
    const size_t guest_bytes = 64 << 20;
    unsigned long before;
    int wake = eventfd(0, EFD_NONBLOCK);
    void *guest;

    if (!may_lock(1 << 20)) {
        printf("# not tried: the limit of locked memory (ulimit -l) is below 1 MiB\n");
        close(wake);
        return;
    }
    CU_ASSERT_EQUAL_FATAL(sv_lease_new(1000, -1, -1, wake, &lease), 0);
    CU_ASSERT_EQUAL_FATAL(sv_lease_start(lease), 0);
    CU_ASSERT_TRUE(sv_lease_stats(lease).locked);
    CU_ASSERT_TRUE(proc_number("/proc/self/smaps", "Locked:", sv_lease_until_ns(lease)) >= 256);
    CU_ASSERT_TRUE(proc_number("/proc/self/smaps", "Rss:", sv_lease_until_ns(lease)) >= 256);
    before = proc_number("/proc/self/status", "VmLck:", NULL);
    guest = mmap(NULL, guest_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CU_ASSERT_PTR_NOT_EQUAL(guest, MAP_FAILED);
    CU_ASSERT_TRUE(proc_number("/proc/self/status", "VmLck:", NULL) < before + 1024);
    (void)munmap(guest, guest_bytes);
    sv_lease_free(lease);
    close(wake);
    CU_ASSERT_EQUAL(munlockall(), 0);
    CU_ASSERT_EQUAL(in_a_child(1 << 20, true), 0);
    CU_ASSERT_EQUAL(in_a_child(0, false), 0); /* works on, and says so */
}

/* --- the saved state --- */

static struct sv_saved saved;
static enum sto_rc looked_rc;
static bool looked;

static struct sto_gate *saved_gate;

static void saved_gate_event(void *context, enum sto_gate_event event, uint16_t asc_ascq)
{
    (void)context, (void)event, (void)asc_ascq;
}

static int saved_submit(void *to, struct sto_request *request)
{
    return sto_gate_submit(to, request);
}

static void saved_done(void *context, enum sto_rc rc)
{
    (void)context;
    looked = true;
    looked_rc = rc;
}

static void wait_looked(struct lun_file *file)
{
    looked = false;
    for (unsigned i = 0; i < 1000 && !looked; i++) {
        struct pollfd fd = { .fd = sto_lun_fd(file->lun), .events = sto_lun_events(file->lun) };

        (void)poll(&fd, 1, 10);
        sto_lun_service(file->lun, fd.revents);
    }
    CU_ASSERT_TRUE(looked);
    CU_ASSERT_EQUAL(looked_rc, STO_OK);
}

static void put_header(struct lun_file *file, unsigned slot, enum sto_saved_state state,
                       uint64_t generation)
{
    const struct sto_saved header = { .state = state, .generation = generation, .node = 1 };
    static uint8_t page[4096] __attribute__((aligned(4096)));

    memset(page, 0, sizeof(page));
    sto_saved_encode(&header, page);
    CU_ASSERT_EQUAL(
        lun_file_move(file, STO_OP_WRITE, slot * STO_STATE_HEADER_BYTES, page, sizeof(page), NULL),
        STO_OK);
}

static void looks_and_consumes(void)
{
    struct lun_file file;

    lun_file_make(&file);
    lun_file_start(&file, "", &(struct sto_lun_options) { 0 });
    saved_gate = sto_gate_new(file.lun, saved_gate_event, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(saved_gate);
    CU_ASSERT_EQUAL_FATAL(sv_saved_init(&saved, saved_submit, saved_gate, 0, 512, saved_done, NULL),
                          0);
    sv_saved_look(&saved); /* it waits as a guest's requests do */
    CU_ASSERT_EQUAL(sto_gate_stats(saved_gate).waiting, 1);
    sto_gate_open(saved_gate);
    wait_looked(&file);
    CU_ASSERT_EQUAL(saved.look.verdict, STO_SAVED_CLEAN);
    put_header(&file, 0, STO_SAVED_CONSUMED, 4);
    put_header(&file, 1, STO_SAVED_COMMITTED, 5);
    sv_saved_look(&saved);
    sv_saved_look(&saved); /* twice: one go follows the other */
    wait_looked(&file);
    CU_ASSERT_EQUAL(saved.look.verdict, STO_SAVED_WAITS);
    CU_ASSERT_EQUAL(saved.look.saved.generation, 5);
    sv_saved_consume(&saved);
    wait_looked(&file);
    CU_ASSERT_EQUAL(saved.look.verdict, STO_SAVED_CLEAN);
    CU_ASSERT_EQUAL(saved.look.saved.state, STO_SAVED_CONSUMED);
    CU_ASSERT_TRUE(saved.writes >= 2); /* both slots */
    /* a header is on its way: what is read meanwhile, or was begun before it ended, opens nothing
     */
    sv_saved_shut(&saved);
    sv_saved_look(&saved);
    wait_looked(&file);
    CU_ASSERT_TRUE(saved.shut);
    sv_saved_look(&saved);
    sv_saved_shut_end(&saved);
    CU_ASSERT_TRUE(saved.shut);
    wait_looked(&file);
    CU_ASSERT_FALSE(saved.shut);
    /* another ownership: what was read of the one before is no verdict */
    sv_saved_look(&saved);
    sv_saved_forget(&saved);
    sv_saved_look(&saved);
    CU_ASSERT_FALSE(saved.known);
    wait_looked(&file);
    CU_ASSERT_TRUE(saved.known);
    sto_gate_kill(saved_gate); /* lost */
    looked = false;
    sv_saved_look(&saved);
    CU_ASSERT_TRUE(looked && sto_rc_unsettled(looked_rc));
    looked = false;
    sv_saved_end(&saved);
    sv_saved_look(&saved);
    CU_ASSERT_FALSE(looked);
    sv_saved_fini(&saved);
    sto_gate_free(saved_gate);
    lun_file_end(&file);
}

static enum sv_saved_write judge(enum sto_saved_state state, uint64_t offset, size_t bytes)
{
    static uint8_t data[8192];
    const struct sto_saved header = { .state = state, .generation = 1 };
    const struct iovec pieces[2] = { { data, 100 }, { data + 100, bytes - 100 } };
    const uint64_t slot = offset > 4096 ? STO_STATE_HEADER_BYTES : 0;

    memset(data, 0, sizeof(data));
    if (state != 0 && offset <= slot)
        sto_saved_encode(&header, data + (slot - offset));
    return sv_saved_judge_write(offset, bytes, pieces, 2);
}

static void judges_writes(void)
{
    const uint64_t second = STO_STATE_HEADER_BYTES;

    CU_ASSERT_EQUAL(judge(STO_SAVED_COMMITTED, 0, 512), SV_SAVED_SHUTS);
    CU_ASSERT_EQUAL(judge(STO_SAVED_CLAIMED, second, 4096), SV_SAVED_SHUTS);
    CU_ASSERT_EQUAL(judge(STO_SAVED_COMMITTED, second - 512, 2048), SV_SAVED_SHUTS);
    CU_ASSERT_EQUAL(judge(STO_SAVED_WRITING, 0, 512), SV_SAVED_HARMLESS);
    CU_ASSERT_EQUAL(judge(STO_SAVED_CONSUMED, second, 512), SV_SAVED_HARMLESS);
    CU_ASSERT_EQUAL(judge(0, 0, 512), SV_SAVED_SHUTS); /* garbage: who knows */
    CU_ASSERT_EQUAL(judge(0, 512, 4096), SV_SAVED_NOT_A_HEADER);
    CU_ASSERT_EQUAL(judge(0, second + 512, 512), SV_SAVED_NOT_A_HEADER);
    CU_ASSERT_EQUAL(sv_saved_judge_write(0, 4096, NULL, 0), SV_SAVED_SHUTS); /* discarded */
}

static void resolves(void)
{
    struct hw_error error = { 0 };
    struct sto_url url;

    CU_ASSERT_EQUAL(sto_url_parse("iscsi://127.0.0.1;localhost:99/iqn.2026-11.x:y/1", &url, NULL),
                    0);
    CU_ASSERT_EQUAL(sv_resolve_portals(&url, &error), 0);
    CU_ASSERT_TRUE(url.portal_count >= 2);
    CU_ASSERT_STRING_EQUAL(url.portals[0].host, "127.0.0.1");
    CU_ASSERT_EQUAL(url.portals[1].port, 99);
    CU_ASSERT_NOT_EQUAL(url.portals[1].host[0], 'l');
    CU_ASSERT_EQUAL(sto_url_parse("iscsi://no-such-host.invalid/iqn.2026-11.x:y/1", &url, NULL), 0);
    CU_ASSERT_EQUAL(sv_resolve_portals(&url, &error), -EHOSTUNREACH);
    CU_ASSERT_STRING_EQUAL(error.object, "no-such-host.invalid");
}

const struct unit_case unit_cases[] = {
    { "the shared page says all or nothing, and readers cannot write", publishes },
    { "feeds move the deadline, and only the right ones", keeps_a_lease },
    { "the lease thread's memory stays, a guest's may go", locks_its_memory },
    { "header slots are looked at, and consumed in both", looks_and_consumes },
    { "a write of a header that forbids to write the disks is seen", judges_writes },
    { "portals are looked up before lock-in", resolves },
    { 0 },
};
