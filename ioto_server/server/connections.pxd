"""The types of connections.py, for its compiled form. No code: what is compiled is connections.py itself."""

import cython


cdef class Arrival:
    cdef str _address
    cdef bint _admitted
    cdef Connections _clients

    cpdef leave(self)


cdef class Connections:
    cdef readonly dict _addresses
    cdef set _admitted
    cdef Py_ssize_t _arriving
    cdef Py_ssize_t _hopeless
    cdef object _last
    cdef set _refused
    cdef object _websockets
    cdef public object limits

    cpdef admit(self, connection)
    cpdef arrive(self, str address)
    cpdef arrived(self, str address, bint admitted)
    cdef bint _is_full(self) except -1
    cpdef bint is_crowded(self, str address) except -1
    cpdef upgraded(self, connection)
    cpdef closed(self, connection)
    cpdef websocket_closed(self, str address)
    cdef _notice(self)
    cdef _count(self, str address)
    @cython.locals(left=int)
    cdef _release(self, str address)
