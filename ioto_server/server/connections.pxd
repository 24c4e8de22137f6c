"""The types of connections.py, for its compiled form. No code: what is compiled is connections.py itself."""

import cython


cdef class Connections:
    cdef readonly dict _addresses
    cdef set _admitted
    cdef object _empty
    cdef set _refused
    cdef object _websockets
    cdef public object limits

    cpdef admit(self, connection)
    cpdef bint is_crowded(self, str address) except -1
    cpdef upgraded(self, connection)
    cpdef closed(self, connection)
    cpdef websocket_closed(self, str address)
    cdef _notice(self)
    cdef _count(self, str address)
    @cython.locals(left=int)
    cdef _release(self, str address)
