"""The types of websocket_connection.py, for its compiled form: what is compiled is that file itself."""

from ioto_server.session.websocket cimport WebSocket

from .plain cimport Taker, is_lost, write_parts


cdef class WebSocketConnection(Taker):
    cdef bytes _rest
    cdef object _server
    cdef object _transport
    cdef WebSocket _websocket
    cdef public bint ended_early
    cdef public int slot
    cdef public object action
    cdef public object address
    cdef public object task

    cpdef take(self, Py_ssize_t nbytes)
    cpdef write(self, list parts, Py_ssize_t size)
    cpdef touch(self)
