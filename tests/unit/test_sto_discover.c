/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/sto_discover: lists of LUNs are decoded whatever a target says, and a portal that is not
 * there or says nothing is told in words.
 */
#include <config.h>

#include "storage/sto_discover.h"

#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sto_targets targets;

static void decodes_lists(void)
{
    const uint8_t answer[] = { 0,    0,    0,    48,   0, 0, 0, 0,   /* six LUNs */
                               0,    5,    0,    0,    0, 0, 0, 0,   /* peripheral 5 */
                               0,    0,    0,    0,    0, 0, 0, 0,   /* 0 */
                               0x41, 0x02, 0,    0,    0, 0, 0, 0,   /* flat 258 */
                               0x01, 0x05, 0,    0,    0, 0, 0, 0,   /* on another bus */
                               0xc1, 0x05, 0,    0,    0, 0, 0, 0,   /* extended */
                               0x00, 0x07, 0x00, 0x01, 0, 0, 0, 0 }; /* on a second level */
    uint16_t luns[STO_DISCOVER_LUNS];

    CU_ASSERT_EQUAL(sto_discover_decode_luns(answer, sizeof(answer), luns), 3);
    CU_ASSERT(luns[0] == 0 && luns[1] == 5 && luns[2] == 258);
    for (size_t cut = 0; cut < sizeof(answer); cut++)
        CU_ASSERT(sto_discover_decode_luns(answer, cut, luns) <= cut / 8);
}

static void bounds_lists(void)
{
    static uint8_t answer[8 + 8 * (STO_DISCOVER_LUNS + 10)];
    uint16_t luns[STO_DISCOVER_LUNS];

    memset(answer, 0, sizeof(answer));
    memset(answer, 0xff, 4); /* claims 4 GiB */
    CU_ASSERT_EQUAL(sto_discover_decode_luns(answer, sizeof(answer), luns), STO_DISCOVER_LUNS);
    memset(answer, 0, 4); /* claims nothing */
    CU_ASSERT_EQUAL(sto_discover_decode_luns(answer, sizeof(answer), luns), 0);
}

/* A socket on a free loopback port, listening or only bound. */
static int local_socket(bool listens, uint16_t *ret_port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    CU_ASSERT_EQUAL_FATAL(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    if (listens)
        CU_ASSERT_EQUAL_FATAL(listen(fd, 1), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static int discover(uint16_t port, uint32_t timeout_ms, struct hw_error *error)
{
    struct sto_url url = { .portal_count = 1 };

    snprintf(url.portals[0].host, sizeof(url.portals[0].host), "127.0.0.1");
    url.portals[0].port = port;
    return sto_discover_targets(&url, "iqn.2026-11.test:unit", timeout_ms, &targets, error);
}

static void tells_a_portal_that_is_not_there(void)
{
    struct hw_error error = { 0 };
    uint16_t port;
    int fd = local_socket(false, &port);

    CU_ASSERT_EQUAL(discover(port, 10000, &error), -EHOSTUNREACH);
    CU_ASSERT_EQUAL(error.kind, HW_ERROR_FAILED);
    CU_ASSERT_EQUAL(targets.count, 0);
    close(fd);
}

static void tells_a_portal_that_says_nothing(void)
{
    struct hw_error error = { 0 };
    uint16_t port;
    int fd = local_socket(true, &port);

    CU_ASSERT_EQUAL(discover(port, 200, &error), -ETIMEDOUT);
    CU_ASSERT_EQUAL(error.kind, HW_ERROR_TIMED_OUT);
    close(fd);
}

const struct unit_case unit_cases[] = {
    { "lists of LUNs are decoded", decodes_lists },
    { "lists that lie about their length stay bounded", bounds_lists },
    { "a portal that is not there is told", tells_a_portal_that_is_not_there },
    { "a portal that says nothing is told", tells_a_portal_that_says_nothing },
    { 0 },
};
