/* A byte stream to 127.0.0.1, over TCP or, where built WITH_TLS and asked for, over TLS. */

#define _GNU_SOURCE
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef WITH_TLS
#include <openssl/ssl.h>

static SSL_CTX *context;

static ssize_t tls_outcome(SSL *tls, int result)
{
    switch (SSL_get_error(tls, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return STREAM_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        return STREAM_FAILED;
    }
}
#endif

void stream_prepare(void)
{
#ifdef WITH_TLS
    if (options.tls) {
        context = SSL_CTX_new(TLS_client_method());
        if (!context)
            fail("no TLS context");
        /* Whose certificate it is, is not what is measured. */
        SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
        SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        /* Servers that close without close_notify have still closed. */
        SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
        SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    }
#else
    if (options.tls)
        fail("built without TLS");
#endif
}

void stream_connect(struct stream *stream, int epoll, void *owner)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(options.port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    stream->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (stream->fd < 0)
        fail("socket: %s", strerror(errno));
    int one = 1;
    setsockopt(stream->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(stream->fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS)
        fail("connect: %s", strerror(errno));
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = owner};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, stream->fd, &event) < 0)
        fail("epoll_ctl: %s", strerror(errno));
    stream->tls = NULL;
#ifdef WITH_TLS
    if (context) {
        SSL *tls = SSL_new(context);
        if (!tls || !SSL_set_fd(tls, stream->fd))
            fail("no TLS connection");
        SSL_set_connect_state(tls);
        stream->tls = tls;
    }
#endif
}

ssize_t stream_read(struct stream *stream, void *buffer, size_t size)
{
#ifdef WITH_TLS
    if (stream->tls) {
        int got = SSL_read(stream->tls, buffer, (int)size);
        return got > 0 ? got : tls_outcome(stream->tls, got);
    }
#endif
    ssize_t got = recv(stream->fd, buffer, size, 0);
    if (got >= 0)
        return got;
    return errno == EAGAIN ? STREAM_AGAIN : STREAM_FAILED;
}

ssize_t stream_write(struct stream *stream, const struct iovec *parts, int count)
{
#ifdef WITH_TLS
    if (stream->tls) {
        ssize_t total = 0;
        for (int part = 0; part < count; part++) {
            int put = SSL_write(stream->tls, parts[part].iov_base, (int)parts[part].iov_len);
            if (put <= 0) {
                ssize_t outcome = tls_outcome(stream->tls, put);
                return total ? total : outcome == STREAM_AGAIN ? STREAM_AGAIN : STREAM_FAILED;
            }
            total += put;
            if ((size_t)put < parts[part].iov_len)
                break;
        }
        return total;
    }
#endif
    struct msghdr message = {.msg_iov = (struct iovec *)parts, .msg_iovlen = count};
    ssize_t put = sendmsg(stream->fd, &message, MSG_NOSIGNAL);
    if (put >= 0)
        return put;
    return errno == EAGAIN ? STREAM_AGAIN : STREAM_FAILED;
}

void stream_close(struct stream *stream)
{
#ifdef WITH_TLS
    if (stream->tls) {
        SSL_shutdown(stream->tls);
        SSL_free(stream->tls);
        stream->tls = NULL;
    }
#endif
    close(stream->fd);
    stream->fd = -1;
}
