"""The types of sending.py, for its compiled form. No code: what is compiled is sending.py itself."""

import cython

from .lifecycle cimport Lifecycle
from .outbox cimport Outbox
from .publication cimport Publication


cdef int OPEN
cdef object NEXT_TURN
cdef object SENT
cdef Py_ssize_t HIGH_WATER


cdef class Sending(Lifecycle):
    @cython.locals(outbox=Outbox, size=Py_ssize_t)
    cdef _send(self, int opcode, payload)
    @cython.locals(outbox=Outbox, handed=Py_ssize_t)
    cdef _queued_or_wait(self, Py_ssize_t size)
    @cython.locals(outbox=Outbox)
    cpdef bint deliver(self, Publication publication) except -1
    @cython.locals(outbox=Outbox)
    cpdef uncork(self)
    cdef bint _is_too_slow(self) except -1
    cdef _check_backlog(self)
    cdef _check_open(self)
    cpdef paused_writing(self)
    @cython.locals(outbox=Outbox, payload=bytes, size=Py_ssize_t)
    cpdef resumed_writing(self)
