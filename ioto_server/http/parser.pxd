"""The types of parser.py, for its compiled form. No code: what is compiled is parser.py itself."""

import cython

from .heads cimport Heads
from .key_field cimport copied
from .request cimport Body, EndOfRequest, Request


cdef Heads HEADS
cdef int BEGIN
cdef int FIRST_BYTE
cdef int HEADER
cdef int FIRST_PIECE
cdef int PIECE
cdef int FIRST_CHUNK
cdef int CHUNK
cdef int END
cdef int FINISHED


cdef class RequestParser:
    cdef Py_ssize_t _checked
    cdef Py_ssize_t _lines
    cdef Py_ssize_t _position
    cdef object _left
    cdef object _max_body
    cdef object _chunks
    cdef int _step
    cdef bytes _data
    cdef public object max_body
    cdef public object max_header
    cdef readonly Request request

    cpdef feed(self, data)
    cpdef feed_lent(self, bytearray buffer, Py_ssize_t size)
    cpdef next_event(self)
    @cython.locals(step=int)
    cdef _go_on(self)
    cdef _begin(self)
    cdef _first_byte(self)
    @cython.locals(start=Py_ssize_t, end=Py_ssize_t, block=bytes, request=Request)
    cdef _header(self)
    cdef _incomplete(self)
    cdef Request _accept(self, bytes block)
    cdef _first_piece(self)
    cdef _piece(self)
    cdef _first_chunk(self)
    cdef _chunk(self)
    cdef _end(self)
    cdef _finished(self)
    cdef _discard(self)
