"""The types of lifecycle.py, for its compiled form. No code: what is compiled is lifecycle.py itself."""

import cython

from libc.stdint cimport int64_t

from ioto_server.websocket.flag cimport flag
from ioto_server.websocket.protocol cimport Protocol

from .clock cimport Clock
from .delivery cimport Delivery
from .ending cimport Ending
from .keepalive cimport KeepAlive
from .link cimport Link
from .outbox cimport Outbox
from .publication cimport Publication
from .quick cimport monotonic


cdef int OPEN
cdef int CLOSING
cdef int LINGERING
cdef int FINISHING
cdef int ENDED
cdef int SMALL
cdef tuple ROWS
cdef object _COMPLETE
cdef object _CONNECTION_LOST
cdef object _LOST
cdef object _PEER_CLOSED
cdef object _PEER_CLOSES
cdef object _UNANSWERED


cdef class Lifecycle(Delivery):
    cdef flag _eof
    cdef public flag drop_when_slow
    cdef readonly int phase
    cdef bytes _pong_due
    cdef double _close_by
    cdef int64_t _count_at
    cdef Clock _clock
    cdef object _config
    cdef readonly Ending _ended_by
    cdef Link _link
    cdef object _pings
    cdef set _topics
    cdef readonly Outbox _outbox
    cdef Protocol _codec
    cdef public object data
    cdef public Py_ssize_t held
    cdef readonly double opened_at
    cdef readonly int64_t bytes_in
    cdef readonly int64_t bytes_out
    cdef readonly int64_t dropped
    cdef readonly int64_t messages_in
    cdef readonly int64_t messages_out
    cdef readonly int64_t number
    cdef readonly KeepAlive keepalive
    cdef readonly object latency
    cdef readonly object protocol

    cpdef drop(self, cause)
    @cython.locals(outbox=Outbox, size=Py_ssize_t)
    cdef _close(self, cause, code, str reason)
    @cython.locals(size=Py_ssize_t)
    cdef _peer_closed(self, int code, str reason)
    @cython.locals(outbox=Outbox, size=Py_ssize_t)
    cdef _fail(self, cause, int code, str reason)
    @cython.locals(outbox=Outbox, held=bint, row=dict, phase=int)
    cdef _advance(self, step, cause, str reason=*)
    cdef _finish_when_sent(self)
    @cython.locals(ending=Ending)
    cdef _end(self, step, cause, str reason)
    @cython.locals(begun=Ending)
    cdef Ending _outcome(self, step, cause, str reason)
    cdef _log_end(self, Ending ending)
    @cython.locals(outbox=Outbox, read=Py_ssize_t)
    cdef Py_ssize_t _buffered(self) except -1
    cdef _recount(self)
    cdef _queued(self, Py_ssize_t size)
    cpdef bint deliver(self, Publication publication) except -1
