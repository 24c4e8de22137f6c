"""The types of overstay.py, for its compiled form. No code: what is compiled is overstay.py itself."""

from .wheel cimport Wheel


cdef class Outlived:
    cdef list _gone
    cdef Wheel _wheel
    cdef public int slot

    cpdef add(self, tuple tasks, action, double grace)
