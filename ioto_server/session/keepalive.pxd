"""The types of keepalive.py, for its compiled form. No code: what is compiled is keepalive.py itself."""

import cython

from ioto_server.websocket.flag cimport flag


cdef class KeepAlive:
    cdef flag _paused
    cdef public flag heard
    cdef double _ping_at
    cdef double _pong_by
    cdef double _request_at
    cdef public double inactivity
    cdef public double last_io
    cdef public double ping
    cdef public double pong
    cdef public double request

    @cython.locals(made=KeepAlive)
    cpdef KeepAlive another(self, double now, double phase)
    cdef _begin(self, double inactivity, double request, double ping, double pong, double now, double phase)
    cpdef pause(self)
    cpdef resume(self, double now)
    cpdef progressed(self, double now)
    cpdef due(self, double now, bint can_ping=*)
    @cython.locals(pong_by=double, ping_at=double)
    cpdef double next_at(self, bint can_ping=*)
