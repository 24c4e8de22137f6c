"""The types of heads.py, for its compiled form. No code: what is compiled is heads.py itself."""

import cython

from .request cimport Request


cdef class Heads:
    cdef dict _young
    cdef dict _old

    @cython.locals(request=Request)
    cpdef Request get(self, bytes block)
    @cython.locals(at=Py_ssize_t, key=bytes, model=Request)
    cpdef Request get_upgrade(self, bytes block)
    cdef _keep(self, bytes block, Request request)


@cython.locals(field=bytes, at=Py_ssize_t)
cpdef Py_ssize_t key_position(bytes block) except -2
