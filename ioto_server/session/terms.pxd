"""The types of terms.py, for its compiled form. No code: what is compiled is terms.py itself."""

import cython

from ioto_server.websocket.protocol cimport Protocol

from .core cimport Core
from .keepalive cimport KeepAlive


cdef class Terms:
    cdef object _common
    cdef Core _core
    cdef Protocol _codec
    cdef KeepAlive _keepalive
    cdef readonly object config
    cdef readonly bytes fields

    cpdef bint hold(self) except -1
    cpdef Protocol codec(self)
    cpdef KeepAlive keepalive(self)


cdef class Upgrade:
    cdef Terms _terms
    cdef readonly object compression
    cdef readonly object protocol

    @cython.locals(terms=Terms)
    cpdef Terms terms(self, core, action)
