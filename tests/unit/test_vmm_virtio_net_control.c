/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/virtio/vmm_virtio_net_control: a driver says what it wants to hear and what its address
 * is, and tells others where it is.
 */
#include <config.h>

#include <errno.h>

#include "tests/unit/net_world.h"

enum { OK = 0, ERR = 1, NO_ANSWER = 0x5a, ANSWER_AT = 8192, FILTERS = VMM_VIRTIO_NET_FILTERS };
enum { STATE_BYTES = 8 + 6 + 2 * (3 + 64 * 6) + VMM_PCI_STATE_BYTES + 25 + 3 * 31 };
#define CTRL_VQ    (UINT64_C(1) << 17)
#define CTRL_RX    (UINT64_C(1) << 18)
#define RX_EXTRA   (UINT64_C(1) << 20)
#define ANNOUNCES  (UINT64_C(1) << 21)
#define CTRL_MAC   (UINT64_C(1) << 23)
#define HAS_STATUS (UINT64_C(1) << 16)
#define ALL        (CTRL_VQ | CTRL_RX | RX_EXTRA | ANNOUNCES | CTRL_MAC | HAS_STATUS)

static struct net_world n;
static struct virtio_world *const w = &n.world;

/* What these bytes are answered with, in pieces of `step`. */
static unsigned command_in(const uint8_t *bytes, unsigned count, unsigned step)
{
    unsigned i = 0;

    memcpy(w->memory + DATA, bytes, count);
    w->memory[DATA + ANSWER_AT] = NO_ANSWER;
    for (unsigned at = 0; at < count; at += step)
        net_piece(&n, CONTROL, i++, at, step < count - at ? step : count - at, VH_DESC_F_NEXT);
    net_piece(&n, CONTROL, i, ANSWER_AT, 1, VH_DESC_F_WRITE);
    offer(w, CONTROL, SIZE, 0);
    kick(w, CONTROL);
    return w->memory[DATA + ANSWER_AT];
}

static unsigned command(unsigned class, unsigned which, unsigned value)
{
    const uint8_t bytes[] = { (uint8_t) class, (uint8_t)which, (uint8_t)value };

    return command_in(bytes, sizeof(bytes), 2);
}

/* A frame to this address comes through. */
static bool heard(const char *to)
{
    const unsigned before = net_used(&n, RECEIVE);

    memcpy(n.to, to, sizeof(n.to));
    n.frames = 1;
    net_piece(&n, RECEIVE, 0, 4096, 200, VH_DESC_F_WRITE);
    if ((word(w, AVAIL + 2) - before) == 0)
        offer(w, RECEIVE, SIZE, 0);
    (void)vmm_virtio_net_receive(n.net);
    CU_ASSERT_EQUAL(n.frames, 0);
    return net_used(&n, RECEIVE) != before;
}

#define OWN       "\x52\x54\x00\x01\x02\x03"
#define OTHER     "\x52\x54\x00\x01\x02\x04"
#define GROUP     "\x33\x33\x00\x00\x00\x01"
#define BROADCAST "\xff\xff\xff\xff\xff\xff"

static void hear_all(bool own, bool other, bool group, bool broadcast)
{
    CU_ASSERT_EQUAL(heard(OWN), own);
    CU_ASSERT_EQUAL(heard(OTHER), other);
    CU_ASSERT_EQUAL(heard(GROUP), group);
    CU_ASSERT_EQUAL(heard(BROADCAST), broadcast);
}

static void modes(void)
{
    net_begin(&n, ALL);
    hear_all(true, true, true, true);
    CU_ASSERT_EQUAL(command(0, 0, 0), OK); /* not everything */
    hear_all(true, false, false, true);
    CU_ASSERT_EQUAL(command(0, 1, 1), OK); /* all multicast */
    hear_all(true, false, true, true);
    CU_ASSERT_EQUAL(command(0, 3, 1), OK); /* no multicast */
    hear_all(true, false, false, true);
    CU_ASSERT_EQUAL(command(0, 2, 1), OK); /* all unicast */
    hear_all(true, true, false, true);
    CU_ASSERT_EQUAL(command(0, 4, 1), OK); /* no unicast */
    hear_all(false, false, false, true);
    CU_ASSERT_EQUAL(command(0, 5, 1), OK); /* no broadcast */
    hear_all(false, false, false, false);
    CU_ASSERT_EQUAL(command(0, 0, 1), OK);
    hear_all(true, true, true, true);
    CU_ASSERT_EQUAL(command(0, 6, 1), ERR);
    net_end(&n);
}

/* Tables of `unicast` and `multicast` addresses, OTHER and GROUP the last ones. */
static unsigned tables(unsigned unicast, unsigned multicast, unsigned missing)
{
    static uint8_t bytes[2 + 8 + 2 * 6 * 100];
    unsigned at = 2;

    memset(bytes, 0, sizeof(bytes));
    bytes[0] = 1;
    bytes[at] = (uint8_t)unicast;
    at += 4 + unicast * 6;
    memcpy(bytes + at - 6, OTHER, unicast > 0 ? 6 : 0);
    bytes[at] = (uint8_t)multicast;
    at += 4 + multicast * 6;
    memcpy(bytes + at - 6, GROUP, multicast > 0 ? 6 : 0);
    return command_in(bytes, at - missing, 100);
}

static void lists(void)
{
    net_begin(&n, ALL);
    CU_ASSERT_EQUAL(command(0, 0, 0), OK);
    CU_ASSERT_EQUAL(tables(1, 0, 0), OK);
    hear_all(true, true, false, true);
    CU_ASSERT_EQUAL(tables(0, FILTERS, 0), OK);
    hear_all(true, false, true, true);
    CU_ASSERT_FALSE(heard("\x33\x33\x00\x00\x00\x02"));
    CU_ASSERT_EQUAL(tables(0, FILTERS + 1, 0), OK); /* too many: all */
    CU_ASSERT_TRUE(heard("\x33\x33\x00\x00\x00\x02"));
    CU_ASSERT_FALSE(heard(OTHER));
    CU_ASSERT_EQUAL(tables(2, 2, 1), ERR); /* cut off: nothing changes */
    CU_ASSERT_EQUAL(tables(FILTERS + 1, 0, 5), ERR);
    CU_ASSERT_FALSE(heard(OTHER));
    CU_ASSERT_EQUAL(tables(0, 0, 0), OK);
    hear_all(true, false, false, true);
    net_end(&n);
}

static void another_address(void)
{
    uint8_t mac[6];

    net_begin(&n, ALL);
    CU_ASSERT_EQUAL(command(0, 0, 0), OK);
    CU_ASSERT_EQUAL(command_in((const uint8_t *)"\x01\x01" OTHER, 7, 3), ERR); /* cut off */
    CU_ASSERT_EQUAL(command_in((const uint8_t *)"\x01\x01" OTHER, 8, 3), OK);
    hear_all(false, true, false, true);
    vmm_virtio_net_mac(n.net, mac);
    CU_ASSERT_EQUAL(memcmp(mac, OTHER, 6), 0);
    CU_ASSERT_EQUAL(reg(w, CONFIG_PAGE + 4, 2), 0x0402);
    set(w, DEVICE_STATUS, 1, 0);
    vmm_virtio_net_mac(n.net, mac);
    CU_ASSERT_EQUAL(memcmp(mac, OWN, 6), 0);
    net_end(&n);
}

static void it_announces(void)
{
    net_begin(&n, ALL);
    vmm_virtio_net_announce(n.net);
    CU_ASSERT_EQUAL(reg(w, NET_STATUS_AT, 2), LINK_UP | ANNOUNCE);
    CU_ASSERT_EQUAL(reg(w, ISR_PAGE, 1), ISR_CONFIG);
    CU_ASSERT_EQUAL(command(3, 0, 0), OK);
    CU_ASSERT_EQUAL(reg(w, NET_STATUS_AT, 2), LINK_UP);
    CU_ASSERT_EQUAL(command(3, 1, 0), ERR);
    net_end(&n);
    net_begin(&n, ALL & ~ANNOUNCES);
    vmm_virtio_net_announce(n.net);
    CU_ASSERT_EQUAL(reg(w, NET_STATUS_AT, 2), LINK_UP);
    net_end(&n);
}

/* What was not agreed to, or means nothing. */
static void wrong_commands(void)
{
    net_begin(&n, CTRL_VQ);
    CU_ASSERT_EQUAL(command(0, 0, 0), ERR);
    CU_ASSERT_EQUAL(command(0, 2, 1), ERR);
    CU_ASSERT_EQUAL(tables(0, 0, 0), ERR);
    CU_ASSERT_EQUAL(command_in((const uint8_t *)"\x01\x01" OTHER, 8, 3), ERR);
    CU_ASSERT_EQUAL(command(3, 0, 0), ERR);
    CU_ASSERT_EQUAL(command(2, 0, 0), ERR);
    CU_ASSERT_EQUAL(command(1, 2, 0), ERR);
    CU_ASSERT_EQUAL(command_in((const uint8_t *)"\0", 1, 1), ERR);
    hear_all(true, true, true, true);
    net_piece(&n, CONTROL, 0, 0, 3, 0); /* nowhere to answer */
    offer(w, CONTROL, SIZE, 0);
    kick(w, CONTROL);
    CU_ASSERT_EQUAL(net_used(&n, CONTROL), 9);
    CU_ASSERT_EQUAL(net_used_bytes(&n, CONTROL, 7), 1);
    CU_ASSERT_EQUAL(net_used_bytes(&n, CONTROL, 8), 0);
    net_end(&n);
}

/* What it was told is known where it goes on, and nothing that cannot be. */
static void it_goes_on_elsewhere(void)
{
    static uint8_t bytes[STATE_BYTES];

    net_begin(&n, ALL);
    CU_ASSERT_EQUAL(command(0, 0, 0), OK);
    CU_ASSERT_EQUAL(tables(1, 1, 0), OK);
    CU_ASSERT_EQUAL(command_in((const uint8_t *)"\x01\x01\x02\x00\x00\x00\x00\x09", 8, 8), OK);
    vmm_virtio_net_announce(n.net);
    dev_save(&w->dev, bytes, sizeof(bytes));
    CU_ASSERT_EQUAL(dev_load(&w->dev, bytes, sizeof(bytes)), 0);
    vmm_dev_resume(&w->dev);
    hear_all(false, true, true, true);
    CU_ASSERT_TRUE(heard("\x02\x00\x00\x00\x00\x09"));
    CU_ASSERT_EQUAL(reg(w, NET_STATUS_AT, 2), LINK_UP | ANNOUNCE);
    bytes[8 + 6 + 1] = FILTERS + 1; /* addresses of the first kind */
    CU_ASSERT_EQUAL(dev_load(&w->dev, bytes, sizeof(bytes)), -EBADMSG);
    virtio_drive(w, VERSION_1 | ALL, 3, SIZE);
    net_end(&n);
}

const struct unit_case unit_cases[] = {
    { "modes", modes },
    { "lists", lists },
    { "another address", another_address },
    { "it announces", it_announces },
    { "wrong commands", wrong_commands },
    { "it goes on elsewhere", it_goes_on_elsewhere },
    { 0 },
};
