"""What other compiled modules use of plain.pyx."""

from libc.stdint cimport uint32_t


cdef class Taker:
    cdef readonly bytearray buffer

    cpdef take(self, Py_ssize_t nbytes)


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
    # Events are being served; and who was lost meanwhile, each with what for.
    cdef bint turning
    cdef list lost

    cdef add(self, Watched one)
    cdef remove(self, Watched one)
    cdef tell_lost(self)


cpdef bint write_parts(transport, list parts, Py_ssize_t size) except -1
cpdef bint is_lost(transport)
