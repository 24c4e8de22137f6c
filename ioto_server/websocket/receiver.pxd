"""The types of receiver.py, for its compiled form. No code: what is compiled is receiver.py itself."""

import cython

from libc.stdint cimport int8_t, int64_t, uint8_t, uint16_t

from .compression cimport Inflater
from .flag cimport flag
from .octets cimport Assembly, read_key, rotate_key, unmask, unmask_text, unmask_utf8
from .reader cimport FrameReader


cdef int64_t NO_FRAME
cdef object NEED_DATA
cdef object MESSAGE
cdef object PIECE
cdef object PING
cdef object PONG
cdef object CLOSE
cdef object FAILED
cdef object INFLATING
cdef int NO_STATUS
cdef object TEXT
cdef object BINARY
cdef int BINARY_BITS
cdef int TEXT_BITS
cdef int64_t INFLATE_STEP
cdef int64_t INFLATED_AT_ONCE


cdef class Receiver(FrameReader):
    cdef flag _inflating
    cdef flag _stream
    cdef flag _text_bytes
    cdef flag _validate
    cdef int8_t _short
    cdef readonly uint16_t close_code
    cdef int64_t _inflated
    cdef bytes _control
    cdef Inflater _inflater
    cdef Assembly _message
    cdef readonly object opcode
    cdef readonly object data
    cdef readonly Py_ssize_t data_length
    cdef readonly str close_reason

    cdef _begin_receiving(
        self, bint client, int64_t max_message, int64_t max_frame, int64_t max_fragments, bint validate_utf,
        bint text_bytes, bint stream, deflate)
    @cython.locals(pos=Py_ssize_t, size=int, began=int, data=bytearray)
    cpdef next_event(self)
    cdef _need_data(self)
    cdef _fail(self, int code, str reason)
    cdef _forget(self)
    cdef _end_message(self)
    @cython.locals(left=int64_t, available=int64_t, count=int64_t, pos=Py_ssize_t, final=bint, message=Assembly)
    cdef _read_data(self)
    @cython.locals(pos=Py_ssize_t, stop=Py_ssize_t)
    cdef _deliver_at_once(self, Py_ssize_t size)
    @cython.locals(message=Assembly)
    cdef _deliver(self)
    @cython.locals(message=Assembly, data=bytes, size=Py_ssize_t)
    cdef _deliver_piece(self)
    cdef _bad_text(self)
    cdef _skip(self, Py_ssize_t count)
    @cython.locals(available=int64_t, inflater=Inflater)
    cdef _read_compressed(self)
    @cython.locals(limit=int64_t, room=int64_t, space=int64_t, exact=bint, data=bytes)
    cdef _inflate(self, Inflater inflater, Assembly message)
    cdef _bad_data(self)
    @cython.locals(left=int64_t, available=int64_t, count=int64_t, closing=bint, payload=bytes)
    cdef _read_control(self)
