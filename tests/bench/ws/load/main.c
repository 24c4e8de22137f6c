/* A load generator for WebSocket servers on this machine: `load MODE --port N ...`; the result is one line of JSON.

   Modes: echo, handshakes, broadcast, idle. It connects to 127.0.0.1 and nowhere else. Ends with status 0 where
   every reply was right and every connection ended in order, with 1 otherwise, with 2 where it could not go on. */

#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct options options = {
    .path = "/", .publish_path = "/publish", .connections = 1, .in_flight = 1, .size = 64, .seconds = 1, .warmup = 0.2,
};

void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(2);
}

static double number(const char *text, double least, double most)
{
    char *rest;
    double value = strtod(text, &rest);
    if (*rest || rest == text || value < least || value > most)
        fail("%s is not a number from %g to %g", text, least, most);
    return value;
}

static enum content content(const char *text)
{
    if (!strcmp(text, "text"))
        return TEXT;
    if (!strcmp(text, "mixed"))
        return MIXED;
    if (!strcmp(text, "binary"))
        return BINARY;
    fail("%s is none of text, mixed, binary", text);
}

static void read_options(int count, char **words)
{
    static const struct option known[] = {
        {"port", required_argument, NULL, 'p'},      {"path", required_argument, NULL, 'u'},
        {"publish-path", required_argument, NULL, 'P'}, {"connections", required_argument, NULL, 'c'},
        {"in-flight", required_argument, NULL, 'f'}, {"size", required_argument, NULL, 's'},
        {"content", required_argument, NULL, 'k'},   {"seconds", required_argument, NULL, 't'},
        {"warmup", required_argument, NULL, 'w'},    {"pid", required_argument, NULL, 'i'},
        {"raw", no_argument, NULL, 'r'},             {"tls", no_argument, NULL, 'S'},
        {NULL, 0, NULL, 0},
    };
    for (int option; (option = getopt_long(count, words, "", known, NULL)) != -1;)
        switch (option) {
        case 'p': options.port = (int)number(optarg, 1, 65535); break;
        case 'u': options.path = optarg; break;
        case 'P': options.publish_path = optarg; break;
        case 'c': options.connections = (int)number(optarg, 1, 100000); break;
        case 'f': options.in_flight = (int)number(optarg, 1, 4096); break;
        case 's': options.size = (size_t)number(optarg, 1, 1 << 28); break;
        case 'k': options.content = content(optarg); break;
        case 't': options.seconds = number(optarg, 0, 3600); break;
        case 'w': options.warmup = number(optarg, 0, 3600); break;
        case 'r': options.raw = true; break;
        case 'S': options.tls = true; break;
        case 'i':
            if (options.pid_count == 16)
                fail("more than 16 processes");
            options.pids[options.pid_count++] = (int)number(optarg, 1, 1 << 30);
            break;
        default: exit(2);
        }
    if (optind != count - 1)
        fail("give one mode: echo, handshakes, broadcast or idle");
    if (!options.port)
        fail("--port is missing");
    options.mode = words[optind];
}

int main(int count, char **words)
{
    read_options(count, words);
    signal(SIGPIPE, SIG_IGN);
    messages_prepare();
    events_prepare();
    stream_prepare();
    if (!strcmp(options.mode, "echo"))
        run_echo();
    else if (!strcmp(options.mode, "handshakes"))
        run_handshakes();
    else if (!strcmp(options.mode, "broadcast"))
        run_broadcast();
    else if (!strcmp(options.mode, "idle"))
        run_idle();
    else
        fail("no mode %s", options.mode);
    return totals.wrong || totals.lost || totals.refused ? 1 : 0;
}
