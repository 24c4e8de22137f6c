# cython: language_level=3, boundscheck=False, wraparound=False, nonecheck=True
"""plain.py, compiled: the same names, the same results, by way of sockets of our own below the loop."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_FromString
from libc.errno cimport EAGAIN, EINTR, EMFILE, ENFILE, ENOBUFS, ENOMEM, errno
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy

import asyncio
import os
import socket
from asyncio.trsock import TransportSocket

from .settings import LISTEN_BACKLOG


cdef extern from *:
    """
    #include <arpa/inet.h>
    #include <errno.h>
    #include <fcntl.h>
    #include <netinet/in.h>
    #include <sys/epoll.h>
    #include <sys/socket.h>
    #include <sys/uio.h>
    #include <unistd.h>

    #define IOTO_BATCH 256
    #define IOTO_SCRATCH 65536

    /* Used up between two calls of Python code: one thread runs the loop, and has the GIL. */
    static char ioto_scratch[IOTO_SCRATCH];

    /* These return what was moved, or the error, negative: whatever is called next may overwrite errno. */

    static ssize_t ioto_receive(int fd, void *buffer, size_t size)
    {
        ssize_t count = recv(fd, buffer, size, 0);
        return count < 0 ? -errno : count;
    }

    static ssize_t ioto_send(int fd, const void *data, size_t size)
    {
        ssize_t count = send(fd, data, size, MSG_NOSIGNAL);
        return count < 0 ? -errno : count;
    }

    static ssize_t ioto_send_vector(int fd, struct iovec *vector, size_t count)
    {
        struct msghdr message = {0};
        ssize_t sent;
        message.msg_iov = vector;
        message.msg_iovlen = count;
        sent = sendmsg(fd, &message, MSG_NOSIGNAL);
        return sent < 0 ? -errno : sent;
    }

    /* The address and port of an IPv4 socket's peer, or of its own end: 0 for sockets of other kinds. */
    static int ioto_ipv4_name(int fd, int of_peer, char *address, int *port)
    {
        struct sockaddr_storage name;
        struct sockaddr_in *inet = (struct sockaddr_in *) &name;
        socklen_t size = sizeof name;
        int failed = of_peer ? getpeername(fd, (struct sockaddr *) &name, &size)
                             : getsockname(fd, (struct sockaddr *) &name, &size);
        if (failed || name.ss_family != AF_INET)
            return 0;
        *port = ntohs(inet->sin_port);
        return inet_ntop(AF_INET, &inet->sin_addr, address, INET_ADDRSTRLEN) != NULL;
    }

    /* Accepts, and tells of the peer where it is one of IPv4: the kernel has its name at hand. */
    static int ioto_accept(int fd, uint32_t *address, int *port)
    {
        struct sockaddr_storage name;
        struct sockaddr_in *inet = (struct sockaddr_in *) &name;
        socklen_t size = sizeof name;
        int accepted = accept4(fd, (struct sockaddr *) &name, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        *port = -1;
        if (accepted >= 0 && name.ss_family == AF_INET) {
            *address = ntohl(inet->sin_addr.s_addr);
            *port = ntohs(inet->sin_port);
        }
        return accepted;
    }

    static int ioto_epoll(int epoll, int operation, int fd, uint32_t events, uint32_t serial)
    {
        struct epoll_event event;
        event.events = events;
        event.data.u64 = ((uint64_t) serial << 32) | (uint32_t) fd;
        return epoll_ctl(epoll, operation, fd, &event);
    }
    """
    int IOTO_BATCH
    int IOTO_SCRATCH
    char *ioto_scratch
    ssize_t ioto_receive(int fd, void *buffer, size_t size)
    ssize_t ioto_send(int fd, const void *data, size_t size)
    ssize_t ioto_send_vector(int fd, iovec *vector, size_t count)
    int ioto_ipv4_name(int fd, int of_peer, char *address, int *port)
    int ioto_accept(int fd, uint32_t *address, int *port)
    int ioto_epoll(int epoll, int operation, int fd, uint32_t events, uint32_t serial)

    struct iovec:
        void *iov_base
        size_t iov_len
    ctypedef union epoll_data_t:
        uint64_t u64
    struct epoll_event:
        uint32_t events
        epoll_data_t data
    int epoll_create1(int flags)
    int epoll_wait(int epoll, epoll_event *events, int most, int timeout)
    int accept4(int fd, void *address, void *size, int flags)
    int shutdown(int fd, int how)
    int close(int fd)
    int EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL
    uint32_t EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP
    int SOCK_CLOEXEC, SHUT_WR


# How often one connection is read in one turn, if its bytes fill the buffer each time: the others wait.
cdef int READS = 8
# How many connections one listener accepts in one turn.
cdef int ACCEPTED = 64
# How long a listener rests, in seconds, when there is no descriptor and no memory to accept with.
REST = 0.1
# The default bound of asyncio's transports, in bytes.
cdef Py_ssize_t HIGH = 65536
# Parts that are smaller than this on average are joined. A vector of them fills the scratch at the most:
cdef Py_ssize_t SMALL = 1024
# The same for the transports of others.
cdef Py_ssize_t JOINED = 4096


cdef tuple ioto_name(int fd, bint of_peer):
    """What `getpeername()` or `getsockname()` of a socket gives, where it is one of IPv4; else None."""
    cdef char address[16]
    cdef int port = 0
    if not ioto_ipv4_name(fd, of_peer, address, &port):
        return None
    return PyUnicode_FromString(address), port


cdef class Taker(Link):
    def __init__(self, bytearray buffer not None):
        self.buffer = buffer

    def get_buffer(self, _sizehint):
        return self.buffer

    def buffer_updated(self, Py_ssize_t nbytes):
        self.take(nbytes)

    cpdef take(self, Py_ssize_t nbytes):
        raise NotImplementedError


cdef class Watched:
    """A descriptor that is watched for events. It is closed together with this."""

    cdef int watch(self, uint32_t events) except -1:
        """Watch for these events from now on, and for no others."""
        cdef int operation
        if events == self.watched or self.fd < 0:
            return 0
        # Whoever is watched for nothing is taken out: epoll tells of an error or a hang-up unasked, again and again.
        operation = EPOLL_CTL_ADD if not self.watched else EPOLL_CTL_MOD if events else EPOLL_CTL_DEL
        if ioto_epoll(self.plain.descriptor, operation, self.fd, events, self.serial) < 0:
            raise OSError(errno, os.strerror(errno))
        self.watched = events
        return 0

    cdef close_descriptor(self):
        if self.fd < 0:
            return
        # Not left to close(): a child that is being forked may hold the descriptor open.
        self.watch(0)
        self.plain.remove(self)
        fd, self.fd = self.fd, -1
        close(fd)

    cdef ready(self, uint32_t events):
        """Some of the events have come."""
        raise NotImplementedError


cdef class Plain:
    """All descriptors in one epoll set, which is itself one descriptor of the loop."""

    def __cinit__(self):
        self.descriptor = -1

    def __init__(self, loop):
        self.loop = loop
        self.serials = 0
        self.count = 0
        self.known = []
        self.turning = False
        self.lost = []

    def __dealloc__(self):
        if self.descriptor >= 0:
            close(self.descriptor)

    async def serve(self, listener, protocol):
        return Acceptor(self, listener, protocol)

    cdef add(self, Watched one):
        if self.descriptor < 0:
            self.descriptor = epoll_create1(EPOLL_CLOEXEC)
            if self.descriptor < 0:
                raise OSError(errno, os.strerror(errno))
            self.loop.add_reader(self.descriptor, self.turn)
        while len(self.known) <= one.fd:
            self.known.append(None)
        self.known[one.fd] = one
        self.serials += 1
        one.serial = self.serials
        self.count += 1

    cdef remove(self, Watched one):
        self.known[one.fd] = None
        self.count -= 1
        if self.count == 0:
            # Nothing is kept that nobody needs: the loop may be closed now.
            if not self.loop.is_closed():
                self.loop.remove_reader(self.descriptor)
            close(self.descriptor)
            self.descriptor = -1

    def turn(self):
        """The loop's reader: serve what has happened, up to a batch, in the order of the kernel."""
        cdef epoll_event[256] events
        cdef int count = epoll_wait(self.descriptor, events, IOTO_BATCH, 0)
        cdef int i
        cdef Py_ssize_t fd
        cdef Watched one
        self.turning = True
        try:
            for i in range(count):
                fd = <uint32_t> events[i].data.u64
                if fd >= len(self.known):
                    continue
                one = <Watched> self.known[fd]
                # In this batch it may have been closed, and another may have got its number.
                if one is not None and one.serial == <uint32_t> (events[i].data.u64 >> 32):
                    one.ready(events[i].events)
        finally:
            self.turning = False
            if self.lost:
                self.tell_lost()

    cdef tell_lost(self):
        """Tell the protocols of what was lost in this turn: now none of them is in the midst of anything."""
        cdef list lost = self.lost
        cdef Py_ssize_t told = 0
        cdef Stream stream
        self.lost = []
        try:
            while told < len(lost):
                stream, error = lost[told]
                told += 1
                try:
                    stream.tell(error)
                except (KeyboardInterrupt, SystemExit):
                    raise
                except BaseException as failure:
                    stream.report("protocol.connection_lost() failed", failure)
        finally:
            for stream, error in lost[told:]:
                self.loop.call_soon(stream.tell, error)


cdef class Acceptor(Watched):
    """A listening socket. Closing it ends the accepting, nothing else."""

    def __cinit__(self):
        self.spare = -1
        self.fd = -1
        self.met_names = [None] * 64

    def __init__(self, Plain plain not None, listener, protocol):
        self.plain = plain
        self.listener = listener
        self.protocol = protocol
        listener.listen(LISTEN_BACKLOG)
        listener.setblocking(False)
        if listener.family != socket.AF_UNIX:
            # Accepted sockets inherit it: an answer never waits for the acknowledgement of the last one.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.fd = listener.fileno()
        self.local = ioto_name(self.fd, False)
        if self.local is not None and self.local[0] == "0.0.0.0":
            self.local = None
        plain.add(self)
        self.watch(EPOLLIN)
        self.keep_spare()

    def __dealloc__(self):
        if self.spare >= 0:
            close(self.spare)

    def close(self):
        """Accept no more."""
        if self.fd < 0:
            return
        self.watch(0)
        self.plain.remove(self)
        self.fd = -1
        self.listener.close()
        if self.spare >= 0:
            close(self.spare)
            self.spare = -1

    cdef keep_spare(self):
        if self.spare < 0:
            try:
                self.spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                pass

    cdef ready(self, uint32_t events):
        cdef uint32_t address = 0
        cdef int fd, i, port = -1
        for i in range(ACCEPTED):
            if self.fd < 0:
                return
            fd = ioto_accept(self.fd, &address, &port)
            if fd >= 0:
                self.accepted(fd, None if port < 0 else (self.name(address), port))
            elif errno == EMFILE or errno == ENFILE:
                if not self.turn_away():
                    return self.rest()
            elif errno == ENOBUFS or errno == ENOMEM:
                return self.rest()
            elif errno == EAGAIN:
                return
            # Else this one has gone again, or its network has: the next may be well.

    cdef str name(self, uint32_t address):
        """An address of IPv4 as text: the very one, as a rule, that others from there have."""
        cdef uint32_t at = (address ^ address >> 8 ^ address >> 16) & 63
        name = self.met_names[at]
        if name is None or self.met[at] != address:
            name = f"{address >> 24}.{address >> 16 & 255}.{address >> 8 & 255}.{address & 255}"
            self.met[at] = address
            self.met_names[at] = name
        return name

    cdef accepted(self, int fd, tuple remote):
        cdef Stream stream = Stream.__new__(Stream)
        stream.plain = self.plain
        stream.fd = fd
        stream.local = self.local
        self.plain.newest = stream
        self.plain.newest_remote = remote
        try:
            self.plain.add(stream)
            protocol = self.protocol()
            stream.set_protocol(protocol)
            protocol.connection_made(stream)
            stream.look()
        except (KeyboardInterrupt, SystemExit) as error:
            stream.drop(error)
            raise
        except BaseException as error:
            stream.fails(error)
        finally:
            # Whoever needs it has asked: an idle connection keeps nothing that the kernel knows.
            self.plain.newest = None
            self.plain.newest_remote = None

    cdef bint turn_away(self) except -1:
        """Accept with the spare descriptor, and close: better than to be silent. False if that cannot be done."""
        cdef int fd
        if self.spare < 0:
            return False
        close(self.spare)
        self.spare = -1
        fd = accept4(self.fd, NULL, NULL, SOCK_CLOEXEC)
        if fd >= 0:
            close(fd)
        self.keep_spare()
        return fd >= 0 or errno == EAGAIN

    cdef rest(self):
        self.watch(0)
        self.plain.loop.call_later(REST, self.go_on)

    def go_on(self):
        """The rest is over."""
        if self.fd >= 0:
            self.keep_spare()
            self.watch(EPOLLIN)


cdef class Stream(Watched):
    """One connection: an `asyncio.Transport` in all but its ancestors."""

    def __cinit__(self):
        self.fd = -1
        self.high = HIGH
        self.low = HIGH // 4

    def __dealloc__(self):
        # Only where the loop was given up with it: else it was closed.
        if self.fd >= 0:
            close(self.fd)

    def __repr__(self):
        return f"<{type(self).__name__} fd={self.fd} {'closing' if self.closing else 'open'}>"

    # ---- what is known of it --------------------------------------------------------------------------

    def get_extra_info(self, name, default=None):
        """`peername` is asked of the kernel, `sockname` where it may be any; `socket` is one to look at."""
        if self.fd < 0:
            return default
        if name == "socket":
            if self.looked_at is None:
                self.looked_at = socket.socket(fileno=self.fd)
            return TransportSocket(self.looked_at)
        if name == "sockname" and self.local is not None:
            return self.local
        if name == "peername" and self.plain.newest is self and self.plain.newest_remote is not None:
            return self.plain.newest_remote
        if name == "peername" or name == "sockname":
            known = ioto_name(self.fd, name == "peername")
            if known is not None:
                return known
            asked = socket.socket(fileno=self.fd)
            try:
                return asked.getpeername() if name == "peername" else asked.getsockname()
            except OSError:
                return default
            finally:
                asked.detach()
        return default

    def get_protocol(self):
        return self.protocol

    def set_protocol(self, protocol):
        self.protocol = protocol
        self.takes = isinstance(protocol, Taker)
        self.buffered = hasattr(protocol, "get_buffer") and not isinstance(protocol, asyncio.Protocol)

    def is_closing(self):
        return self.closing

    # ---- reading --------------------------------------------------------------------------------------

    def is_reading(self):
        return not (self.paused or self.ended or self.closing)

    def pause_reading(self):
        self.paused = True
        self.look()

    def resume_reading(self):
        self.paused = False
        self.look()

    cdef int look(self) except -1:
        """Watch for what this connection waits for now."""
        cdef uint32_t events = 0
        if not (self.paused or self.ended or self.closing):
            events = EPOLLIN
        if self.unsent:
            events |= EPOLLOUT
        return self.watch(events)

    cdef ready(self, uint32_t events):
        try:
            if self.watched & EPOLLIN and events & (EPOLLIN | EPOLLHUP | EPOLLERR):
                self.read()
            if self.unsent and events & (EPOLLOUT | EPOLLHUP | EPOLLERR):
                self.flush()
        except (KeyboardInterrupt, SystemExit) as error:
            self.drop(error)
            raise
        except BaseException as error:
            self.fails(error)

    cdef read(self):
        cdef Taker taker
        cdef Py_ssize_t size, room = 0
        cdef int i
        for i in range(READS):
            if self.takes:
                # Kept alive here: it may have another take its place.
                taker = <Taker> self.protocol
                room = PyByteArray_GET_SIZE(taker.buffer)
                size = ioto_receive(self.fd, PyByteArray_AS_STRING(taker.buffer), room)
                if size > 0:
                    taker.take(size)
            elif self.buffered:
                size = self.read_into(self.protocol.get_buffer(-1), &room)
                if size > 0:
                    self.protocol.buffer_updated(size)
            else:
                room = IOTO_SCRATCH
                size = ioto_receive(self.fd, ioto_scratch, room)
                if size > 0:
                    self.protocol.data_received(PyBytes_FromStringAndSize(ioto_scratch, size))
            if size <= 0:
                if size == 0:
                    self.ends()
                elif size != -EAGAIN and size != -EINTR:
                    self.breaks(-size)
                return
            if size < room or self.paused or self.closing:
                return

    cdef Py_ssize_t read_into(self, buffer, Py_ssize_t *room) except? -1:
        cdef Py_buffer view
        PyObject_GetBuffer(buffer, &view, PyBUF_WRITABLE)
        try:
            if view.len == 0:
                raise RuntimeError("get_buffer() returned an empty buffer")
            room[0] = view.len
            return ioto_receive(self.fd, view.buf, view.len)
        finally:
            PyBuffer_Release(&view)

    cdef Py_ssize_t unread(self) except -1:
        return 0

    cdef ends(self):
        self.ended = True
        if self.protocol.eof_received():
            self.look()
        else:
            self.close()

    # ---- writing --------------------------------------------------------------------------------------

    def get_write_buffer_size(self):
        return self.unsent

    def get_write_buffer_limits(self):
        return self.low, self.high

    def set_write_buffer_limits(self, high=None, low=None):
        if high is None:
            high = HIGH if low is None else 4 * low
        if low is None:
            low = high // 4
        if not high >= low >= 0:
            raise ValueError(f"high ({high!r}) must be >= low ({low!r}) must be >= 0")
        self.high = high
        self.low = low
        self.pause_protocol()

    def can_write_eof(self):
        return True

    def write(self, data):
        self.write_one(data if type(data) is bytes else memoryview(data).tobytes())

    cdef write_one(self, bytes part):
        cdef Py_ssize_t sent = 0, size = PyBytes_GET_SIZE(part)
        if self.eof_due:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self.closing or size == 0:
            return
        if self.unsent:
            self.wait(part, 0)
        else:
            sent = ioto_send(self.fd, PyBytes_AS_STRING(part), size)
            if sent == size:
                return
            if sent < 0:
                if sent != -EAGAIN and sent != -EINTR:
                    self.breaks(-sent)
                    return
                sent = 0
            self.wait(part, sent)

    cdef wait(self, bytes part, Py_ssize_t sent):
        """The kernel has taken no more of `part` than that."""
        if self.unsent:
            self.backlog.append(part)
        else:
            self.backlog = [part]
            self.first = 0
            self.offset = sent
        self.unsent += PyBytes_GET_SIZE(part) - sent
        self.look()
        self.pause_protocol()

    def writelines(self, list_of_data):
        cdef list parts = [part if type(part) is bytes else memoryview(part).tobytes() for part in list_of_data]
        self.write_list([part for part in parts if part], sum(map(len, parts)))

    cdef write_list(self, list parts, Py_ssize_t size):
        """Write parts of `bytes` in as few calls of the kernel as can be. The list is ours from now on."""
        if self.eof_due:
            raise RuntimeError("Cannot call writelines() after write_eof()")
        if self.closing or size == 0:
            return
        if self.unsent:
            self.backlog += parts
            self.unsent += size
        else:
            self.backlog = parts
            self.first = 0
            self.offset = 0
            self.unsent = size
            self.push()
        if self.unsent:
            self.look()
            self.pause_protocol()

    cdef push(self):
        """Send what waits until the kernel takes no more of it."""
        cdef iovec[64] vector
        cdef Py_ssize_t sent, size, at
        cdef int count
        while self.unsent:
            count = 0
            size = 0
            for at in range(self.first, len(self.backlog)):
                vector[count].iov_base = PyBytes_AS_STRING(<bytes> self.backlog[at])
                vector[count].iov_len = PyBytes_GET_SIZE(<bytes> self.backlog[at])
                if count == 0:
                    vector[0].iov_base = <char *> vector[0].iov_base + self.offset
                    vector[0].iov_len -= self.offset
                size += vector[count].iov_len
                count += 1
                if count == 64:
                    break
            if count == 0:
                self.fails(RuntimeError(f"{self.unsent} bytes are counted that no part holds"))
                return
            if count == 1:
                sent = ioto_send(self.fd, vector[0].iov_base, size)
            elif size <= count * SMALL:
                # One after the other in one place: to copy them costs less than a vector of them.
                sent = 0
                for at in range(count):
                    memcpy(ioto_scratch + sent, vector[at].iov_base, vector[at].iov_len)
                    sent += vector[at].iov_len
                sent = ioto_send(self.fd, ioto_scratch, size)
            else:
                sent = ioto_send_vector(self.fd, vector, count)
            if sent == -EINTR:
                continue
            if sent < 0:
                if sent != -EAGAIN:
                    self.breaks(-sent)
                return
            self.unsent -= sent
            self.forget(sent)
            if sent < size:
                return

    cdef forget(self, Py_ssize_t sent):
        """So many bytes of the backlog have left."""
        cdef Py_ssize_t left
        if self.unsent == 0:
            self.backlog = None
            return
        while sent:
            left = PyBytes_GET_SIZE(<bytes> self.backlog[self.first]) - self.offset
            if sent < left:
                self.offset += sent
                break
            sent -= left
            self.backlog[self.first] = None
            self.first += 1
            self.offset = 0
        # Half of it, or more, is gone by then: to move the rest stays in proportion.
        if self.first > 64 and self.first > len(self.backlog) // 2:
            del self.backlog[:self.first]
            self.first = 0

    cdef flush(self):
        """The kernel has room again."""
        self.push()
        if self.protocol_paused and self.unsent <= self.low and not self.lost:
            self.protocol_paused = False
            self.protocol.resume_writing()
        if self.unsent == 0 and not self.lost:
            if self.closing:
                self.left()
            elif self.eof_due:
                shutdown(self.fd, SHUT_WR)
        self.look()

    cdef pause_protocol(self):
        if self.unsent > self.high and not self.protocol_paused and self.protocol is not None:
            self.protocol_paused = True
            try:
                self.protocol.pause_writing()
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:
                self.report("protocol.pause_writing() failed", error)

    def write_eof(self):
        if self.closing or self.eof_due:
            return
        self.eof_due = True
        if self.unsent == 0:
            shutdown(self.fd, SHUT_WR)

    # ---- the end --------------------------------------------------------------------------------------

    def close(self):
        """Close once everything has left."""
        if self.closing:
            return
        self.closing = True
        if self.unsent == 0:
            self.left()
        self.look()

    cdef left(self):
        """Everything has left, and this side is closing."""
        self.lose(None)

    def abort(self):
        """Close now, with whatever is unsent."""
        self.drop(None)

    cdef breaks(self, int number):
        """The kernel says that the connection is no more."""
        self.drop(OSError(number, os.strerror(number)))

    cdef fails(self, error):
        """The protocol has raised an error: it harms nobody else."""
        self.report("Fatal error: protocol failed", error)
        self.drop(error)

    cdef report(self, str message, error):
        self.plain.loop.call_exception_handler(
            {"message": message, "exception": error, "transport": self, "protocol": self.protocol}
        )

    cdef drop(self, error):
        self.closing = True
        self.backlog = None
        self.unsent = 0
        self.lose(error)
        self.look()

    cdef lose(self, error):
        """The protocol is told when everybody has had its turn: never in the midst of what it does now."""
        if self.lost:
            return
        self.lost = True
        if self.plain.turning:
            self.plain.lost.append((self, error))
        else:
            self.plain.loop.call_soon(self.tell, error)

    def tell(self, error):
        protocol, self.protocol, self.takes = self.protocol, None, False
        try:
            if protocol is not None:
                protocol.connection_lost(error)
        finally:
            if self.looked_at is not None:
                self.looked_at.detach()
                self.looked_at = None
            self.close_descriptor()


cpdef bint write_parts(transport, list parts, Py_ssize_t size) except -1:
    cdef Stream stream
    cdef Py_ssize_t count
    if isinstance(transport, Stream):
        stream = <Stream> transport
        if stream.closing:
            return False
        if len(parts) == 1:
            stream.write_one(parts[0])
        else:
            stream.write_list(parts, size)
        return True
    if transport.is_closing():
        return False
    count = len(parts)
    if count == 1:
        transport.write(parts[0])
    elif size < count * JOINED:
        transport.write(b"".join(parts))
    else:
        transport.writelines(parts)
    return True


cpdef Py_ssize_t count_unread(transport) except -1:
    return (<Stream> transport).unread() if isinstance(transport, Stream) else 0


cpdef bint is_own(transport):
    return isinstance(transport, Stream)


cpdef bint is_lost(transport):
    return isinstance(transport, Stream) and (<Stream> transport).lost
