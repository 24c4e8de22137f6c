/* What is done with the connections: echo, handshakes, broadcast, idle. */

#include "load.h"

#include <stdio.h>
#include <stdlib.h>

/* A listen backlog holds at least so many. */
enum { OPENING_AT_ONCE = 64 };
/* For machines that are broken: nothing here depends on it. */
static const uint64_t PATIENCE = 60000000000u;

static int opened_count, closed_count;

static void count_opened(struct connection *connection)
{
    (void)connection;
    opened_count++;
}

static void count_closed(struct connection *connection)
{
    (void)connection;
    closed_count++;
}

static void ignore_message(struct connection *connection, uint64_t now)
{
    (void)connection;
    (void)now;
}

static struct connection *make_connections(int count)
{
    struct connection *connections = calloc((size_t)count, sizeof *connections);
    if (!connections)
        fail("no memory for %d connections", count);
    return connections;
}

static void out_of_patience(uint64_t since, const char *what)
{
    if (now_ns() - since > PATIENCE)
        fail("%s for 60 seconds in vain; %d opened, %d closed, %llu sent, %llu received", what, opened_count,
             closed_count, (unsigned long long)totals.sent, (unsigned long long)totals.received);
}

void open_all(struct connection *connections, int count)
{
    uint64_t since = now_ns();
    int begun = 0, before = opened_count;
    while (opened_count - before < count) {
        while (begun < count && begun - (opened_count - before) < OPENING_AT_ONCE) {
            connection_open(&connections[begun], connections[begun].path ? connections[begun].path : options.path);
            begun++;
        }
        handle_events(100);
        if (totals.refused || totals.lost)
            fail("connections were refused (%llu) or lost (%llu)", (unsigned long long)totals.refused,
                 (unsigned long long)totals.lost);
        out_of_patience(since, "waited for connections to open");
    }
}

void close_all(struct connection *connections, int count)
{
    uint64_t since = now_ns();
    int open = 0, before = closed_count;
    for (int index = 0; index < count; index++)
        if (connections[index].phase == OPEN) {
            open++;
            connection_close(&connections[index]);
        }
    while (closed_count - before < open) {
        handle_events(100);
        out_of_patience(since, "waited for connections to close");
    }
}

/* ---- echo: so many messages in flight on each of so many connections ---- */

static void echo_message(struct connection *connection, uint64_t now)
{
    latency_add(now - connection->sent_at[connection->answered++ % (unsigned)options.in_flight]);
}

/* As many messages follow in one write as answers came in one read. */
static void refill(struct connection *connection, uint64_t now)
{
    unsigned missing = (unsigned)options.in_flight - (connection->sent - connection->answered);
    if (missing)
        connection_send(connection, missing, now);
}

static void wait_for_answers(void)
{
    uint64_t since = now_ns();
    while (totals.received < totals.sent && !totals.wrong && !totals.lost) {
        handle_events(100);
        out_of_patience(since, "waited for answers");
    }
}

/* Go round until the window is over. The client never sleeps: then the server never pays for waking it. */
static void measure(struct window *window, const uint64_t *count)
{
    window_set(window);
    while (!window->over) {
        handle_events(0);
        window_turn(window, now_ns(), *count);
        if (totals.wrong || totals.lost || totals.refused)
            return;
    }
}

void run_echo(void)
{
    listener = (struct listener){count_opened, echo_message, refill, count_closed};
    struct connection *connections = make_connections(options.connections);
    listener.read = NULL;
    open_all(connections, options.connections);
    listener.read = refill;
    for (int index = 0; index < options.connections; index++)
        refill(&connections[index], now_ns());
    struct window window;
    measure(&window, &totals.received);
    listener.read = NULL;
    wait_for_answers();
    close_all(connections, options.connections);
    print_window(&window);
    print_totals();
}

/* ---- handshakes: connect, 101, Close both ways, end of the stream, and again ---- */

static uint64_t handshakes;
static bool again;

static void handshake_opened(struct connection *connection)
{
    opened_count++;
    connection_close(connection);
}

static void handshake_closed(struct connection *connection)
{
    closed_count++;
    handshakes++;
    latency_add(now_ns() - connection->began);
    if (again)
        connection_open(connection, options.path);
}

void run_handshakes(void)
{
    listener = (struct listener){handshake_opened, ignore_message, NULL, handshake_closed};
    struct connection *connections = make_connections(options.connections);
    again = true;
    for (int index = 0; index < options.connections; index++)
        connection_open(&connections[index], options.path);
    struct window window;
    measure(&window, &handshakes);
    again = false;
    uint64_t since = now_ns();
    for (int index = 0; index < options.connections; index++)
        while (connections[index].phase != CLOSED) {
            handle_events(100);
            out_of_patience(since, "waited for connections to close");
        }
    print_window(&window);
    print_totals();
}

/* ---- broadcast: what one connection sends, all others get ---- */

static struct connection *publisher;

static void delivered(struct connection *subscriber, uint64_t now)
{
    unsigned number = subscriber->number - 1;
    latency_add(now - publisher->sent_at[number % (unsigned)options.in_flight]);
}

/* When all have got all, the next burst: as many messages as are to be in flight. */
static void publish(struct connection *connection, uint64_t now)
{
    (void)connection;
    if (totals.received == totals.sent * (uint64_t)options.connections)
        connection_send(publisher, (unsigned)options.in_flight, now);
}

void run_broadcast(void)
{
    listener = (struct listener){count_opened, delivered, NULL, count_closed};
    struct connection *connections = make_connections(options.connections + 1);
    open_all(connections, options.connections);
    publisher = &connections[options.connections];
    publisher->path = options.publish_path;
    open_all(publisher, 1);
    listener.read = publish;
    publish(publisher, now_ns());
    struct window window;
    measure(&window, &totals.received);
    listener.read = NULL;
    uint64_t since = now_ns();
    while (totals.received < totals.sent * (uint64_t)options.connections && !totals.wrong && !totals.lost) {
        handle_events(100);
        out_of_patience(since, "waited for deliveries");
    }
    close_all(connections, options.connections + 1);
    print_window(&window);
    print_totals();
}

/* ---- idle: each connection has talked once, then rests ---- */

static void talk_once(struct connection *connections, int count)
{
    open_all(connections, count);
    for (int index = 0; index < count; index++)
        connection_send(&connections[index], 1, now_ns());
    wait_for_answers();
}

static void rest(double seconds)
{
    uint64_t end = now_ns() + (uint64_t)(seconds * 1e9);
    while (now_ns() < end && !totals.lost && !totals.wrong)
        handle_events(10);
}

void run_idle(void)
{
    listener = (struct listener){count_opened, echo_message, NULL, count_closed};
    struct connection *connections = make_connections(options.connections);
    /* What the first connections make once for all is not counted to the others. */
    int first = options.connections / 100 + 1;
    talk_once(connections, first);
    rest(options.warmup);
    uint64_t before = server_memory();
    talk_once(connections + first, options.connections - first);
    rest(options.warmup);
    uint64_t after = server_memory(), cpu_before = server_cpu();
    rest(options.seconds);
    uint64_t cpu = server_cpu() - cpu_before;
    close_all(connections, options.connections);
    printf("{\"count\": %d, \"seconds\": %.6f, \"cpu\": %.9f", options.connections - first, options.seconds,
           (double)cpu / 1e9);
    printf(", \"memory_before\": %llu, \"memory_after\": %llu", (unsigned long long)before,
           (unsigned long long)after);
    print_totals();
}
