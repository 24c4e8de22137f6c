"""The types of heads.py, for its compiled form. No code: what is compiled is heads.py itself."""

import cython

from .key_field cimport key_position, without_key
from .request cimport Request


cdef class Heads:
    cdef dict _young
    cdef dict _old

    @cython.locals(request=Request)
    cpdef Request get(self, bytes block)
    @cython.locals(at=Py_ssize_t, key=bytes, model=Request)
    cpdef Request find(self, bytes block)
    cdef _keep(self, bytes block, Request request)
