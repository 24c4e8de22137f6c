"""The types of clock.py, for its compiled form. No code: what is compiled is clock.py itself."""


cdef class Clock:
    cdef public double now
