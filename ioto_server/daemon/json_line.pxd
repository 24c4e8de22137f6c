"""The types of json_line.py, for its compiled form. No code: what is compiled is json_line.py itself."""

import cython

from libc.stdint cimport int64_t


cdef dict _names
cdef tuple _last


@cython.locals(text=str)
cdef str _name(str key)
@cython.locals(second=int64_t, micro=int64_t, known=int64_t, text=str)
cpdef str timestamp(int64_t now)
cdef str _value(value)
@cython.locals(parts=list)
cpdef render_json(logger, str method, dict line)
