"""The types of conversation.py, for its compiled form. No code: what is compiled is conversation.py itself."""

import cython

from ioto_server.websocket.protocol cimport Protocol

from .keepalive cimport KeepAlive
from .outbox cimport Outbox
from .quick cimport monotonic
from .sending cimport Sending


cdef double NOTED
cdef double _FAIR_SHARE
cdef double _WATCH_EVERY
cdef int LINGERING
cdef int OPEN
cdef int SMALL
cdef int _EVENTS_UNTIMED
cdef object SENT
cdef object _INFLATING
cdef object _MESSAGE
cdef object _NEED_DATA
cdef object _PARTIAL
cdef object _CLOSE
cdef object _PIECE
cdef object _PING
cdef object _PONG
cdef object _WHOLE


cdef class Conversation(Sending):
    @cython.locals(keepalive=KeepAlive, outbox=Outbox)
    cpdef received(self, data, Py_ssize_t end)
    @cython.locals(codec=Protocol, begun=double, untimed=int)
    cdef _pump(self)
    @cython.locals(codec=Protocol)
    cdef _control(self, kind)
    cdef _hold(self)
    cpdef received_eof(self)
    @cython.locals(size=Py_ssize_t)
    cdef _ping(self, bytes payload, pong)
    cdef _pong(self, bytes payload)
    cdef _ponged(self, bytes payload)
    @cython.locals(outbox=Outbox, moving=bint)
    cpdef double expire(self, double now) except? -1
    @cython.locals(next_at=double)
    cpdef double next_at(self) except? -1
