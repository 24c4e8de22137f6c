"""The types of protocol.py, for its compiled form. No code: what is compiled is protocol.py itself."""

import cython

from libc.stdint cimport int64_t

from .compression cimport Deflater
from .flag cimport flag
from .octets cimport framed, framed_text, mask, plain_header, text_end
from .receiver cimport Receiver


cdef int JOINED
cdef int RSV1
cdef int TEXT
cdef int BINARY
cdef int CLOSE
cdef int PING
cdef int PONG


cdef class Protocol(Receiver):
    cdef unsigned char _begun
    cdef flag _begun_compressed
    cdef int64_t _begun_size
    cdef bytes _begun_tail
    cdef Deflater _deflater
    cdef Py_ssize_t _plain
    cdef Py_ssize_t _plain_text
    cdef readonly object deflate

    @cython.locals(made=Protocol)
    cpdef Protocol another(self)
    cdef _begin(
        self, bint client, int64_t max_message, int64_t max_frame, int64_t max_fragments, bint validate_utf,
        bint text_bytes, bint stream, deflate)
    @cython.locals(data=bytes, frame=bytes, size=int64_t, deflater=Deflater)
    cpdef Py_ssize_t send_message(self, int opcode, payload, list out) except -1
    @cython.locals(data=bytes, text=bytes, tail=bytes, size=int64_t, end=Py_ssize_t, first=int, deflater=Deflater)
    cpdef Py_ssize_t send_block(self, int opcode, payload, bint fin, list out) except -1
    cpdef Py_ssize_t send_framed(self, frames, list out) except -1
    cpdef Py_ssize_t send_ping(self, payload, list out) except -1
    cpdef Py_ssize_t send_pong(self, payload, list out) except -1
    cpdef Py_ssize_t send_close(self, code, str reason, list out) except -1
    cdef bytes _payload(self, int opcode, payload)
    cdef bint _is_text(self, bytes data) except -1
    cdef _refuse_data(self)
    @cython.locals(size=int64_t, limit=int64_t, start=int64_t, total=int64_t, last=bint)
    cdef Py_ssize_t _send_frames(self, int opcode, bytes data, bint fin, list out) except -1
    @cython.locals(size=Py_ssize_t, frame=bytes, head=bytes, key=bytes)
    cdef Py_ssize_t _send_frame(self, int first, bytes data, list out) except -1
    cdef Py_ssize_t _send_control(self, int opcode, payload, list out) except -1
