"""The types of websocket.py, for its compiled form. No code: what is compiled is websocket.py itself."""

from .conversation cimport Conversation


cdef int OPEN
cdef int _BINARY
cdef int _TEXT


cdef bytes _bytes(data, bint or_text)
cdef str _text(text)


cdef class WebSocket(Conversation):
    pass
