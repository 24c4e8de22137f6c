/* What the parts of the load generator share. One thread, one epoll descriptor, nothing that blocks. */

#ifndef LOAD_H
#define LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

enum content { TEXT, MIXED, BINARY };

struct options {
    const char *mode, *path, *publish_path;
    int port, connections, in_flight;
    size_t size;
    enum content content;
    double seconds, warmup;
    bool raw, tls;
    int pids[16], pid_count;
};
extern struct options options;

/* ---- stream.c: a byte stream over TCP, with or without TLS ---- */

enum { STREAM_AGAIN = -1, STREAM_FAILED = -2 };

struct stream {
    int fd;
    void *tls;
};

void stream_prepare(void);
/* Begin to connect; `owner` is what events will carry. */
void stream_connect(struct stream *stream, int epoll, void *owner);
/* Bytes read, 0 at the end of the peer's stream, or STREAM_... */
ssize_t stream_read(struct stream *stream, void *buffer, size_t size);
/* Bytes written, or STREAM_... */
ssize_t stream_write(struct stream *stream, const struct iovec *parts, int count);
void stream_close(struct stream *stream);

/* ---- messages.c: the messages to send, masked and framed in advance ----

   They stand one behind the other and are sent round and round: message i of a connection is number
   i % messages.count, so a reply that is lost, doubled or out of order is seen by its bytes. */

struct messages {
    unsigned count;
    size_t frame_length, total;
    uint8_t *frames, *payloads;
};
extern struct messages messages;

void messages_prepare(void);
/* What the peer has to send back for message `number`, and its length. */
const uint8_t *expected_reply(unsigned number);
size_t expected_length(void);
/* Write one masked frame and return its length. */
size_t put_frame(uint8_t *to, int opcode, const uint8_t *payload, size_t size, uint32_t key);

/* ---- connection.c: the client's side of one WebSocket ---- */

enum phase { CLOSED, CONNECTING, UPGRADING, OPEN, CLOSING };

struct connection {
    struct stream stream;
    enum phase phase;
    const char *path;
    /* What is to be sent: a place in messages.frames, and how many bytes from there. */
    size_t at, unsent;
    /* The kernel has not taken all; TLS wants the same bytes again before any others. */
    bool blocked;
    /* A Pong or Close, which leaves between two frames. */
    uint8_t control[160];
    size_t control_length, control_sent;
    /* The frame that is being read. */
    uint8_t header[10], first;
    unsigned header_length, header_wanted;
    uint64_t remaining;
    uint8_t ping[125];
    unsigned ping_length;
    /* The message that is being read: its number and how much of it has come. */
    unsigned number;
    uint64_t received;
    bool in_message;
    /* When each message in flight was sent. */
    uint64_t *sent_at;
    unsigned sent, answered;
    uint64_t began;
    char *answer;
    size_t answer_length;
};

/* What a mode wants to hear. */
struct listener {
    void (*opened)(struct connection *connection);
    void (*message)(struct connection *connection, uint64_t now);
    /* All that came in one read has been handled; may be NULL. */
    void (*read)(struct connection *connection, uint64_t now);
    void (*closed)(struct connection *connection);
};
extern struct listener listener;

struct totals {
    uint64_t sent, received, received_bytes, wrong, lost, refused;
};
extern struct totals totals;

void connection_open(struct connection *connection, const char *path);
void connection_send(struct connection *connection, unsigned count, uint64_t now);
void connection_close(struct connection *connection);
/* Wait up to `milliseconds` for events and handle them; 0 looks and does not wait. */
void handle_events(int milliseconds);
void events_prepare(void);

/* ---- measure.c: clocks, the latencies, and what the server's processes use ---- */

uint64_t now_ns(void);
void latency_reset(void);
void latency_add(uint64_t nanoseconds);
/* The latency that `share` of all are not above, in microseconds. */
double latency_at(double share);
double latency_max(void);
/* Processor time of all threads of the server's processes, in nanoseconds. */
uint64_t server_cpu(void);
/* Their resident memory, in bytes. */
uint64_t server_memory(void);

/* The measured part of a run: from the end of the warm-up, for options.seconds. */
struct window {
    uint64_t begin, end, count_before, cpu_before, count, cpu, nanoseconds;
    bool open, over;
};
void window_set(struct window *window);
/* Look whether it begins or ends at `now`; `count` is what is being counted. */
void window_turn(struct window *window, uint64_t now, uint64_t count);

/* ---- the modes ---- */

void run_echo(void);
void run_handshakes(void);
void run_broadcast(void);
void run_idle(void);

/* Print an error and end with status 2. */
void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
/* Open all of `connections`, a few at a time, and wait until they are open. */
void open_all(struct connection *connections, int count);
/* Close all that are open in order, and wait until they are closed. */
void close_all(struct connection *connections, int count);
/* Print the result's beginning, which all modes have. */
void print_window(const struct window *window);
void print_totals(void);

#endif
