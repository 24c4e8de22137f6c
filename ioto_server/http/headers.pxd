"""The types of headers.py, for its compiled form. No code: what is compiled is headers.py itself."""

import cython


cdef class Headers:
    # Compared with those of another, which may be anything.
    cdef readonly dict _fields

    cpdef Headers replacing(self, str name, str value)
    @cython.locals(values=list)
    cpdef get(self, str name, default=*)


@cython.locals(headers=Headers)
cdef Headers _of_fields(dict fields)
