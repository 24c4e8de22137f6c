"""The types of request.py, for its compiled form. No code: what is compiled is request.py itself."""

import cython

from .headers cimport Headers


cdef class Request:
    cdef public str method
    cdef public str target
    cdef public str path
    cdef public str query
    cdef public str version
    cdef public str host
    cdef public Headers headers
    cdef public object trailers
    cdef public object content_length
    cdef public bint chunked
    cdef public bint expect_continue
    cdef public bint keep_alive
    cdef public bint shared
    cdef public bint upgrade
    cdef public Request model
    cdef public tuple kept

    cpdef Request with_key(self, str key)
    @cython.locals(made=Request)
    cdef Request _with(self, Headers headers)


cdef class Body:
    cdef public bytes data


cdef class EndOfRequest:
    pass
