/* The client's side of one WebSocket (RFC 6455), as far as well-behaved servers go; every reply is compared. */

#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>

/* The example of RFC 6455, 1.3: what servers do for it is what they do for any. */
#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

enum { CONTINUATION = 0, CLOSE = 8, PING = 9, PONG = 10, ANSWER_MOST = 4096 };

struct listener listener;
struct totals totals;

static int epoll;
static uint8_t buffer[256 * 1024];

void events_prepare(void)
{
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0)
        fail("epoll_create1: %s", strerror(errno));
}

static void end(struct connection *connection, bool in_order)
{
    if (!in_order)
        totals.lost++;
    stream_close(&connection->stream);
    free(connection->answer);
    connection->answer = NULL;
    connection->phase = CLOSED;
    listener.closed(connection);
}

static void wrong(struct connection *connection, const char *what)
{
    if (!totals.wrong++)
        fprintf(stderr, "load: %s\n", what);
    end(connection, true);
}

/* ---- out ---- */

static bool flush_control(struct connection *connection)
{
    while (connection->control_sent < connection->control_length) {
        struct iovec part = {connection->control + connection->control_sent,
                             connection->control_length - connection->control_sent};
        ssize_t put = stream_write(&connection->stream, &part, 1);
        if (put < 0)
            return put == STREAM_AGAIN;
        connection->control_sent += (size_t)put;
    }
    connection->control_length = connection->control_sent = 0;
    return true;
}

static bool flush_messages(struct connection *connection)
{
    while (connection->unsent) {
        /* The end of what stands in memory, and its beginning again. */
        size_t to_end = messages.total - connection->at;
        size_t first = connection->unsent < to_end ? connection->unsent : to_end;
        size_t second = connection->unsent - first < messages.total ? connection->unsent - first : messages.total;
        struct iovec parts[2] = {{messages.frames + connection->at, first}, {messages.frames, second}};
        ssize_t put = stream_write(&connection->stream, parts, second ? 2 : 1);
        connection->blocked = put == STREAM_AGAIN;
        if (put < 0)
            return put == STREAM_AGAIN;
        connection->unsent -= (size_t)put;
        connection->at = (connection->at + (size_t)put) % messages.total;
    }
    return true;
}

static bool between_frames(const struct connection *connection)
{
    return !connection->blocked && connection->at % messages.frame_length == 0;
}

/* False where the connection has failed. A control frame leaves between two frames. */
static bool flush(struct connection *connection)
{
    if (connection->control_length && !between_frames(connection) && !flush_messages(connection))
        return false;
    if (connection->control_length && between_frames(connection) && !flush_control(connection))
        return false;
    return connection->control_length ? true : flush_messages(connection);
}

static void put_control(struct connection *connection, int opcode, const uint8_t *payload, size_t size)
{
    /* Of many pings waiting, one answer will do (5.5.3). */
    if (!connection->control_sent)
        connection->control_length = put_frame(connection->control, opcode, payload, size, 0x5A17C3E9);
    if (!flush(connection))
        end(connection, false);
}

void connection_send(struct connection *connection, unsigned count, uint64_t now)
{
    for (unsigned sent = 0; sent < count; sent++)
        connection->sent_at[connection->sent++ % (unsigned)options.in_flight] = now;
    totals.sent += count;
    connection->unsent += count * messages.frame_length;
    if (!flush(connection))
        end(connection, false);
}

void connection_close(struct connection *connection)
{
    static const uint8_t normal[2] = {0x03, 0xE8};
    if (options.raw) {
        end(connection, true);
        return;
    }
    connection->phase = CLOSING;
    put_control(connection, CLOSE, normal, 2);
}

void connection_open(struct connection *connection, const char *path)
{
    uint64_t *sent_at = connection->sent_at;
    memset(connection, 0, sizeof *connection);
    connection->sent_at = sent_at ? sent_at : calloc((size_t)options.in_flight, sizeof *sent_at);
    if (!connection->sent_at)
        fail("no memory");
    connection->path = path;
    connection->phase = CONNECTING;
    connection->began = now_ns();
    connection->header_wanted = 2;
    stream_connect(&connection->stream, epoll, connection);
}

/* ---- in ---- */

/* Compare a piece of a message with what it has to be. */
static bool is_expected(struct connection *connection, const uint8_t *bytes, size_t length)
{
    if (connection->received + length > expected_length())
        return false;
    const uint8_t *expected = expected_reply(connection->number) + connection->received;
    connection->received += length;
    return !memcmp(bytes, expected, length);
}

static void message_complete(struct connection *connection, uint64_t now)
{
    totals.received++;
    totals.received_bytes += connection->received;
    connection->received = 0;
    connection->number++;
    connection->in_message = false;
    listener.message(connection, now);
}

static void control_complete(struct connection *connection)
{
    int opcode = connection->first & 15;
    if (opcode == PING && connection->phase == OPEN)
        put_control(connection, PONG, connection->ping, connection->ping_length);
    if (opcode == CLOSE && connection->phase != CLOSING)
        wrong(connection, "the server has closed by itself");
}

static void frame_complete(struct connection *connection, uint64_t now)
{
    connection->header_length = 0;
    connection->header_wanted = 2;
    if (connection->first & 8)
        control_complete(connection);
    else if (connection->first & 0x80) {
        if (connection->received == expected_length())
            message_complete(connection, now);
        else
            wrong(connection, "a reply is too short");
    }
}

/* A header is whole: see that it belongs here. */
static bool header_complete(struct connection *connection)
{
    connection->first = connection->header[0];
    connection->ping_length = 0;
    uint64_t length = connection->header[1];
    if (length > 125) {
        length = 0;
        for (unsigned byte = 2; byte < connection->header_wanted; byte++)
            length = length << 8 | connection->header[byte];
    }
    connection->remaining = length;
    int opcode = connection->first & 15;
    if (connection->first & 0x70 || (opcode & 8 && length > 125))
        return false;
    if (opcode & 8)
        return true;
    int wanted = connection->in_message ? CONTINUATION : options.content == BINARY ? 2 : 1;
    connection->in_message = true;
    return opcode == wanted;
}

/* Take what is there of a header; returns the bytes used. */
static size_t take_header(struct connection *connection, const uint8_t *bytes, size_t length)
{
    size_t used = 0;
    while (used < length && connection->header_length < connection->header_wanted) {
        connection->header[connection->header_length++] = bytes[used++];
        if (connection->header_length == 2) {
            uint8_t second = connection->header[1];
            connection->header_wanted = second == 126 ? 4 : second == 127 ? 10 : 2;
        }
    }
    return used;
}

static void take_raw(struct connection *connection, const uint8_t *bytes, size_t length, uint64_t now)
{
    while (length && connection->phase == OPEN) {
        size_t left = expected_length() - connection->received, piece = length < left ? length : left;
        if (!is_expected(connection, bytes, piece)) {
            wrong(connection, "an echo differs");
            return;
        }
        bytes += piece;
        length -= piece;
        if (piece == left)
            message_complete(connection, now);
    }
}

static void take_frames(struct connection *connection, const uint8_t *bytes, size_t length, uint64_t now)
{
    while (connection->phase >= OPEN) {
        if (connection->header_length < connection->header_wanted) {
            size_t used = take_header(connection, bytes, length);
            bytes += used;
            length -= used;
            if (connection->header_length < connection->header_wanted)
                return;
            if (!header_complete(connection)) {
                wrong(connection, "a frame does not belong here");
                return;
            }
        }
        size_t piece = length < connection->remaining ? length : (size_t)connection->remaining;
        if (connection->first & 8) {
            memcpy(connection->ping + connection->ping_length, bytes, piece);
            connection->ping_length += (unsigned)piece;
        } else if (!is_expected(connection, bytes, piece)) {
            wrong(connection, "a reply differs");
            return;
        }
        bytes += piece;
        length -= piece;
        connection->remaining -= piece;
        if (connection->remaining)
            return;
        frame_complete(connection, now);
    }
}

/* The answer to the handshake (4.1): whether it is whole; false with phase CLOSED where it is not the right one. */
static bool take_answer(struct connection *connection, const uint8_t **bytes, size_t *length)
{
    if (!connection->answer && !(connection->answer = malloc(ANSWER_MOST + 1)))
        fail("no memory");
    size_t before = connection->answer_length, room = ANSWER_MOST - before;
    size_t taken = *length < room ? *length : room;
    memcpy(connection->answer + before, *bytes, taken);
    connection->answer_length += taken;
    connection->answer[connection->answer_length] = 0;
    char *head_end = strstr(connection->answer, "\r\n\r\n");
    if (!head_end && connection->answer_length < ANSWER_MOST)
        return false;
    if (!head_end || strncmp(connection->answer, "HTTP/1.1 101 ", 13) || !strstr(connection->answer, ACCEPT)) {
        if (!totals.refused++)
            fprintf(stderr, "load: refused: %.200s\n", connection->answer);
        end(connection, true);
        return false;
    }
    size_t used = (size_t)(head_end + 4 - connection->answer) - before;
    *bytes += used;
    *length -= used;
    free(connection->answer);
    connection->answer = NULL;
    return true;
}

static void take(struct connection *connection, const uint8_t *bytes, size_t length, uint64_t now)
{
    if (connection->phase == UPGRADING) {
        if (!take_answer(connection, &bytes, &length))
            return;
        connection->phase = OPEN;
        listener.opened(connection);
    }
    if (options.raw)
        take_raw(connection, bytes, length, now);
    else
        take_frames(connection, bytes, length, now);
}

/* TCP stands: ask for the WebSocket. Again after STREAM_AGAIN, as TLS has its own handshake first. */
static bool ask(struct connection *connection)
{
    char request[512];
    int length = snprintf(request, sizeof request,
                          "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          "Sec-WebSocket-Key: " KEY "\r\nSec-WebSocket-Version: 13\r\n\r\n",
                          connection->path, options.port);
    struct iovec part = {request, (size_t)length};
    ssize_t put = stream_write(&connection->stream, &part, 1);
    if (put == length)
        connection->phase = UPGRADING;
    return put == length || put == STREAM_AGAIN;
}

/* A raw server's connection is open with TCP; with TLS, the first bytes bring the handshake about. */
static bool begin(struct connection *connection)
{
    if (!options.raw)
        return ask(connection);
    connection->phase = OPEN;
    listener.opened(connection);
    return true;
}

static void handle(struct connection *connection, uint32_t events)
{
    if (connection->phase == CONNECTING) {
        if (!(events & (EPOLLOUT | EPOLLIN)))
            return;
        if (events & EPOLLERR || !begin(connection)) {
            end(connection, false);
            return;
        }
    }
    while (connection->phase >= UPGRADING) {
        ssize_t got = stream_read(&connection->stream, buffer, sizeof buffer);
        if (got == STREAM_AGAIN)
            break;
        if (got <= 0) {
            end(connection, got == 0 && connection->phase == CLOSING);
            return;
        }
        uint64_t now = now_ns();
        take(connection, buffer, (size_t)got, now);
        if (connection->phase == OPEN && listener.read)
            listener.read(connection, now);
        /* epoll(7): a short read means that there was no more; the end of the stream is an event of its own. */
        if (!connection->stream.tls && (size_t)got < sizeof buffer && !(events & EPOLLRDHUP))
            break;
    }
    if (connection->phase >= OPEN && (connection->unsent || connection->control_length) && !flush(connection))
        end(connection, false);
}

void handle_events(int milliseconds)
{
    struct epoll_event events[256];
    int count = epoll_wait(epoll, events, 256, milliseconds);
    if (count < 0 && errno != EINTR)
        fail("epoll_wait: %s", strerror(errno));
    for (int event = 0; event < count; event++) {
        struct connection *connection = events[event].data.ptr;
        if (connection->phase != CLOSED)
            handle(connection, events[event].events);
    }
}
