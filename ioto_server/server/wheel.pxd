"""The types of wheel.py, for its compiled form. No code: what is compiled is wheel.py itself."""

import cython

from ioto_server.session.clock cimport Clock


cdef int _SLOTS
cdef double _MOST
cdef double _TICK
cdef int _DUE


cdef class Wheel(Clock):
    cdef double _begun
    cdef readonly double _clock
    cdef long _count
    cdef long _done
    cdef list _due
    cdef list _slots
    cdef public int most
    cdef readonly double stalled

    @cython.locals(slot=long, tick=long, ends=double, place=dict)
    cpdef schedule(self, timed, double at)
    @cython.locals(slot=long, place=dict)
    cpdef cancel(self, timed)
    @cython.locals(due=long)
    cpdef turn(self, double clock)
    @cython.locals(due=dict)
    cdef _collect(self, long slot)
    @cython.locals(left=Py_ssize_t)
    cpdef go_on(self)
