/* SPDX-License-Identifier: GPL-2.0-or-later */
/* storage/vhost/vh_msg: messages whole, in pieces, with descriptors, and what is none. */
#include <config.h>

#include "storage/vhost/vh_msg.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static int ends[2];
static struct vh_msg_reader reader;

static void begin(void)
{
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    vh_msg_reader_init(&reader);
}

static void end(void)
{
    vh_msg_reader_next(&reader);
    close(ends[0]);
    if (ends[1] >= 0)
        close(ends[1]);
}

static unsigned open_fds(void)
{
    DIR *directory = opendir("/proc/self/fd");
    unsigned count = 0;

    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

static void whole(void)
{
    struct vh_msg msg = { .request = VH_SET_FEATURES, .flags = VH_VERSION };
    unsigned before;

    begin();
    before = open_fds();
    vh_msg_put_u64(&msg, 0x1122334455667788);
    vh_msg_put_u32(&msg, 7);
    vh_msg_put_u16(&msg, 9);
    msg.fds[0] = msg.fds[1] = ends[0];
    msg.fd_count = 2;
    CU_ASSERT_EQUAL(vh_msg_receive(&reader, ends[1]), 0);
    CU_ASSERT_EQUAL(vh_msg_send(ends[0], &msg), 0);
    CU_ASSERT_EQUAL(vh_msg_receive(&reader, ends[1]), 1);
    CU_ASSERT_EQUAL(reader.msg.request, VH_SET_FEATURES);
    CU_ASSERT_EQUAL(vh_msg_get_u64(&reader.msg, 0), 0x1122334455667788);
    CU_ASSERT_EQUAL(vh_msg_get_u32(&reader.msg, 8), 7);
    CU_ASSERT_EQUAL(vh_msg_get_u16(&reader.msg, 12), 9);
    CU_ASSERT_EQUAL(vh_msg_get_u64(&reader.msg, 8), 0); /* behind its end */
    CU_ASSERT_EQUAL(reader.msg.fd_count, 2);
    close(vh_msg_take_fd(&reader.msg, 0));
    CU_ASSERT_EQUAL(vh_msg_take_fd(&reader.msg, 0), -1);
    CU_ASSERT_EQUAL(vh_msg_take_fd(&reader.msg, 5), -1);
    vh_msg_reader_next(&reader); /* the other one is closed by itself */
    CU_ASSERT_EQUAL(open_fds(), before);
    end();
}

static void in_pieces(void)
{
    const uint32_t words[] = { VH_SET_VRING_NUM, VH_VERSION, 8, 1, 2 };

    begin();
    for (size_t i = 0; i < sizeof(words); i++) {
        CU_ASSERT_EQUAL(vh_msg_receive(&reader, ends[1]), 0);
        CU_ASSERT_EQUAL(write(ends[0], (const uint8_t *)words + i, 1), 1);
    }
    CU_ASSERT_EQUAL(vh_msg_receive(&reader, ends[1]), 1);
    CU_ASSERT_EQUAL(vh_msg_get_u32(&reader.msg, 4), 2);
    end();
}

static void refused(const uint32_t *words, size_t bytes)
{
    begin();
    CU_ASSERT_EQUAL(write(ends[0], words, bytes), (ssize_t)bytes);
    CU_ASSERT_EQUAL(vh_msg_receive(&reader, ends[1]), -EPROTO);
    end();
}

static void no_messages(void)
{
    const uint32_t version[] = { VH_SET_OWNER, 2, 0 }, length[] = { VH_SET_OWNER, 1, 513 };
    struct vh_msg msg = { .request = VH_SET_OWNER, .flags = VH_VERSION };
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(12 * sizeof(int))];
    } rights = { 0 };
    struct iovec iov = { .iov_base = &msg, .iov_len = 12 };
    struct msghdr many = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &rights, .msg_controllen = sizeof(rights)
    };
    unsigned before;

    refused(version, sizeof(version));
    refused(length, sizeof(length));
    begin(); /* more descriptors than any message has: none is left open */
    before = open_fds();
    rights.header.cmsg_level = SOL_SOCKET;
    rights.header.cmsg_type = SCM_RIGHTS;
    rights.header.cmsg_len = CMSG_LEN(12 * sizeof(int));
    for (unsigned i = 0; i < 12; i++)
        memcpy(CMSG_DATA(&rights.header) + i * sizeof(int), &ends[0], sizeof(int));
    CU_ASSERT_EQUAL(sendmsg(ends[0], &many, 0), 12);
    CU_ASSERT_EQUAL(vh_msg_receive(&reader, ends[1]), -EPROTO);
    vh_msg_reader_next(&reader);
    CU_ASSERT_EQUAL(open_fds(), before);
    end();
}

static void ends_of_streams(void)
{
    struct vh_msg msg = { .request = VH_SET_OWNER, .flags = VH_VERSION };
    int rc = 0;

    begin();
    for (unsigned i = 0; i < 1000000 && rc == 0; i++) /* nobody reads */
        rc = vh_msg_send(ends[0], &msg);
    CU_ASSERT_EQUAL(rc, -EAGAIN);
    end();
    begin();
    close(ends[0]);
    CU_ASSERT_EQUAL(vh_msg_receive(&reader, ends[1]), -ECONNRESET);
    ends[0] = dup(ends[1]);
    CU_ASSERT_EQUAL(vh_msg_send(ends[1], &msg), -EPIPE);
    end();
}

const struct unit_case unit_cases[] = {
    { "a message arrives with its words and descriptors", whole },
    { "a message arrives byte by byte", in_pieces },
    { "what is no message is refused, and leaks nothing", no_messages },
    { "a peer that is stuck or gone is told of", ends_of_streams },
    { 0 },
};
