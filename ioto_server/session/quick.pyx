# cython: language_level=3
"""quick.py, compiled: the same names, the same results."""

from cpython.time cimport monotonic as _monotonic
from cpython.type cimport PyType_Modified

from enum import EnumType


cdef extern from "Python.h":
    ctypedef struct PyTypeObject:
        void *tp_getattro


cpdef double monotonic() noexcept:
    return _monotonic()


class QuickEnum(EnumType):
    pass


# Up to Python 3.11 EnumType has a __getattr__, for members that are no attributes. None of ours is such a one.
(<PyTypeObject *> QuickEnum).tp_getattro = (<PyTypeObject *> type).tp_getattro
PyType_Modified(QuickEnum)
