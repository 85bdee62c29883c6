/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The last look at the lease (storage/sto_wire, the held data session of
 * storage/sto_iscsi_session): time passes the deadline after each single system call that sends, as
 * when the process is stopped there and goes on later. Nothing is sent after it; after a renewal
 * all goes on, once. The oracle is this program's own sendto() and sendmsg(), below everything that
 * is tested.
 */
#include <config.h>

#include "storage/sto_wire.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "storage/sto_lun.h"
#include "storage/sto_url.h"
#include "tests/unit/iscsi_target.h"
#include "tests/unit/unit.h"

enum {
    DAY_MS = 24 * 3600 * 1000,
    WRITE_BYTES = 1024 * 1024,
    NARROW_BYTES = 40 * 1024,
    TURNS = 20000,
    QUIET_MS = 30
};
static const int64_t day_ns = (int64_t)DAY_MS * 1000000;

static pthread_t tested; /* not the target's threads */
static bool counting;
static unsigned calls, jump_at; /* time jumps after so many calls; 0: before the first */
static unsigned late;           /* calls made when the lease was over */
static int64_t jumped_ns;
static _Atomic int64_t until_ns;
static int last_flags;  /* of the last call that sends */
static unsigned pushes; /* TCP_NODELAY set: what the kernel keeps back goes out */
static uint8_t data[WRITE_BYTES];

static int64_t now_ns(void *context)
{
    (void)context;
    return hw_clock_now_ns(hw_clock_boottime()) + jumped_ns;
}

static const struct hw_clock test_clock = { now_ns, NULL };

/* A system call that sends was made by the code under test. */
static void note_call(void)
{
    if (!counting || !pthread_equal(pthread_self(), tested))
        return;
    if (now_ns(NULL) >= until_ns)
        late++;
    if (++calls == jump_at)
        jumped_ns += 2 * day_ns;
}

ssize_t sendto(int fd, const void *bytes, size_t size, int flags, const struct sockaddr *to,
               socklen_t to_bytes)
{
    note_call();
    last_flags = flags;
    return (ssize_t)syscall(SYS_sendto, fd, bytes, size, flags, to, to_bytes);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    note_call();
    last_flags = flags;
    return (ssize_t)syscall(SYS_sendmsg, fd, message, flags);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t bytes)
{
    if (level == IPPROTO_TCP && name == TCP_NODELAY)
        pushes++;
    return (int)syscall(SYS_setsockopt, fd, level, name, value, bytes);
}

static struct sto_lun *lun;
static unsigned ended;

static void op_ended(struct sto_op *op)
{
    (void)op;
    ended++;
}

static void log_in(enum sto_session session)
{
    struct sto_op op = { .kind = STO_OP_LOGIN, .session = session, .done = op_ended };

    CU_ASSERT_EQUAL_FATAL(sto_run_op(lun, &op), 0);
    CU_ASSERT_EQUAL_FATAL(op.result.rc, STO_OK);
}

static void start(bool narrow)
{
    const struct sto_lun_options options = { .initiator = "iqn.2026-11.test:wire",
                                             .connect_ms = DAY_MS,
                                             .io_timeout_ms = UINT32_MAX,
                                             .nop_ms = 10 * DAY_MS,
                                             .clock = &test_clock };
    char text[128];
    struct sto_url url;
    uint16_t port;

    target_set_narrow(narrow);
    port = target_start();
    CU_ASSERT_FATAL(port != 0);
    tested = pthread_self();
    counting = false;
    jumped_ns = 0;
    calls = late = jump_at = 0;
    (void)snprintf(text, sizeof(text), "iscsi://127.0.0.1:%u/iqn.2026-11.test:target/1", port);
    CU_ASSERT_EQUAL_FATAL(sto_url_parse(text, &url, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(sto_lun_open(&url, &options, &lun, NULL), 0);
    log_in(STO_SESSION_DATA);
    log_in(STO_SESSION_CONTROL);
    CU_ASSERT_EQUAL_FATAL(sto_run_identify(lun, DAY_MS, NULL, NULL), 0);
    until_ns = now_ns(NULL) + day_ns;
    sto_lun_set_lease(lun, &until_ns);
}

static void stop(void)
{
    counting = false;
    sto_lun_close(lun);
    target_stop();
}

/* Service until all `wanted` have ended, or nothing happens any more. False: it never rests. */
static bool settle(unsigned wanted)
{
    for (unsigned turn = 0; turn < TURNS; turn++) {
        struct pollfd poll_fd = { .fd = sto_lun_fd(lun), .events = sto_lun_events(lun) };

        if (ended >= wanted)
            return true;
        if (poll(&poll_fd, 1, QUIET_MS) == 0 && now_ns(NULL) >= until_ns)
            return true;
        sto_lun_service(lun, poll_fd.revents);
    }
    return false;
}

/* A write whose time passes after call number `at`. True if it ended before that. */
static bool one_write(bool narrow, unsigned at)
{
    struct iovec iov = { data, narrow ? NARROW_BYTES : WRITE_BYTES };
    struct sto_op op = {
        .kind = STO_OP_WRITE, .flags = STO_LEASED, .iov = &iov, .iov_count = 1, .done = op_ended
    };
    struct sto_op control = {
        .kind = STO_OP_SCSI, .session = STO_SESSION_CONTROL, .cdb_bytes = 6, .done = op_ended
    };
    const size_t written = iov.iov_len;
    bool reached;

    start(narrow);
    memset(data, (int)(at % 255 + 1), iov.iov_len);
    memset(target_disk(), 0, iov.iov_len);
    ended = 0;
    jump_at = at;
    if (at == 0)
        jumped_ns += 2 * day_ns;
    counting = true;
    CU_ASSERT_EQUAL_FATAL(sto_lun_submit(lun, &op), 0);
    CU_ASSERT(settle(1)); /* and waits without turning round */
    counting = false;
    CU_ASSERT_EQUAL(late, 0);
    reached = at == 0 || calls >= at;
    if (reached && ended == 0) {
        CU_ASSERT_EQUAL(sto_run_op(lun, &control), 0); /* TEST UNIT READY is not held */
        CU_ASSERT_EQUAL(control.result.rc, STO_OK);
        CU_ASSERT_EQUAL(ended, 0); /* the write still is */
        until_ns = now_ns(NULL) + day_ns;
        sto_lun_service(lun, 0);
        CU_ASSERT(settle(1));
        CU_ASSERT_EQUAL(ended, 1);
    }
    CU_ASSERT_EQUAL(op.result.rc, STO_OK);
    CU_ASSERT_EQUAL(memcmp(target_disk(), data, written), 0);
    CU_ASSERT_EQUAL(target_seen().connections, 2); /* nothing was lost on the way */
    stop();
    return !reached;
}

static void every_call(bool narrow)
{
    unsigned at = 0;

    while (!one_write(narrow, at) && at < 400)
        at++;
    CU_ASSERT(at > 2); /* the command, and data that came later */
    CU_ASSERT(at < 400);
}

static void data_that_an_r2t_asks_for(void)
{
    every_call(false);
}

static void data_that_the_socket_does_not_take(void)
{
    every_call(true);
}

/* A lease that the target alone makes longer: the session is given up where it would have sent. */
static bool one_expiry(unsigned at)
{
    struct iovec iov = { data, WRITE_BYTES };
    struct sto_op op = {
        .kind = STO_OP_WRITE, .flags = STO_LEASED, .iov = &iov, .iov_count = 1, .done = op_ended
    };
    bool reached;

    start(false);
    sto_lun_set_lease(lun, NULL);
    sto_lun_set_expiry(lun, until_ns);
    ended = 0;
    jump_at = at;
    if (at == 0)
        jumped_ns += 2 * day_ns;
    counting = true;
    CU_ASSERT_EQUAL_FATAL(sto_lun_submit(lun, &op), 0);
    for (unsigned turn = 0; ended == 0 && turn < TURNS; turn++) {
        struct pollfd poll_fd = { .fd = sto_lun_fd(lun), .events = sto_lun_events(lun) };

        (void)poll(&poll_fd, 1, QUIET_MS);
        sto_lun_service(lun, poll_fd.revents);
    }
    counting = false;
    CU_ASSERT_EQUAL(late, 0);
    CU_ASSERT_EQUAL(ended, 1);
    reached = at == 0 || calls >= at;
    CU_ASSERT(op.result.rc == STO_OK || (reached && op.result.rc == STO_UNKNOWN));
    stop();
    return op.result.rc == STO_OK;
}

static void given_up_where_it_expires(void)
{
    unsigned at = 0;

    while (!one_expiry(at) && at < 400)
        at++;
    CU_ASSERT(at >= 2); /* the command, and its data */
    CU_ASSERT(at < 400);
}

/* Without the mark nothing is held; other descriptors and threads never are. */
static void only_what_is_leased(void)
{
    struct sto_op op = { .kind = STO_OP_FLUSH, .done = op_ended };
    struct sto_wire wire = { .clock = &test_clock, .until_ns = &until_ns };
    int pair[2];

    start(false);
    until_ns = 0;
    CU_ASSERT_EQUAL(sto_run_op(lun, &op), 0);
    CU_ASSERT_EQUAL(op.result.rc, STO_OK);
    stop();
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    wire.fd = pair[0];
    sto_wire_enter(&wire);
    CU_ASSERT_EQUAL(send(pair[0], "x", 1, 0), -1);
    CU_ASSERT_EQUAL(send(pair[1], "x", 1, 0), 1);
    until_ns = now_ns(NULL) + day_ns;
    CU_ASSERT_EQUAL(send(pair[0], "x", 1, 0), 1);
    until_ns = 0;
    sto_wire_leave();
    CU_ASSERT_EQUAL(send(pair[0], "x", 1, 0), 1);
    CU_ASSERT(wire.seen);
    (void)close(pair[0]);
    (void)close(pair[1]);
}

/* A PDU's header waits in the kernel for its data, and for nothing else. */
static void a_header_goes_out_with_its_data(void)
{
    uint8_t pdu[48 + 8] = { 0 };
    struct iovec iov = { data, 512 };
    struct sto_wire wire = { .clock = &test_clock };
    int pair[2];

    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    wire.fd = pair[0];
    pushes = 0;
    sto_wire_enter(&wire);
    CU_ASSERT_EQUAL(send(pair[0], pdu, 48, 0), 48); /* without data */
    CU_ASSERT_EQUAL(last_flags & MSG_MORE, 0);
    pdu[6] = 2;
    CU_ASSERT_EQUAL(send(pair[0], pdu, 47, 0), 47); /* the rest of something */
    CU_ASSERT_EQUAL(last_flags & MSG_MORE, 0);
    CU_ASSERT_EQUAL(send(pair[0], pdu, 48 + 8, 0), 48 + 8); /* with them */
    CU_ASSERT_EQUAL(last_flags & MSG_MORE, 0);
    CU_ASSERT_EQUAL(send(pair[0], pdu, 48, 0), 48); /* before them */
    CU_ASSERT_EQUAL(last_flags & MSG_MORE, MSG_MORE);
    CU_ASSERT_EQUAL(writev(pair[0], &iov, 1), 512);
    CU_ASSERT_EQUAL(last_flags & MSG_MORE, 0);
    sto_wire_leave();
    CU_ASSERT_EQUAL(pushes, 0);
    sto_wire_enter(&wire);
    CU_ASSERT_EQUAL(send(pair[0], pdu, 48, 0), 48);
    sto_wire_leave(); /* the data did not come */
    CU_ASSERT_EQUAL(pushes, 1);
    (void)close(pair[0]);
    (void)close(pair[1]);
}

const struct unit_case unit_cases[] = {
    { "only what is leased is held", only_what_is_leased },
    { "a header goes out with its data", a_header_goes_out_with_its_data },
    { "the deadline passes after each call: solicited data", data_that_an_r2t_asks_for },
    { "the deadline passes after each call: a full socket", data_that_the_socket_does_not_take },
    { "a lease that only the target makes longer", given_up_where_it_expires },
    { NULL, NULL },
};
