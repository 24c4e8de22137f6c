"""The types of stepping.pyx, for the compiled modules that step."""


cdef class Stepping:
    cdef bint returned

    cdef step(self)
    cdef run_on(self, coroutine, context)
    cdef bint step_ahead(self, waiting, context) except -1


cpdef hands_over(type kind)
