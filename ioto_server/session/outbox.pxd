"""The types of outbox.py, for its compiled form. No code: what is compiled is outbox.py itself."""

import cython

from ioto_server.websocket.flag cimport flag

from .link cimport Link
from .stepping cimport Stepping


cdef Py_ssize_t _HIGH_WATER


@cython.locals(size=Py_ssize_t)
cdef Py_ssize_t _frame_size(bytes part) except -1


cdef class _Sent(Stepping):
    cdef step(self)


cdef class Outbox:
    cdef flag _ended
    cdef public flag corked
    cdef readonly flag mid_message
    cdef public flag writable
    # A number of parts, which are far fewer than their bytes.
    cdef int _loose
    cdef list _deferred
    cdef readonly dict _waiters
    cdef Link _link
    cdef Py_ssize_t _taken
    cdef public list parts
    cdef public Py_ssize_t deferred_size
    cdef public Py_ssize_t handed
    cdef public Py_ssize_t queued

    cpdef Py_ssize_t backlog(self) except -1
    @cython.locals(taken=Py_ssize_t, before=Py_ssize_t)
    cpdef bint progressed(self) except -1
    cpdef uncork(self)
    @cython.locals(size=Py_ssize_t, parts=list)
    cpdef flush(self)
    @cython.locals(taken=Py_ssize_t, size=Py_ssize_t, end=Py_ssize_t, parts=list)
    cdef tuple _take(self)
    cpdef drop(self)
    cpdef begin_blocks(self)
    cpdef defer(self, frames)
    cpdef end_blocks(self)
    cpdef paused(self)
    cpdef resumed(self)
    cpdef wake(self)
    cpdef end(self)
