"""The types of websocket_connection.py, for its compiled form: what is compiled is that file itself."""

from ioto_server.session.websocket cimport WebSocket

from .plain cimport Taker, count_unread, is_lost, write_parts
from .server cimport Server


cdef class WebSocketConnection(Taker):
    cdef bytes _rest
    cdef Server _server
    cdef object _transport
    cdef WebSocket _websocket
    cdef public bint ended_early
    cdef public int slot
    cdef public object action
    cdef public object address
    cdef public object task

    cpdef take(self, Py_ssize_t nbytes)
    cpdef begin(self, websocket, bytes head)
    cpdef write(self, list parts, Py_ssize_t size)
    cpdef Py_ssize_t unsent(self) except -1
    cpdef Py_ssize_t unread(self) except -1
    cpdef pause_reading(self)
    cpdef resume_reading(self)
    cpdef finish(self)
    cpdef linger(self)
    cpdef touch(self)
    cpdef abort(self)
