"""The types of host.py, for its compiled form. No code: what is compiled is host.py itself."""

from .core cimport Core


cdef class Host:
    cdef object _bind
    cdef str _owner
    cdef bint _stopped
    cdef set _tasks
    cdef readonly Core core
