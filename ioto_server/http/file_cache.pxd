"""The types of file_cache.py, for its compiled form. No code: what is compiled is file_cache.py itself."""

from .facts cimport holds


cdef class Representation:
    cdef readonly tuple fields
    cdef readonly object validators
    cdef readonly object size
    cdef readonly bytes content
    cdef readonly object descriptor
    cdef public bytes encoded


cdef class Known:
    cdef readonly list watched
    cdef readonly list codings
    cdef readonly dict read


cdef class FileCache:
    cdef object _known
    cdef object _bytes
    cdef object _lock

    cpdef get(self, str path)
