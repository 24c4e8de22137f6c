"""The types of http_connection.py, for its compiled form. No code: what is compiled is http_connection.py itself."""

import cython

from ioto_server.http.request cimport Request as HttpRequest

from .exchange cimport Exchange
from .http_life cimport HttpLife
from .peer cimport forwarded, local_name, peer_of, remote_name


cdef object IDLE
cdef object SHUT
cdef object GONE
cdef object UPGRADED
cdef object HEADER_READ
cdef object ACCEPTED


cdef class HttpConnection(HttpLife):
    @cython.locals(begun=double)
    cpdef advance(self)
    @cython.locals(exchange=Exchange)
    cdef bint _pull(self) except -1
    cdef _wait_for_more(self)
    @cython.locals(full=bint)
    cdef _throttle(self)
    cdef _begin(self, HttpRequest request)
    cdef _broken(self, error)
    cpdef answered(self, Exchange exchange)
    @cython.locals(exchange=Exchange)
    cdef _next(self)
    cpdef switch(self, Exchange exchange)
