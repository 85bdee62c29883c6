/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The small target: a thread that accepts, a thread per connection that reads one PDU after the
 * other. State is under one lock; late answers wait in a list of their connection.
 * over 400: a whole target, whose parts share its state and its lock.
 * over 400: one target, all of whose answers can be wrong.
 */
#include <config.h>

#include "tests/unit/iscsi_target.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEADER_BYTES = 48, PIECE_BYTES = 65536, CONNECTIONS = 64, LATE_MAX = 64 };
enum { IN_NOP = 0x20, IN_SCSI = 0x21, IN_TMF = 0x22, IN_LOGIN = 0x23, IN_DATA = 0x25 };
enum { IN_LOGOUT = 0x26, IN_R2T = 0x31, IN_ASYNC = 0x32, IN_REJECT = 0x3f };

struct late {
    uint8_t header[HEADER_BYTES];
    uint8_t *data;
    uint32_t size;
};

struct connection {
    int fd;
    pthread_t thread;
    bool used;
    uint32_t statsn, expcmdsn;
    unsigned late_count;
    struct late late[LATE_MAX];
};

static struct {
    pthread_mutex_t lock;
    int listener;
    pthread_t thread;
    uint16_t port;
    enum target_mood mood;
    uint8_t sense_key;
    uint16_t asc_ascq;
    int reset_response;
    uint16_t login_status, login_port;
    bool mute, narrow;
    unsigned open;
    struct target_seen seen;
    struct connection connections[CONNECTIONS];
    uint8_t disk[TARGET_BLOCKS * TARGET_BLOCK_BYTES];
} target = { .lock = PTHREAD_MUTEX_INITIALIZER };

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void put32(uint8_t *at, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static bool read_all(int fd, void *data, size_t size)
{
    uint8_t *at = data;

    while (size > 0) {
        ssize_t got = recv(fd, at, size, 0);

        if (got <= 0) {
            if (got < 0 && errno == ECONNRESET) {
                pthread_mutex_lock(&target.lock);
                target.seen.resets++;
                pthread_mutex_unlock(&target.lock);
            }
            return false;
        }
        at += got;
        size -= (size_t)got;
    }
    return true;
}

static bool write_all(int fd, const void *data, size_t size)
{
    const uint8_t *at = data;

    while (size > 0) {
        ssize_t put = send(fd, at, size, MSG_NOSIGNAL);

        if (put <= 0)
            return false;
        at += put;
        size -= (size_t)put;
    }
    return true;
}

/* Send a PDU: fills in length, StatSN and the command window. */
static bool send_pdu(struct connection *connection, uint8_t *header, const void *data,
                     uint32_t size)
{
    static const uint8_t padding[3];

    header[5] = (uint8_t)(size >> 16);
    header[6] = (uint8_t)(size >> 8);
    header[7] = (uint8_t)size;
    put32(header + 24, connection->statsn++);
    put32(header + 28, connection->expcmdsn);
    put32(header + 32, connection->expcmdsn + 127);
    return write_all(connection->fd, header, HEADER_BYTES) &&
           write_all(connection->fd, data, size) &&
           write_all(connection->fd, padding, (4 - size % 4) % 4);
}

/* --- login, logout, NOP, task management --- */

static bool answer_login(struct connection *connection, const uint8_t *request)
{
    uint8_t header[HEADER_BYTES] = { IN_LOGIN, 0x87 };
    char words[512];
    int size = 0;
    uint16_t status;

    pthread_mutex_lock(&target.lock);
    memcpy(target.seen.isid[1], target.seen.isid[0], 6);
    memcpy(target.seen.isid[0], request + 8, 6);
    status = target.login_status;
    if (status == 0x0101)
        target.login_status = 0; /* the next one, elsewhere, succeeds */
    size = snprintf(words, sizeof(words),
                    "MaxRecvDataSegmentLength=%d%cInitialR2T=%s%cImmediateData=Yes%c"
                    "FirstBurstLength=1048576%cMaxBurstLength=1048576%c",
                    target.narrow ? 8192 : 1048576, 0, target.narrow ? "No" : "Yes", 0, 0, 0, 0);
    if (status == 0x0101)
        size =
            snprintf(words, sizeof(words), "TargetAddress=127.0.0.1:%u,1%c", target.login_port, 0);
    pthread_mutex_unlock(&target.lock);
    if (status == 0xffff)
        return true;
    memcpy(header + 8, request + 8, 6);
    header[15] = 1; /* TSIH */
    memcpy(header + 16, request + 16, 4);
    header[36] = (uint8_t)(status >> 8);
    header[37] = (uint8_t)status;
    connection->expcmdsn = get32(request + 24);
    if (status != 0 && status != 0x0101)
        size = 0;
    return send_pdu(connection, header, words, (uint32_t)size) && status == 0;
}

static bool answer_reset(struct connection *connection, const uint8_t *request)
{
    uint8_t header[HEADER_BYTES] = { IN_TMF, 0x80 };
    int response = target.reset_response;

    if (response < 0)
        return true;
    header[2] = (uint8_t)response;
    memcpy(header + 16, request + 16, 4);
    return send_pdu(connection, header, NULL, 0);
}

static bool answer_nop(struct connection *connection, const uint8_t *request)
{
    uint8_t header[HEADER_BYTES] = { IN_NOP, 0x80 };
    bool mute;

    pthread_mutex_lock(&target.lock);
    target.seen.nops++;
    mute = target.mute;
    pthread_mutex_unlock(&target.lock);
    if (mute)
        return true;
    memcpy(header + 16, request + 16, 4);
    put32(header + 20, 0xffffffff);
    return send_pdu(connection, header, NULL, 0);
}

static bool answer_logout(struct connection *connection, const uint8_t *request)
{
    uint8_t header[HEADER_BYTES] = { IN_LOGOUT, 0x80 };

    pthread_mutex_lock(&target.lock);
    target.seen.logouts++;
    pthread_mutex_unlock(&target.lock);
    memcpy(header + 16, request + 16, 4);
    (void)send_pdu(connection, header, NULL, 0);
    return false;
}

/* --- commands --- */

static void answered(void)
{
    pthread_mutex_lock(&target.lock);
    target.open--;
    pthread_mutex_unlock(&target.lock);
}

static void status_header(uint8_t header[HEADER_BYTES], const uint8_t *request, uint8_t status)
{
    memset(header, 0, HEADER_BYTES);
    header[0] = IN_SCSI;
    header[1] = 0x80;
    header[3] = status;
    memcpy(header + 16, request + 16, 4);
}

static bool send_status(struct connection *connection, const uint8_t *request, uint8_t status)
{
    uint8_t header[HEADER_BYTES];
    uint8_t sense[20] = { 0, 18, 0x70, 0, target.sense_key, 0, 0, 0, 0, 10 };

    status_header(header, request, status);
    sense[14] = (uint8_t)(target.asc_ascq >> 8);
    sense[15] = (uint8_t)target.asc_ascq;
    answered();
    return send_pdu(connection, header, sense, status == 2 ? sizeof(sense) : 0);
}

/* Data-In in pieces that the initiator takes, the status in the last one. */
static bool send_pieces(struct connection *connection, const uint8_t *last, const uint8_t *data,
                        uint32_t size)
{
    uint8_t header[HEADER_BYTES];
    uint32_t at = 0;

    for (uint32_t number = 0; size - at > PIECE_BYTES; number++) {
        memcpy(header, last, HEADER_BYTES);
        header[1] = 0;
        put32(header + 36, number);
        put32(header + 40, at);
        put32(header + 44, 0);
        if (!send_pdu(connection, header, data + at, PIECE_BYTES))
            return false;
        connection->statsn--; /* no status in it */
        at += PIECE_BYTES;
    }
    memcpy(header, last, HEADER_BYTES);
    put32(header + 36, at / PIECE_BYTES);
    put32(header + 40, at);
    return send_pdu(connection, header, data + at, size - at);
}

/* Data-In with the status in it; `missing` bytes are told as underflow. */
static bool send_data(struct connection *connection, const uint8_t *request, const void *data,
                      uint32_t size, uint32_t missing)
{
    uint8_t header[HEADER_BYTES] = { IN_DATA, 0x81 };

    memcpy(header + 16, request + 16, 4);
    put32(header + 20, 0xffffffff);
    if (missing > 0)
        header[1] |= 0x02;
    put32(header + 44, missing);
    if (target.mood == MOOD_LATE && connection->late_count < LATE_MAX) {
        struct late *late = &connection->late[connection->late_count++];

        memcpy(late->header, header, HEADER_BYTES);
        late->data = malloc(size > 0 ? size : 1);
        late->size = size;
        memcpy(late->data, data, size);
        return true;
    }
    answered();
    if (target.mood == MOOD_CLOSE) {
        header[5] = (uint8_t)(size >> 16);
        header[6] = (uint8_t)(size >> 8);
        header[7] = (uint8_t)size;
        (void)write_all(connection->fd, header, HEADER_BYTES);
        (void)write_all(connection->fd, data, size / 2);
        return false;
    }
    return send_pieces(connection, header, data, size);
}

static bool in_disk(uint64_t lba, uint32_t blocks)
{
    return lba < TARGET_BLOCKS && blocks <= TARGET_BLOCKS - lba;
}

static bool do_read(struct connection *connection, const uint8_t *request, uint64_t lba,
                    uint32_t blocks)
{
    uint32_t missing = target.mood == MOOD_SHORT ? TARGET_BLOCK_BYTES : 0;

    if (!in_disk(lba, blocks))
        return send_status(connection, request, 2);
    return send_data(connection, request, target.disk + lba * TARGET_BLOCK_BYTES,
                     blocks * TARGET_BLOCK_BYTES - missing, missing);
}

/* Ask for the rest of a write, which comes in as many Data-Out PDUs as the initiator likes. */
static bool take_rest(struct connection *connection, const uint8_t *request, uint8_t *data,
                      uint32_t have, uint32_t size, bool unsolicited)
{
    uint8_t header[HEADER_BYTES] = { IN_R2T, 0x80 };
    uint8_t out[HEADER_BYTES];

    memcpy(header + 8, request + 8, 8);
    memcpy(header + 16, request + 16, 4);
    put32(header + 20, 1);
    put32(header + 40, have);
    put32(header + 44, size - have);
    if (!unsolicited && !send_pdu(connection, header, NULL, 0))
        return false;
    if (!unsolicited)
        connection->statsn--; /* an R2T does not count */
    while (have < size) {
        uint32_t length;
        uint32_t offset;

        if (!read_all(connection->fd, out, HEADER_BYTES) || (out[0] & 0x3f) != 0x05)
            return false;
        length = get32(out + 4) & 0xffffff;
        offset = get32(out + 40);
        if (offset > size || length > size - offset ||
            !read_all(connection->fd, data + offset, (length + 3) & ~3u))
            return false;
        have += length;
    }
    return true;
}

static bool do_write(struct connection *connection, const uint8_t *request, const uint8_t *given,
                     uint32_t have, uint64_t lba, uint32_t blocks)
{
    uint32_t size = blocks * TARGET_BLOCK_BYTES;
    bool final = (request[1] & 0x80) != 0;
    uint8_t *data;
    bool good = true;

    if (!in_disk(lba, blocks) || have > size)
        return send_status(connection, request, 2);
    data = malloc(size + 4);
    memcpy(data, given, have);
    if (have < size)
        good = take_rest(connection, request, data, have, size, !final);
    if (good)
        memcpy(target.disk + lba * TARGET_BLOCK_BYTES, data, size);
    free(data);
    return good && send_status(connection, request, 0);
}

static bool do_inquiry(struct connection *connection, const uint8_t *request)
{
    uint8_t answer[64] = { 0 };
    const uint8_t *cdb = request + 32;
    uint32_t size = 36;

    memcpy(answer + 8, "TEST    MEMORY          1.0 ", 28);
    if ((cdb[1] & 1) != 0) {
        static const uint8_t list[] = { 0, 0x00, 0, 2, 0x00, 0x83 };
        static const uint8_t name[] = { 0, 0x83, 0, 12, 1, 3, 0, 8, 0x60, 1, 2, 3, 4, 5, 6, 7 };

        memcpy(answer, cdb[2] == 0 ? list : name, cdb[2] == 0 ? sizeof(list) : sizeof(name));
        size = cdb[2] == 0 ? sizeof(list) : sizeof(name);
    }
    return send_data(connection, request, answer, size, get32(request + 20) - size);
}

static bool do_capacity(struct connection *connection, const uint8_t *request)
{
    uint8_t answer[32] = { 0 };

    put32(answer + 4, TARGET_BLOCKS - 1);
    put32(answer + 8, TARGET_BLOCK_BYTES);
    return send_data(connection, request, answer, 32, 0);
}

static bool dispatch(struct connection *connection, const uint8_t *request, const uint8_t *data,
                     uint32_t size)
{
    const uint8_t *cdb = request + 32;

    switch (cdb[0]) {
    case 0x00:
    case 0x35:
        return send_status(connection, request, 0);
    case 0x12:
        return do_inquiry(connection, request);
    case 0x9e:
        return do_capacity(connection, request);
    case 0x28:
        return do_read(connection, request, get32(cdb + 2), (uint32_t)cdb[7] << 8 | cdb[8]);
    case 0x2a:
        return do_write(connection, request, data, size, get32(cdb + 2),
                        (uint32_t)cdb[7] << 8 | cdb[8]);
    default:
        target.sense_key = 5;
        target.asc_ascq = 0x2000;
        return send_status(connection, request, 2);
    }
}

static bool reject(struct connection *connection, const uint8_t *request)
{
    uint8_t header[HEADER_BYTES] = { IN_REJECT, 0x80, 0x05 };

    put32(header + 16, 0xffffffff);
    answered();
    return send_pdu(connection, header, request, HEADER_BYTES);
}

static bool ask_to_leave(struct connection *connection)
{
    uint8_t header[HEADER_BYTES] = { IN_ASYNC, 0x80 };

    put32(header + 16, 0xffffffff);
    header[36] = 1;
    header[43] = 3;
    return send_pdu(connection, header, NULL, 0);
}

static bool do_command(struct connection *connection, const uint8_t *request, const uint8_t *data,
                       uint32_t size)
{
    uint8_t noise[200];
    enum target_mood mood;

    pthread_mutex_lock(&target.lock);
    target.seen.commands++;
    if (++target.open > target.seen.most_open)
        target.seen.most_open = target.open;
    mood = target.mood;
    pthread_mutex_unlock(&target.lock);
    connection->expcmdsn = get32(request + 24) + 1;
    switch (mood) {
    case MOOD_SILENT:
        return true;
    case MOOD_CONFLICT:
        return send_status(connection, request, 0x18);
    case MOOD_STATUS:
        return send_status(connection, request, 2);
    case MOOD_REJECT:
        return reject(connection, request);
    case MOOD_LEAVE:
        return ask_to_leave(connection);
    case MOOD_GARBAGE:
        memset(noise, 0xa5, sizeof(noise));
        return write_all(connection->fd, noise, sizeof(noise));
    default:
        return dispatch(connection, request, data, size);
    }
}

/* --- connections --- */

static bool serve_pdu(struct connection *connection)
{
    uint8_t header[HEADER_BYTES];
    uint32_t size;
    uint8_t *data;
    bool go_on = false;

    if (!read_all(connection->fd, header, HEADER_BYTES))
        return false;
    size = get32(header + 4) & 0xffffff;
    data = malloc(size + 4);
    if (!read_all(connection->fd, data, (size + 3) & ~3u)) {
        free(data);
        return false;
    }
    switch (header[0] & 0x3f) {
    case 0x00:
        connection->expcmdsn = get32(header + 24) + ((header[0] & 0x40) == 0);
        go_on = answer_nop(connection, header);
        break;
    case 0x01:
        go_on = do_command(connection, header, data, size);
        break;
    case 0x02:
        go_on = answer_reset(connection, header);
        break;
    case 0x03:
        go_on = answer_login(connection, header);
        break;
    case 0x05: /* of a command that was refused before its data came */
        go_on = true;
        break;
    case 0x06:
        go_on = answer_logout(connection, header);
        break;
    default:
        break;
    }
    free(data);
    return go_on;
}

static void *serve(void *argument)
{
    struct connection *connection = argument;

    while (serve_pdu(connection))
        ;
    shutdown(connection->fd, SHUT_WR);
    /* wait for the other side's end, so that a reset can be told from an orderly one */
    for (;;) {
        uint8_t rest[512];

        if (!read_all(connection->fd, rest, 1))
            break;
    }
    return NULL;
}

static void *accept_all(void *argument)
{
    (void)argument;
    for (;;) {
        int fd = accept(target.listener, NULL, NULL);
        struct connection *connection;

        if (fd < 0)
            return NULL;
        pthread_mutex_lock(&target.lock);
        if (target.seen.connections == CONNECTIONS) {
            pthread_mutex_unlock(&target.lock);
            close(fd);
            continue;
        }
        connection = &target.connections[target.seen.connections++];
        connection->fd = fd;
        connection->used = pthread_create(&connection->thread, NULL, serve, connection) == 0;
        pthread_mutex_unlock(&target.lock);
    }
}

uint16_t target_start(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t size = sizeof(address);
    int room = 4096;

    memset(&target.seen, 0, sizeof(target.seen));
    memset(target.connections, 0, sizeof(target.connections));
    memset(target.disk, 0, sizeof(target.disk));
    target.mood = MOOD_GOOD;
    target.reset_response = 0;
    target.login_status = 0;
    target.mute = false;
    target.open = 0;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    target.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (target.narrow)
        (void)setsockopt(target.listener, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
    if (bind(target.listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(target.listener, 16) < 0 ||
        getsockname(target.listener, (struct sockaddr *)&address, &size) < 0 ||
        pthread_create(&target.thread, NULL, accept_all, NULL) != 0)
        return 0;
    target.port = ntohs(address.sin_port);
    return target.port;
}

void target_stop(void)
{
    shutdown(target.listener, SHUT_RDWR);
    pthread_join(target.thread, NULL);
    close(target.listener);
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        struct connection *connection = &target.connections[i];

        if (!connection->used)
            continue;
        shutdown(connection->fd, SHUT_RDWR);
        pthread_join(connection->thread, NULL);
        close(connection->fd);
        for (unsigned j = 0; j < connection->late_count; j++)
            free(connection->late[j].data);
    }
    target.narrow = false;
}

void target_set_mood(enum target_mood mood)
{
    pthread_mutex_lock(&target.lock);
    target.mood = mood;
    pthread_mutex_unlock(&target.lock);
}

void target_set_sense(uint8_t key, uint16_t asc_ascq)
{
    target.sense_key = key;
    target.asc_ascq = asc_ascq;
}

void target_set_reset_response(int response)
{
    target.reset_response = response;
}

void target_set_login(uint16_t status, uint16_t port)
{
    pthread_mutex_lock(&target.lock);
    target.login_status = status;
    target.login_port = port;
    pthread_mutex_unlock(&target.lock);
}

void target_set_mute(bool mute)
{
    pthread_mutex_lock(&target.lock);
    target.mute = mute;
    pthread_mutex_unlock(&target.lock);
}

void target_set_narrow(bool narrow)
{
    target.narrow = narrow;
}

void target_release(void)
{
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        struct connection *connection = &target.connections[i];

        for (unsigned j = 0; j < connection->late_count; j++) {
            struct late *late = &connection->late[j];

            answered();
            (void)send_pdu(connection, late->header, late->data, late->size);
            free(late->data);
        }
        connection->late_count = 0;
    }
}

struct target_seen target_seen(void)
{
    struct target_seen seen;

    pthread_mutex_lock(&target.lock);
    seen = target.seen;
    pthread_mutex_unlock(&target.lock);
    return seen;
}

uint8_t *target_disk(void)
{
    return target.disk;
}
