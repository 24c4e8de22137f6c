"""What other compiled modules use of plain.pyx."""

from libc.stdint cimport uint32_t

from ioto_server.session.link cimport Link
from ioto_server.websocket.flag cimport flag


cdef class Taker(Link):
    cdef readonly bytearray buffer

    cpdef take(self, Py_ssize_t nbytes)


cdef class Stream


cdef class Watched:
    cdef Plain plain
    cdef int fd
    # The number that tells a descriptor's events from those of who had it before.
    cdef uint32_t serial
    # What epoll is asked to watch for now, 0 for nothing.
    cdef uint32_t watched

    cdef int watch(self, uint32_t events) except -1
    cdef close_descriptor(self)
    cdef ready(self, uint32_t events)


cdef class Plain:
    cdef object loop
    cdef object __weakref__
    cdef int descriptor
    cdef uint32_t serials
    cdef Py_ssize_t count
    cdef list known
    # Who has been accepted just now, and the address and port of its peer, which it does not keep itself.
    cdef Stream newest
    cdef tuple newest_remote
    # Events are being served; and who was lost meanwhile, each with what for.
    cdef bint turning
    cdef list lost

    cdef add(self, Watched one)
    cdef remove(self, Watched one)
    cdef tell_lost(self)


cdef class Acceptor(Watched):
    cdef object listener
    cdef object protocol
    # The address and port of all that it accepts; None where each has its own.
    cdef tuple local
    # Addresses of IPv4 that were met, by their hash: the peers that have one share its text.
    cdef uint32_t[64] met
    cdef list met_names
    # Given up for a moment where no other is left, to take in those who wait and turn them away.
    cdef int spare

    cdef keep_spare(self)
    cdef str name(self, uint32_t address)
    cdef accepted(self, int fd, tuple remote)
    cdef bint turn_away(self) except -1
    cdef rest(self)


cdef class Stream(Watched):
    cdef object protocol
    # The protocol is a Taker: it takes what was read there and then.
    cdef flag takes
    cdef flag buffered
    cdef flag paused
    # The peer has shut its side.
    cdef flag ended
    cdef flag closing
    cdef flag lost
    cdef flag eof_due
    cdef flag protocol_paused
    # What the kernel has not taken: parts from `first` on, of which the first has left but for its end.
    cdef list backlog
    cdef Py_ssize_t first
    cdef Py_ssize_t offset
    cdef Py_ssize_t unsent
    cdef Py_ssize_t high
    cdef Py_ssize_t low
    cdef object looked_at
    # The address and port that were connected to, where they are known without asking the kernel.
    cdef tuple local

    cdef int look(self) except -1
    cdef read(self)
    cdef Py_ssize_t unread(self) except -1
    cdef Py_ssize_t read_into(self, buffer, Py_ssize_t *room) except? -1
    cdef ends(self)
    cdef write_one(self, bytes part)
    cdef wait(self, bytes part, Py_ssize_t sent)
    cdef write_list(self, list parts, Py_ssize_t size)
    cdef push(self)
    cdef forget(self, Py_ssize_t sent)
    cdef flush(self)
    cdef pause_protocol(self)
    cdef left(self)
    cdef breaks(self, int number)
    cdef fails(self, error)
    cdef report(self, str message, error)
    cdef drop(self, error)
    cdef lose(self, error)


cpdef bint write_parts(transport, list parts, Py_ssize_t size) except -1
cpdef Py_ssize_t count_unread(transport) except -1
cpdef bint is_lost(transport)
cpdef bint is_own(transport)
