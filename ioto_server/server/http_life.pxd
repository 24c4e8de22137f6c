"""The types of http_life.py, for its compiled form. No code: what is compiled is http_life.py itself."""

import cython

from libc.stdint cimport int64_t

from ioto_server.http.parser cimport RequestParser as Parser

from .exchange cimport Exchange
from .peer cimport Peer
from .server cimport Server
from .wheel cimport Wheel


cdef object FRESH
cdef object HEADER
cdef object REQUEST
cdef object SHUT
cdef object GONE
cdef object UPGRADED
cdef dict TABLE


cdef class HttpLife:
    cdef bint _advancing
    cdef double _armed
    cdef double _deadline
    cdef bint _eof
    cdef Exchange _exchange
    cdef bint _full
    cdef int64_t _handed
    cdef double _inactivity
    cdef double _last_io
    cdef object _local
    cdef Parser _parser
    cdef bint _paused
    cdef double _request_time
    cdef object _requests
    cdef list _room
    cdef Server _server
    cdef int64_t _taken
    cdef object _transport
    cdef Wheel _wheel
    cdef public object address
    cdef public object held
    cdef public Peer peer
    cdef public object phase
    cdef readonly object scheme
    cdef public int slot

    @cython.locals(row=dict)
    cdef bint _step(self, step) except -1
    cdef _set_deadline(self, double seconds)
    @cython.locals(at=double)
    cdef _arm(self)
    cdef double _next_at(self) except? -1
    cdef bint _awaits_client(self) except -1
    cdef double _comment_at(self) except? -1
    cpdef begin_request(self)
    cdef _hurry_body(self)
    cdef double _expire(self, double now) except? -1
    cdef bint _is_taking(self) except -1
    cdef _request_expires(self, double now)
    cdef _time_is_up(self, Exchange exchange, str name)
    cpdef send(self, bytes data)
    cpdef bint is_too_slow(self) except -1
    cpdef _waiter(self)
    cdef _refuse(self, error)
    cdef _shut(self, step)
    cdef _leave(self, step)
    cpdef abort(self)
    cdef Py_ssize_t _ahead(self) except -1
    @cython.locals(held=Py_ssize_t)
    cdef _recount(self)
