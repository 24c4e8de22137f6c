/* The kernel's price: a TCP echo on epoll, with nothing else in the process. `epoll_tcp PORT`, on 127.0.0.1. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static char buffer[256 * 1024];

/* What the kernel has not taken waits here, and nothing is read meanwhile. */
struct peer {
    int fd;
    char *rest;
    size_t length, sent;
};

static void end(struct peer *peer)
{
    close(peer->fd);
    free(peer->rest);
    free(peer);
}

static void interest(int epoll, struct peer *peer, int how, unsigned events)
{
    struct epoll_event event = {.events = events, .data.ptr = peer};
    epoll_ctl(epoll, how, peer->fd, &event);
}

/* Whether the peer lives on. */
static int echo(int epoll, struct peer *peer)
{
    ssize_t got = recv(peer->fd, buffer, sizeof buffer, 0);
    if (got <= 0)
        return got < 0 && errno == EAGAIN;
    ssize_t put = send(peer->fd, buffer, (size_t)got, MSG_NOSIGNAL);
    if (put < 0 && errno != EAGAIN)
        return 0;
    if (put < 0)
        put = 0;
    if (put < got) {
        peer->length = (size_t)(got - put);
        peer->sent = 0;
        peer->rest = malloc(peer->length);
        memcpy(peer->rest, buffer + put, peer->length);
        interest(epoll, peer, EPOLL_CTL_MOD, EPOLLOUT);
    }
    return 1;
}

static int send_rest(int epoll, struct peer *peer)
{
    ssize_t put = send(peer->fd, peer->rest + peer->sent, peer->length - peer->sent, MSG_NOSIGNAL);
    if (put < 0)
        return errno == EAGAIN;
    peer->sent += (size_t)put;
    if (peer->sent == peer->length) {
        free(peer->rest);
        peer->rest = NULL;
        interest(epoll, peer, EPOLL_CTL_MOD, EPOLLIN);
    }
    return 1;
}

int main(int count, char **words)
{
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), epoll = epoll_create1(0), one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(count > 1 ? atoi(words[1]) : 0)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 1024) < 0) {
        perror("epoll_tcp");
        return 1;
    }
    struct epoll_event events[256] = {{.events = EPOLLIN, .data.ptr = NULL}};
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, events);
    for (;;) {
        int ready = epoll_wait(epoll, events, 256, -1);
        for (int event = 0; event < ready; event++) {
            struct peer *peer = events[event].data.ptr;
            if (peer) {
                if (!(peer->rest ? send_rest(epoll, peer) : echo(epoll, peer)))
                    end(peer);
                continue;
            }
            int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
            if (fd < 0)
                continue;
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            peer = calloc(1, sizeof *peer);
            peer->fd = fd;
            interest(epoll, peer, EPOLL_CTL_ADD, EPOLLIN);
        }
    }
}
