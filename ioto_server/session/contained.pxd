"""The types of contained.py, for its compiled form. No code: what is compiled is contained.py itself."""

import cython

from .quick cimport monotonic
from .reception cimport Reception
from .stepping cimport Stepping


cdef double NOTED


cdef class Contained(Stepping):
    cdef readonly object contains
    cdef object _named
    cdef tuple _kept

    @cython.locals(begun=double, seconds=double)
    cdef _run(self, context)
    cdef step(self)
    @cython.locals(reception=Reception)
    cdef bint step_ahead(self, waiting, context) except -1


cpdef contain(coroutine, named=*)
