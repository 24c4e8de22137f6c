/* What server/secure.pyx needs of OpenSSL: the library that Python's own ssl module is linked with, found in this
   process. Its headers are not needed, and no other library can come between. */

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* One read of the kernel: 64 KiB in full records, and what TLS adds to them. */
#define IOTO_WIRE 73728
/* The most that one record carries (RFC 8446, 5.1). */
#define IOTO_RECORD 16384

/* Of OpenSSL's ABI, the same from 1.1.0 to 3.x. */
#define IOTO_WANT_READ 2
#define IOTO_CLOSED 6
#define IOTO_BIO_TYPE (97 | 0x0400)
#define IOTO_BIO_RETRY_READ (0x01 | 0x08)
#define IOTO_BIO_RETRY_ANY (0x07 | 0x08)
#define IOTO_BIO_CTRL_FLUSH 11
#define IOTO_CTRL_CLEAR_MODE 78
#define IOTO_MODE_RELEASE_BUFFERS 0x10
#define IOTO_CTRL_SET_NAME_CALLBACK 53
#define IOTO_HOST_NAME 0
#define IOTO_NAME_ACCEPTED 0
#define IOTO_NAME_REFUSED 2
/* RFC 8446, 6. */
#define IOTO_UNRECOGNIZED_NAME 112

#define IOTO_OPENSSL(NAME) \
    NAME(int, SSL_read, (void *, void *, int)) \
    NAME(int, SSL_write, (void *, const void *, int)) \
    NAME(int, SSL_pending, (const void *)) \
    NAME(long, SSL_ctrl, (void *, int, long, void *)) \
    NAME(int, SSL_free_buffers, (void *)) \
    NAME(int, SSL_shutdown, (void *)) \
    NAME(int, SSL_get_error, (const void *, int)) \
    NAME(void *, SSL_get_SSL_CTX, (const void *)) \
    NAME(int, SSL_CTX_set_ciphersuites, (void *, const char *)) \
    NAME(long, SSL_CTX_callback_ctrl, (void *, int, void (*)(void))) \
    NAME(const char *, SSL_get_servername, (const void *, int)) \
    NAME(void *, SSL_get_rbio, (const void *)) \
    NAME(void *, SSL_get_wbio, (const void *)) \
    NAME(void, SSL_set0_rbio, (void *, void *)) \
    NAME(void, SSL_set0_wbio, (void *, void *)) \
    NAME(void *, BIO_meth_new, (int, const char *)) \
    NAME(int, BIO_meth_set_read, (void *, int (*)(void *, char *, int))) \
    NAME(int, BIO_meth_set_write, (void *, int (*)(void *, const char *, int))) \
    NAME(int, BIO_meth_set_ctrl, (void *, long (*)(void *, int, long, void *))) \
    NAME(void *, BIO_new, (const void *)) \
    NAME(int, BIO_free, (void *)) \
    NAME(int, BIO_up_ref, (void *)) \
    NAME(void, BIO_set_init, (void *, int)) \
    NAME(void, BIO_set_data, (void *, void *)) \
    NAME(void *, BIO_get_data, (void *)) \
    NAME(void, BIO_set_flags, (void *, int)) \
    NAME(void, BIO_clear_flags, (void *, int)) \
    NAME(void, ERR_clear_error, (void)) \
    NAME(unsigned long, ERR_peek_last_error, (void)) \
    NAME(void, ERR_error_string_n, (unsigned long, char *, size_t))

#define IOTO_DECLARE(result, name, arguments) result (*name) arguments;
static struct { IOTO_OPENSSL(IOTO_DECLARE) void *method; } openssl;

/* What goes to and comes from the kernel, for whichever connection of a loop is being served: it is used up, or
   kept elsewhere, before the next one's turn. */
typedef struct {
    void *bio;
    char *in;
    size_t at;
    size_t end;
    /* Somebody else's bytes wait in `in` while this is set. */
    int hidden;
    char *out;
    size_t size;
    size_t room;
    char *record;
} ioto_wire;

static int ioto_wire_read(void *bio, char *buffer, int most)
{
    ioto_wire *wire = openssl.BIO_get_data(bio);
    size_t size;
    openssl.BIO_clear_flags(bio, IOTO_BIO_RETRY_ANY);
    if (wire == NULL || wire->hidden || wire->at == wire->end) {
        openssl.BIO_set_flags(bio, IOTO_BIO_RETRY_READ);
        return -1;
    }
    size = wire->end - wire->at;
    if (size > (size_t) most)
        size = most;
    memcpy(buffer, wire->in + wire->at, size);
    wire->at += size;
    return (int) size;
}

static int ioto_wire_write(void *bio, const char *data, int size)
{
    ioto_wire *wire = openssl.BIO_get_data(bio);
    openssl.BIO_clear_flags(bio, IOTO_BIO_RETRY_ANY);
    if (wire == NULL || size < 0)
        return -1;
    if (wire->size + size > wire->room) {
        size_t room = 2 * wire->room + size;
        char *larger = realloc(wire->out, room);
        if (larger == NULL)
            return -1;
        wire->out = larger;
        wire->room = room;
    }
    memcpy(wire->out + wire->size, data, size);
    wire->size += size;
    return size;
}

static long ioto_wire_ctrl(void *bio, int command, long number, void *pointer)
{
    return command == IOTO_BIO_CTRL_FLUSH;
}

/* The way to OpenSSL by way of the extension module at `path`; NULL, or what is missing. */
static const char *ioto_resolve(const char *path)
{
    void *library = dlopen(path, RTLD_LAZY | RTLD_NOLOAD);
    if (library == NULL)
        return "the extension module _ssl";
#define IOTO_FIND(result, name, arguments) \
    *(void **) &openssl.name = dlsym(library, #name); \
    if (openssl.name == NULL) { \
        dlclose(library); \
        return #name; \
    }
    IOTO_OPENSSL(IOTO_FIND)
    /* Its library stays open: it is kept by the module as long as the process lives. */
    dlclose(library);
    openssl.method = openssl.BIO_meth_new(IOTO_BIO_TYPE, "ioto-server");
    if (openssl.method == NULL)
        return "memory";
    openssl.BIO_meth_set_read(openssl.method, ioto_wire_read);
    openssl.BIO_meth_set_write(openssl.method, ioto_wire_write);
    openssl.BIO_meth_set_ctrl(openssl.method, ioto_wire_ctrl);
    return NULL;
}

static void ioto_wire_free(ioto_wire *wire)
{
    if (wire == NULL)
        return;
    if (wire->bio != NULL) {
        /* A connection may live longer: it then finds nothing to read and nowhere to write. */
        openssl.BIO_set_data(wire->bio, NULL);
        openssl.BIO_free(wire->bio);
    }
    free(wire->in);
    free(wire->out);
    free(wire->record);
    free(wire);
}

static ioto_wire *ioto_wire_new(void)
{
    ioto_wire *wire = calloc(1, sizeof *wire);
    if (wire == NULL)
        return NULL;
    wire->room = IOTO_WIRE;
    wire->in = malloc(IOTO_WIRE);
    wire->out = malloc(IOTO_WIRE);
    wire->record = malloc(IOTO_RECORD);
    wire->bio = openssl.BIO_new(openssl.method);
    if (wire->in == NULL || wire->out == NULL || wire->record == NULL || wire->bio == NULL) {
        ioto_wire_free(wire);
        return NULL;
    }
    openssl.BIO_set_data(wire->bio, wire);
    openssl.BIO_set_init(wire->bio, 1);
    return wire;
}

/* What has been gathered has been taken over. What an uncommon amount of it had needed is given back. */
static void ioto_wire_sent(ioto_wire *wire)
{
    wire->size = 0;
    if (wire->room > IOTO_WIRE) {
        char *smaller = realloc(wire->out, IOTO_WIRE);
        if (smaller != NULL) {
            wire->out = smaller;
            wire->room = IOTO_WIRE;
        }
    }
}

/* The beginnings of two structs of Modules/_ssl.c, the same in CPython 3.11 to 3.13. */
typedef struct {
    PyObject_HEAD
    PyObject *socket;
    void *ssl;
    PyObject *context;
} ioto_ssl_socket;

typedef struct {
    PyObject_HEAD
    void *bio;
} ioto_memory_bio;

/* The SSL of a `_ssl._SSLSocket` that was just made of this context and these two MemoryBIO, whose places are
   then taken by `wire`'s; NULL if the objects are not what they are taken for. */
static void *ioto_attach(PyObject *socket, PyObject *context, PyObject *in, PyObject *out, ioto_wire *wire)
{
    ioto_ssl_socket *made = (ioto_ssl_socket *) socket;
    if (Py_TYPE(socket)->tp_basicsize < (Py_ssize_t) sizeof *made
        || Py_TYPE(in)->tp_basicsize < (Py_ssize_t) sizeof(ioto_memory_bio) || Py_TYPE(in) != Py_TYPE(out))
        return NULL;
    if ((made->socket != NULL && made->socket != Py_None) || made->context != context || made->ssl == NULL)
        return NULL;
    if (openssl.SSL_get_rbio(made->ssl) != ((ioto_memory_bio *) in)->bio
        || openssl.SSL_get_wbio(made->ssl) != ((ioto_memory_bio *) out)->bio)
        return NULL;
    if (wire != NULL) {
        openssl.BIO_up_ref(wire->bio);
        openssl.SSL_set0_rbio(made->ssl, wire->bio);
        openssl.BIO_up_ref(wire->bio);
        openssl.SSL_set0_wbio(made->ssl, wire->bio);
        /* Not after each record: see ioto_rest. */
        openssl.SSL_ctrl(made->ssl, IOTO_CTRL_CLEAR_MODE, IOTO_MODE_RELEASE_BUFFERS, NULL);
    }
    return made->ssl;
}

/* The server name that the client has asked for (RFC 6066, 3), or NULL. */
static const char *ioto_server_name(void *ssl)
{
    return openssl.SSL_get_servername(ssl, IOTO_HOST_NAME);
}

/* OpenSSL keeps a name in the session of TLS 1.2, for whoever resumes it, only where it was accepted. It is ASCII
   without blanks (RFC 6066, 3). */
static int ioto_accept_name(void *ssl, int *alert, void *unused)
{
    const unsigned char *name = (const unsigned char *) ioto_server_name(ssl);
    for (; name != NULL && *name != 0; name++)
        if (*name <= 0x20 || *name >= 0x7f) {
            *alert = IOTO_UNRECOGNIZED_NAME;
            return IOTO_NAME_REFUSED;
        }
    return IOTO_NAME_ACCEPTED;
}

static void ioto_accept_names(void *context)
{
    openssl.SSL_CTX_callback_ctrl(context, IOTO_CTRL_SET_NAME_CALLBACK, (void (*)(void)) ioto_accept_name);
}

/* One read of the kernel; what was read, or the error, negative. */
static ssize_t ioto_wire_receive(ioto_wire *wire, int fd)
{
    ssize_t size = recv(fd, wire->in, IOTO_WIRE, 0);
    wire->at = 0;
    wire->end = size > 0 ? size : 0;
    return size < 0 ? -errno : size;
}

static ssize_t ioto_wire_send(ioto_wire *wire, int fd)
{
    ssize_t size = send(fd, wire->out, wire->size, MSG_NOSIGNAL);
    return size < 0 ? -errno : size;
}

/* What is left by others would be taken for the next call's. To look costs less than to clear what is clear. */
static void ioto_forget_errors(void)
{
    if (openssl.ERR_peek_last_error() != 0)
        openssl.ERR_clear_error();
}

/* A connection has had its turn. Between two of them it keeps none of the buffers that records are opened and
   sealed in, 33 KiB, unless a part of a record is in them. */
static void ioto_rest(void *ssl)
{
    openssl.SSL_free_buffers(ssl);
}

/* As many bytes as there are and fit. `status` is what SSL_get_error said when it was less, 0 if there may be more. */
static ssize_t ioto_open(void *ssl, ioto_wire *wire, char *buffer, size_t room, int *status)
{
    size_t got = 0;
    *status = 0;
    while (got < room) {
        size_t most = room - got > 1 << 30 ? 1 << 30 : room - got;
        int count;
        ioto_forget_errors();
        count = openssl.SSL_read(ssl, buffer + got, (int) most);
        if (count <= 0) {
            *status = openssl.SSL_get_error(ssl, count);
            break;
        }
        got += count;
        /* It takes no more from the wire than one record, and gives all of it. */
        if (wire->at == wire->end && got < room) {
            *status = IOTO_WANT_READ;
            break;
        }
    }
    return got;
}

/* Whether all of it was encrypted into `wire->out`. */
static int ioto_seal(void *ssl, ioto_wire *wire, const char *data, size_t size)
{
    int sealed;
    wire->hidden = 1;
    ioto_forget_errors();
    sealed = openssl.SSL_write(ssl, data, (int) size);
    wire->hidden = 0;
    return sealed == (int) size;
}

static void ioto_shut(void *ssl, ioto_wire *wire)
{
    wire->hidden = 1;
    openssl.SSL_shutdown(ssl);
    ioto_forget_errors();
    wire->hidden = 0;
}
