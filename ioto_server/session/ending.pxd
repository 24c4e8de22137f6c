"""The types of ending.py, for its compiled form. No code: what is compiled is ending.py itself."""


cdef object _COMPLETE


cdef class Ending:
    cdef readonly object cause
    cdef readonly object code
    cdef readonly object handshake
    cdef readonly str reason
    cdef readonly bint clean
    cdef readonly bint orderly
