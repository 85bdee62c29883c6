/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netecho: gives back what comes: frames of our own, ICMP echo requests (RFC 792) and UDP for port
 * 7 (RFC 862); ARP (RFC 826) says where it is. netping: sends numbered frames of our own and looks
 * at what comes back.
 */
#include "tests/guest/call.h"
#include "tests/guest/net.h"
#include "tests/guest/program.h"

/* Where fields are in a frame: Ethernet II, ARP, IPv4 without options, ICMP, UDP. */
enum {
    TO = 0,
    FROM = 6,
    TYPE = 12,
    BODY = 14,
    ARP_ORDER = BODY + 6,
    ARP_SENDER = BODY + 8, /* MAC, then IP */
    ARP_TARGET = BODY + 18,
    ARP_END = BODY + 28,
    IP_VERSION = BODY,
    IP_PROTOCOL = BODY + 9,
    IP_FROM = BODY + 12,
    IP_TO = BODY + 16,
    IP_BODY = BODY + 20,
    ICMP_TYPE = IP_BODY,
    ICMP_SUM = IP_BODY + 2,
    UDP_FROM = IP_BODY,
    UDP_TO = IP_BODY + 2,
    UDP_END = IP_BODY + 8,
    PING_MAGIC = BODY + 2, /* words of 8 bytes from here on */
    PING_NUMBER = PING_MAGIC + 8,
    PING_FILL = PING_NUMBER + 8,
};
enum { TYPE_IP = 0x0800, TYPE_ARP = 0x0806, TYPE_OURS = 0x88b5, ECHO_PORT = 7 };
enum { ICMP = 1, UDP = 17, ICMP_REQUEST = 8, IP_BYTES = 4, SLICE_US = 10000 };
#define MAGIC UINT64_C(0x676e69702d746567)

static struct net net; /* the first processor's alone */
static uint8_t frame_buffer[NET_FRAME_BYTES];

static unsigned word16(const uint8_t *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

static void put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void swap(uint8_t *a, uint8_t *b, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        const uint8_t byte = a[i];

        a[i] = b[i];
        b[i] = byte;
    }
}

/* "10.0.2.15"; what is no address stays as it is. */
static void read_ip(const char *text, uint8_t ip[IP_BYTES])
{
    unsigned part = 0, value = 0;

    if (text == NULL)
        return;
    for (; part < IP_BYTES; text++) {
        if (*text >= '0' && *text <= '9') {
            value = value * 10 + (unsigned)(*text - '0');
            continue;
        }
        ip[part++] = (uint8_t)value;
        value = 0;
        if (*text != '.')
            return;
    }
}

static bool begin(const char *command)
{
    const uint64_t card = word_number(command, "card", 0);
    const char *why = net_begin(&net, (unsigned)card);
    struct line line;

    if (why == NULL)
        return true;
    line_begin(&line, "netfailed");
    line_number(&line, "card", card);
    line_text(&line, "why", why);
    say(&line);
    return false;
}

/* --- netecho --- */

struct echo {
    uint8_t ip[IP_BYTES];
    uint64_t arp, icmp, udp, ours, others, no_room;
};

static bool answer_arp(struct echo *echo, uint8_t *frame, uint32_t bytes)
{
    if (bytes < ARP_END || word16(frame + ARP_ORDER) != 1 ||
        memcmp(frame + ARP_TARGET + NET_MAC_BYTES, echo->ip, IP_BYTES) != 0)
        return false;
    put16(frame + ARP_ORDER, 2);
    memcpy(frame + ARP_TARGET, frame + ARP_SENDER, NET_MAC_BYTES + IP_BYTES);
    memcpy(frame + ARP_SENDER, net.mac, NET_MAC_BYTES);
    memcpy(frame + ARP_SENDER + NET_MAC_BYTES, echo->ip, IP_BYTES);
    echo->arp++;
    return true;
}

/* The sum of a header in which `from` becomes `to` (RFC 1624). */
static unsigned new_sum(unsigned sum, unsigned from, unsigned to)
{
    const unsigned value = (~sum & 0xffff) + (~from & 0xffff) + to;

    return ~((value & 0xffff) + (value >> 16)) & 0xffff;
}

/* Addresses and ports change places, so that sums stay right. */
static bool answer_ip(struct echo *echo, uint8_t *frame, uint32_t bytes)
{
    if (bytes < UDP_END || frame[IP_VERSION] != 0x45 || memcmp(frame + IP_TO, echo->ip, 4) != 0)
        return false;
    if (frame[IP_PROTOCOL] == ICMP && frame[ICMP_TYPE] == ICMP_REQUEST) {
        frame[ICMP_TYPE] = 0;
        put16(frame + ICMP_SUM, new_sum(word16(frame + ICMP_SUM), ICMP_REQUEST << 8, 0));
        echo->icmp++;
    } else if (frame[IP_PROTOCOL] == UDP && word16(frame + UDP_TO) == ECHO_PORT) {
        swap(frame + UDP_FROM, frame + UDP_TO, 2);
        echo->udp++;
    } else {
        return false;
    }
    swap(frame + IP_FROM, frame + IP_TO, IP_BYTES);
    return true;
}

static bool answer(struct echo *echo, uint8_t *frame, uint32_t bytes)
{
    if (bytes < BODY)
        return false;
    switch (word16(frame + TYPE)) {
    case TYPE_ARP:
        return answer_arp(echo, frame, bytes);
    case TYPE_IP:
        return answer_ip(echo, frame, bytes);
    case TYPE_OURS:
        echo->ours++;
        return true;
    default:
        return false;
    }
}

/* One frame that came. Nothing was there: false. */
static bool echo_one(struct echo *echo)
{
    uint32_t bytes = 0;
    struct net_frame *frame = net_receive(&net, &bytes);

    if (frame == NULL)
        return false;
    if (answer(echo, frame->bytes, bytes)) {
        memcpy(frame->bytes + TO, frame->bytes + FROM, NET_MAC_BYTES);
        memcpy(frame->bytes + FROM, net.mac, NET_MAC_BYTES);
        echo->no_room += !net_send(&net, frame->bytes, bytes);
    } else {
        echo->others++;
    }
    net_give_back(&net, frame);
    return true;
}

/* netecho [card=N] [ip=A.B.C.D] [seconds=N]; seconds=0: until a line comes */
void program_netecho(const char *command)
{
    const uint64_t seconds = word_number(command, "seconds", 0), began = tsc_read();
    struct echo echo = { .ip = { 10, 0, 2, 15 } };
    struct line line;

    read_ip(word_value(command, "ip"), echo.ip);
    if (!begin(command))
        return;
    if (seconds == 0)
        say_running("netecho");
    while (!was_told_to_stop() &&
           (seconds == 0 || tsc_read() - began < tsc_of_us(seconds * 1000000)))
        if (!echo_one(&echo))
            net_wait(&net, tsc_read() + tsc_of_us(SLICE_US));
    net_end(&net);
    line_begin(&line, "echoed");
    line_number(&line, "arp", echo.arp);
    line_number(&line, "icmp", echo.icmp);
    line_number(&line, "udp", echo.udp);
    line_number(&line, "ours", echo.ours);
    line_number(&line, "others", echo.others);
    line_number(&line, "no_room", echo.no_room);
    line_number(&line, "late", net.virtio.queues[0].late);
    say(&line);
}

/* --- netping --- */

struct ping {
    uint64_t sent, back, wrong, others, last, longest_tsc;
    uint32_t bytes;
};

static void fill_ping(const struct ping *ping, uint8_t *frame, uint64_t number)
{
    memset(frame + TO, 0xff, NET_MAC_BYTES);
    memcpy(frame + FROM, net.mac, NET_MAC_BYTES);
    put16(frame + TYPE, TYPE_OURS);
    put16(frame + BODY, ping->bytes);
    *(uint64_t *)(frame + PING_MAGIC) = MAGIC;
    *(uint64_t *)(frame + PING_NUMBER) = number;
    for (uint32_t i = PING_FILL; i < ping->bytes; i++)
        frame[i] = (uint8_t)(mix(number) + i * 7);
}

static void look_at(struct ping *ping, const uint8_t *frame, uint32_t bytes)
{
    uint64_t number;

    if (bytes < PING_FILL || word16(frame + TYPE) != TYPE_OURS) {
        ping->others++;
        return;
    }
    number = *(const uint64_t *)(frame + PING_NUMBER);
    fill_ping(ping, frame_buffer, number);
    if (bytes != ping->bytes || number == 0 || number > ping->sent || number <= ping->last ||
        memcmp(frame + TYPE, frame_buffer + TYPE, bytes - TYPE) != 0)
        ping->wrong++;
    ping->last = number;
    ping->back++;
}

static void take_pings(struct ping *ping, uint64_t *last_tsc)
{
    uint32_t bytes = 0;
    struct net_frame *frame;

    while ((frame = net_receive(&net, &bytes)) != NULL) {
        const uint64_t now = tsc_read();

        if (ping->back > 0 && now - *last_tsc > ping->longest_tsc)
            ping->longest_tsc = now - *last_tsc;
        *last_tsc = now;
        look_at(ping, frame->bytes, bytes);
        net_give_back(&net, frame);
    }
}

/* netping [card=N] [bytes=N] [count=N] [every_us=N]: and a second more for what is under way */
void program_netping(const char *command)
{
    const uint64_t count = word_number(command, "count", 100);
    const uint64_t every = tsc_of_us(word_number(command, "every_us", 1000));
    const uint64_t wait = tsc_of_us(word_number(command, "wait_us", 1000000));
    struct ping ping = { .bytes = (uint32_t)word_number(command, "bytes", 200) };
    uint64_t due, last_tsc;
    struct line line;

    if (ping.bytes < NET_LEAST_BYTES || ping.bytes > NET_FRAME_BYTES)
        ping.bytes = NET_LEAST_BYTES;
    if (!begin(command))
        return;
    due = last_tsc = tsc_read();
    while (!was_told_to_stop() && ping.back < count &&
           (ping.sent < count || tsc_read() < due + wait)) {
        if (ping.sent < count && tsc_read() >= due) {
            fill_ping(&ping, frame_buffer, ping.sent + 1);
            ping.sent += net_send(&net, frame_buffer, ping.bytes);
            due = tsc_read() + every;
        }
        take_pings(&ping, &last_tsc);
        net_wait(&net, ping.sent < count ? due : due + wait);
    }
    net_end(&net);
    line_begin(&line, "pinged");
    line_number(&line, "sent", ping.sent);
    line_number(&line, "back", ping.back);
    line_number(&line, "wrong", ping.wrong);
    line_number(&line, "others", ping.others);
    line_number(&line, "longest_us", us_of_tsc(ping.longest_tsc));
    line_number(&line, "late", net.virtio.queues[0].late);
    say(&line);
}
