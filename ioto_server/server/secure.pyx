# cython: language_level=3, boundscheck=False, wraparound=False, nonecheck=True
"""secure.py, compiled: the same names, the same results, by OpenSSL on the sockets of plain.pyx."""

from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.errno cimport EAGAIN, EINTR
from libc.stdint cimport uint32_t
from libc.string cimport memcpy

import ssl
import sys

import _ssl

from .loop_tls import keep_names as keep_by_ssl
from .loop_tls import order_suites as order_by_ssl
from .loop_tls import serve_by_loop
from .loop_tls import server_name as name_by_ssl

from .plain cimport Acceptor, Plain, Stream, Taker


cdef extern from "secure.h":
    size_t IOTO_WIRE, IOTO_RECORD
    int IOTO_WANT_READ, IOTO_CLOSED

    ctypedef struct ioto_wire:
        void *bio
        char *in_ "in"
        size_t at
        size_t end
        char *out
        Py_ssize_t size
        char *record

    cdef struct Functions:
        int (*SSL_pending)(const void *)
        void *(*SSL_get_SSL_CTX)(const void *)
        int (*SSL_CTX_set_ciphersuites)(void *, const char *)
        void (*ERR_clear_error)()
        unsigned long (*ERR_peek_last_error)()
        void (*ERR_error_string_n)(unsigned long, char *, size_t)

    Functions openssl
    const char *ioto_resolve(const char *path)
    ioto_wire *ioto_wire_new()
    void ioto_wire_free(ioto_wire *wire)
    void ioto_wire_sent(ioto_wire *wire)
    void *ioto_attach(object socket, object context, object incoming, object outgoing, ioto_wire *wire)
    Py_ssize_t ioto_wire_receive(ioto_wire *wire, int fd)
    Py_ssize_t ioto_wire_send(ioto_wire *wire, int fd)
    Py_ssize_t ioto_open(void *session, ioto_wire *wire, char *buffer, size_t room, int *status)
    int ioto_seal(void *session, ioto_wire *wire, const char *data, size_t size)
    void ioto_shut(void *session, ioto_wire *wire)
    void ioto_rest(void *session)
    const char *ioto_server_name(void *session)
    void ioto_accept_names(void *context)

cdef extern from "<sys/epoll.h>":
    uint32_t EPOLLIN, EPOLLOUT

cdef extern from "Python.h":
    int PyGC_Disable()
    int PyGC_Enable()


# How often one connection is read in one turn, if its bytes fill the buffer each time: the others wait.
cdef int READS = 8
# What is sealed in one go, and how much of it gathers before the kernel gets it. What TLS adds has room beside.
cdef Py_ssize_t AT_ONCE = 4 * <Py_ssize_t> IOTO_RECORD
cdef Py_ssize_t GATHERED = AT_ONCE + 4096
# How much of TLS's own answers, to key updates above all, may wait for a peer that does not read.
cdef Py_ssize_t OWED = 65536
# Where _ssl's structs are as secure.h has them.
KNOWN = ((3, 11), (3, 12), (3, 13))


cdef class Wire:
    """What the connections of one listening socket read and write through, one at a time."""

    cdef ioto_wire *wire
    # A context wants these two for each connection, which then gives them back at once.
    cdef object incoming
    cdef object outgoing

    def __init__(self):
        self.wire = ioto_wire_new()
        if self.wire is NULL:
            raise MemoryError
        self.incoming = ssl.MemoryBIO()
        self.outgoing = ssl.MemoryBIO()

    def __dealloc__(self):
        ioto_wire_free(self.wire)

    cdef void *attach(self, made, bint wired) except NULL:
        """The SSL of an `ssl.SSLObject` that was made on our two MemoryBIO, and from now on reads and writes here."""
        cdef ioto_wire *wire = self.wire if wired else NULL
        cdef void *found = ioto_attach(made._sslobj, made.context, self.incoming, self.outgoing, wire)
        if found is NULL:
            raise RuntimeError("Python's ssl module keeps its SSL elsewhere")
        return found


cdef str find_openssl():
    """Find the OpenSSL that Python's ssl module calls; return why that cannot be, or None."""
    cdef const char *missing
    if sys.implementation.name != "cpython" or sys.version_info[:2] not in KNOWN:
        return "another Python than the compiled module knows"
    path = getattr(_ssl, "__file__", None)
    if path is None:
        return "Python has its OpenSSL built in"
    encoded = path.encode()
    missing = ioto_resolve(encoded)
    if missing is not NULL:
        return f"{missing.decode()} was not found"
    wire = Wire()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        wire.attach(context.wrap_bio(wire.incoming, wire.outgoing, server_side=True), False)
    except (AttributeError, RuntimeError):
        return "another ssl module than the compiled module knows"
    return None


BY_LOOP = find_openssl()


def order_suites(context, list names not None):
    cdef void *session
    cdef bytes joined
    if BY_LOOP is not None:
        order_by_ssl(context, names)
        return
    joined = ":".join(names).encode()
    wire = Wire()
    made = context.wrap_bio(wire.incoming, wire.outgoing, server_side=True)
    session = wire.attach(made, False)
    if not openssl.SSL_CTX_set_ciphersuites(openssl.SSL_get_SSL_CTX(session), joined):
        raise ssl_error()


def keep_names(context):
    cdef void *session
    if BY_LOOP is not None:
        keep_by_ssl(context)
        return
    wire = Wire()
    made = context.wrap_bio(wire.incoming, wire.outgoing, server_side=True)
    session = wire.attach(made, False)
    ioto_accept_names(openssl.SSL_get_SSL_CTX(session))


def server_name(transport):
    cdef const char *name
    if not isinstance(transport, SecureStream):
        return name_by_ssl(transport)
    name = ioto_server_name((<SecureStream> transport).session)
    return None if name is NULL else (<bytes> name).decode("ascii")


async def serve(Plain plain not None, listener, protocol, context, handshake, arrive):
    if BY_LOOP is not None:
        return serve_by_loop(listener, protocol, context, handshake, arrive)
    return SecureAcceptor(plain, listener, protocol, context, handshake, arrive)


cdef class SecureAcceptor(Acceptor):
    cdef object context
    cdef object handshake
    cdef object arrive
    cdef Wire wire

    def __init__(self, plain, listener, protocol, context, handshake, arrive):
        self.arrive = arrive
        self.context = context
        self.handshake = handshake
        self.wire = Wire()
        super().__init__(plain, listener, protocol)

    cdef accepted(self, int fd, tuple _remote):
        cdef SecureStream stream = SecureStream.__new__(SecureStream)
        stream.plain = self.plain
        stream.fd = fd
        stream.wire = self.wire
        try:
            stream.arrival = self.arrive(stream.get_extra_info("peername"))
            if stream.arrival is None:
                # Closed together with the stream.
                return
            self.plain.add(stream)
            stream.begin(self)
        except (KeyboardInterrupt, SystemExit) as error:
            stream.drop(error)
            raise
        except BaseException as error:
            stream.fails(error)


cdef object ssl_error():
    """What OpenSSL says is wrong."""
    cdef char[256] text
    cdef unsigned long code = openssl.ERR_peek_last_error()
    openssl.ERR_clear_error()
    if code == 0:
        return ssl.SSLError(ssl.SSL_ERROR_SYSCALL, "the connection broke off")
    openssl.ERR_error_string_n(code, text, sizeof(text))
    return ssl.SSLError(ssl.SSL_ERROR_SSL, (<bytes> text).decode("ascii", "replace"))


cdef list uncollected(bytes part):
    """A list of this alone, made without a run of the garbage collector: that calls the finalisers of anybody."""
    cdef bint collects = PyGC_Disable()
    try:
        return [part]
    finally:
        if collects:
            PyGC_Enable()


cdef class SecureStream(Stream):
    """One connection with TLS. `unsent` and the backlog of a `Stream` are its sealed records."""

    cdef Wire wire
    cdef void *session
    cdef object ssl_object
    # What makes the protocol, until the handshake is done, and the timer that bounds it.
    cdef object made_by
    cdef object patience
    # Its place until then.
    cdef object arrival
    # What came behind that at which reading was paused; `rest` says that there is some, here or within OpenSSL.
    cdef bytes kept
    cdef bint rest
    # What is on the wire is being taken in.
    cdef bint taking
    # Our close_notify is sent. The peer has sent its own, or has ended TCP without.
    cdef bint notified
    cdef bint heard
    # Why OpenSSL has given up.
    cdef object broken
    # Bytes that TLS itself has added to what waits.
    cdef Py_ssize_t owed

    # ---- the handshake --------------------------------------------------------------------------------

    cdef begin(self, SecureAcceptor acceptor):
        made = acceptor.context.wrap_bio(self.wire.incoming, self.wire.outgoing, server_side=True)
        self.session = self.wire.attach(made, True)
        self.ssl_object = made
        self.made_by = acceptor.protocol
        self.patience = self.plain.loop.call_later(acceptor.handshake(), self.overdue)
        self.look()

    def overdue(self):
        """The handshake has taken too long."""
        self.patience = None
        self.drop(None)

    cdef shake(self):
        """Take what has come of the handshake, and answer it."""
        cdef bint done = False
        cdef bint collects = PyGC_Disable()
        error = None
        try:
            try:
                self.ssl_object.do_handshake()
                done = True
            except ssl.SSLWantReadError:
                pass
            except OSError as failure:
                error = failure
            # Tickets, or an alert, leave before anything is written by others: by finalisers, say.
            self.answer()
        finally:
            if collects:
                PyGC_Enable()
        if error is not None:
            # Whoever fails here was nobody yet.
            self.drop(error)
        if self.lost or not done:
            return
        self.patience.cancel()
        self.patience = None
        make, self.made_by = self.made_by, None
        self.leave()
        protocol = make()
        self.set_protocol(protocol)
        protocol.connection_made(self)

    cdef leave(self):
        if self.arrival is not None:
            self.arrival.leave()
            self.arrival = None

    # ---- what is known of it --------------------------------------------------------------------------

    def get_extra_info(self, name, default=None):
        """As a transport of the loop: `ssl_object`, `sslcontext`, `cipher`, `compression` and `peercert` too."""
        if name == "ssl_object":
            return self.ssl_object
        if name == "sslcontext":
            return self.ssl_object.context
        if name == "cipher":
            return self.ssl_object.cipher()
        if name == "compression":
            return self.ssl_object.compression()
        if name == "peercert":
            return self.ssl_object.getpeercert()
        return Stream.get_extra_info(self, name, default)

    # ---- reading --------------------------------------------------------------------------------------

    def resume_reading(self):
        self.paused = False
        self.look()
        if self.rest:
            self.plain.loop.call_soon(self.go_on)

    def go_on(self):
        """Reading goes on with what came before it was paused."""
        try:
            if self.rest and not self.lost and (self.closing or not self.paused):
                self.take_up()
        except (KeyboardInterrupt, SystemExit) as error:
            self.drop(error)
            raise
        except BaseException as error:
            self.fails(error)

    cdef int look(self) except -1:
        cdef uint32_t events = 0
        if not self.lost:
            # The peer's close_notify is waited for, whoever has paused.
            if self.notified if self.closing else not (self.paused or self.ended):
                events = EPOLLIN
            if self.unsent:
                events |= EPOLLOUT
        return self.watch(events)

    cdef read(self):
        cdef Py_ssize_t size
        cdef int i
        if self.rest:
            self.take_up()
        for i in range(READS):
            if self.lost or self.rest or (self.closing and not self.notified):
                return
            size = ioto_wire_receive(self.wire.wire, self.fd)
            if size <= 0:
                if size == 0:
                    self.hears_end()
                elif size != -EAGAIN and size != -EINTR:
                    self.breaks(-size)
                return
            self.take_in()
            if size < <Py_ssize_t> IOTO_WIRE or (self.paused and not self.closing):
                return

    cdef Py_ssize_t unread(self) except -1:
        """Bytes of records that are not opened yet, and of one that the protocol had no room for."""
        cdef ioto_wire *wire = self.wire.wire
        cdef Py_ssize_t size = openssl.SSL_pending(self.session)
        if self.taking:
            size += wire.end - wire.at
        elif self.kept is not None:
            size += PyBytes_GET_SIZE(self.kept)
        return size

    cdef take_up(self):
        """Put what was kept back on the wire."""
        cdef ioto_wire *wire = self.wire.wire
        wire.at = wire.end = 0
        if self.kept is not None:
            wire.end = PyBytes_GET_SIZE(self.kept)
            memcpy(wire.in_, PyBytes_AS_STRING(self.kept), wire.end)
            self.kept = None
        self.take_in()

    cdef take_in(self):
        """Use up what is on the wire, or keep it: whoever is served next needs the place."""
        cdef ioto_wire *wire = self.wire.wire
        self.rest = False
        self.taking = True
        try:
            if self.made_by is not None:
                self.shake()
            if self.made_by is None and not self.lost:
                self.hand_on()
        finally:
            if wire.at < wire.end and not self.lost:
                self.kept = PyBytes_FromStringAndSize(wire.in_ + wire.at, wire.end - wire.at)
                self.rest = True
            wire.at = wire.end = 0
            self.taking = False
            ioto_rest(self.session)
        self.told()

    cdef hand_on(self):
        """Open record after record, for the protocol; once this side is closing, for nobody."""
        cdef Taker taker
        cdef bytes data
        cdef Py_ssize_t size
        cdef int status = 0
        while status == 0 and not self.lost:
            if self.closing:
                self.open_record(&status)
            elif self.paused:
                self.rest = self.rest or openssl.SSL_pending(self.session) > 0
                return
            elif self.takes:
                # Kept alive here: it may have another take its place.
                taker = <Taker> self.protocol
                size = self.open(
                    PyByteArray_AS_STRING(taker.buffer), PyByteArray_GET_SIZE(taker.buffer), &status
                )
                if size > 0:
                    taker.take(size)
            elif self.buffered:
                size = self.open_into(self.protocol.get_buffer(-1), &status)
                if size > 0:
                    self.protocol.buffer_updated(size)
            else:
                data = self.open_record(&status)
                if data:
                    self.protocol.data_received(data)
        if self.lost or status == 0 or status == IOTO_WANT_READ:
            return
        if self.paused and not self.closing:
            # It is told when reading goes on: OpenSSL says it again.
            self.rest = True
        elif status == IOTO_CLOSED:
            self.hears_end()
        else:
            self.drop(self.broken)

    cdef Py_ssize_t open_into(self, buffer, int *status) except -1:
        cdef Py_buffer view
        PyObject_GetBuffer(buffer, &view, PyBUF_WRITABLE)
        try:
            if view.len == 0:
                raise RuntimeError("get_buffer() returned an empty buffer")
            return self.open(<char *> view.buf, view.len, status)
        finally:
            PyBuffer_Release(&view)

    cdef bytes open_record(self, int *status):
        """As much as one record holds."""
        cdef ioto_wire *wire = self.wire.wire
        cdef Py_ssize_t size = ioto_open(self.session, wire, wire.record, IOTO_RECORD, status)
        cdef bytes data = PyBytes_FromStringAndSize(wire.record, size)
        self.opened(status[0])
        return data

    cdef Py_ssize_t open(self, char *buffer, Py_ssize_t room, int *status) except -1:
        cdef Py_ssize_t size = ioto_open(self.session, self.wire.wire, buffer, room, status)
        self.opened(status[0])
        return size

    cdef opened(self, int status):
        if self.wire.wire.size:
            # Before the protocol writes to others.
            self.answer()
        if status not in (0, IOTO_WANT_READ, IOTO_CLOSED):
            self.broken = ssl_error()

    cdef hears_end(self):
        """Nothing more comes from the peer. TLS is not half closed here: our side ends too, behind what waits."""
        self.heard = True
        if self.made_by is not None:
            self.drop(None)
        elif not self.closing:
            self.ended = True
            self.protocol.eof_received()
            self.close()
        elif self.notified and not self.unsent:
            self.lose(None)

    # ---- writing --------------------------------------------------------------------------------------

    def can_write_eof(self):
        return False

    def write_eof(self):
        raise NotImplementedError

    # From the first byte that is sealed until the wire is handed over, nothing may run that could write to another
    # connection, or to this one: it would find the wire in use. So nobody is told of a full kernel before `written`.

    cdef write_one(self, bytes part):
        if not self.closing and part:
            self.seal(PyBytes_AS_STRING(part), PyBytes_GET_SIZE(part))
            self.written()

    cdef write_list(self, list parts, Py_ssize_t size):
        """Seal parts one after the other into as few records as can be."""
        cdef char *record = self.wire.wire.record
        cdef Py_ssize_t filled = 0, left, count
        cdef const char *data
        cdef bytes part
        if self.closing:
            return
        for part in parts:
            data = PyBytes_AS_STRING(part)
            left = PyBytes_GET_SIZE(part)
            if filled:
                count = min(left, <Py_ssize_t> IOTO_RECORD - filled)
                memcpy(record + filled, data, count)
                filled += count
                data += count
                left -= count
                if filled == <Py_ssize_t> IOTO_RECORD:
                    self.seal(record, filled)
                    filled = 0
            if left >= <Py_ssize_t> IOTO_RECORD:
                count = left - left % <Py_ssize_t> IOTO_RECORD
                self.seal(data, count)
                data += count
                left -= count
            if left:
                memcpy(record, data, left)
                filled = left
        if filled:
            self.seal(record, filled)
        self.written()

    cdef written(self):
        """Everything is sealed."""
        self.transmit()
        if not self.taking:
            ioto_rest(self.session)
        self.told()

    cdef told(self):
        """The wire is free again: the protocol may hear that the kernel is full."""
        if self.unsent:
            self.look()
            self.pause_protocol()

    cdef seal(self, const char *data, Py_ssize_t size):
        cdef Py_ssize_t count
        while size:
            count = min(size, AT_ONCE)
            if self.wire.wire.size + count > GATHERED:
                self.transmit()
            if self.lost:
                return
            if not ioto_seal(self.session, self.wire.wire, data, count):
                ioto_wire_sent(self.wire.wire)
                self.drop(ssl_error())
                return
            data += count
            size -= count

    cdef transmit(self):
        """Hand the kernel what is on the wire; what it does not take waits, and nobody is told of it yet."""
        cdef ioto_wire *wire = self.wire.wire
        cdef Py_ssize_t sent = 0, size = wire.size
        cdef bytes part
        if size == 0:
            return
        if self.lost:
            ioto_wire_sent(wire)
            return
        if self.unsent == 0:
            sent = ioto_wire_send(wire, self.fd)
            if sent == size:
                ioto_wire_sent(wire)
                return
            if sent < 0:
                if sent != -EAGAIN and sent != -EINTR:
                    ioto_wire_sent(wire)
                    self.breaks(-sent)
                    return
                sent = 0
        part = PyBytes_FromStringAndSize(wire.out + sent, size - sent)
        ioto_wire_sent(wire)
        if self.unsent:
            self.backlog.append(part)
        else:
            self.backlog = uncollected(part)
            self.first = 0
            self.offset = 0
        self.unsent += size - sent

    cdef answer(self):
        """Send what TLS has to say of its own accord."""
        cdef Py_ssize_t size = self.wire.wire.size
        self.owed = self.owed + size if self.unsent else size
        self.transmit()
        if self.unsent and self.owed > OWED:
            self.drop(ConnectionAbortedError("TLS answers wait for a peer that does not take them"))

    # ---- the end --------------------------------------------------------------------------------------

    cdef left(self):
        """Everything has left, and this side is closing."""
        if self.made_by is not None:
            self.lose(None)
            return
        if not self.notified:
            self.notified = True
            ioto_shut(self.session, self.wire.wire)
            self.written()
        if self.unsent == 0:
            if self.heard:
                self.lose(None)
            elif self.rest:
                self.plain.loop.call_soon(self.go_on)

    cdef lose(self, error):
        if self.patience is not None:
            self.patience.cancel()
            self.patience = None
        self.leave()
        self.made_by = None
        self.kept = None
        Stream.lose(self, error)
