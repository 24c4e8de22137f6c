"""The types of turn.py, for its compiled form. No code: what is compiled is turn.py itself."""


cdef class Turn:
    cdef list _corked

    cpdef add(self, connection)
