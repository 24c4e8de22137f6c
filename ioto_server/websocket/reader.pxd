"""The types of reader.py, for its compiled form. No code: what is compiled is reader.py itself."""

import cython

from libc.stdint cimport int64_t, uint8_t, uint32_t

from .flag cimport flag
from .octets cimport read_key, rotate_key, unmask


cdef int MAX_HEADER
cdef bytearray EMPTY
cdef tuple VERDICTS


cdef class FrameReader:
    # Sizes have 64 bits everywhere: a frame may announce 2**63 - 1. What is small stands together, as an idle
    # connection has all of these.
    cdef flag _client
    cdef flag _compressed
    cdef flag _failed
    cdef readonly flag close_received
    cdef readonly flag close_sent
    cdef uint8_t _first
    cdef uint8_t _opcode
    cdef uint8_t _verdicts
    cdef uint32_t _key
    cdef Py_ssize_t _pos
    cdef Py_ssize_t _end
    cdef int64_t _left
    cdef int64_t _size
    cdef int64_t _fragments
    cdef int64_t _max_fragments
    cdef int64_t _max_frame
    cdef int64_t _max_message
    cdef bytearray _data
    cdef bytearray _head
    cdef readonly object error

    cdef _begin_reading(
        self, bint client, int64_t max_message, int64_t max_frame, int64_t max_fragments, bint compressible)
    @cython.locals(stop=Py_ssize_t)
    cpdef receive(self, data, Py_ssize_t start=*, end=*)
    cpdef hold(self)
    cdef _give_back(self)
    cdef int _refuse(self, int code, str reason) except -2
    cdef int _too_big(self) except -2
    @cython.locals(pos=Py_ssize_t, end=Py_ssize_t, held=Py_ssize_t, size=int, head=bytearray)
    cdef int _read_header(self) except -2
    @cython.locals(first=uint8_t, second=uint8_t, inside=bint, control=bint, compressed=bint,
                   length=int64_t, room=int64_t, size=int, missing=Py_ssize_t)
    cdef int _parse_header(self, bytearray data, Py_ssize_t pos, Py_ssize_t end) except -2
    cdef _begin_fragment(self, uint8_t opcode, bint compressed, int64_t length)
    @cython.locals(known=int, i=int, length=int64_t)
    cdef int64_t _extended_length(self, bytearray data, Py_ssize_t pos, Py_ssize_t end, int width) except -2
    @cython.locals(pos=Py_ssize_t, stop=Py_ssize_t, payload=bytes)
    cdef bytes _take(self, Py_ssize_t count)
