"""The types of output.py, for its compiled form. No code: what is compiled is output.py itself."""

import cython


cdef Py_ssize_t _MOST_GATHERED
cdef double _PATIENCE
cdef double _WARY


cdef class Output:
    cdef object _path
    cdef object _tell_lost
    cdef object _write_some
    cdef int _descriptor
    cdef Py_ssize_t _lost
    cdef double _wary_until
    cdef bint _cut
    cdef list _gathered
    cdef Py_ssize_t _gathered_size
    cdef object _call_soon
    cdef object _thread
    cdef bint _in_turn

    cpdef write(self, str line)
    cpdef info(self, str line)
    cpdef flush(self)
    @cython.locals(size=Py_ssize_t)
    cdef _add(self, str line)
    cdef _put(self, list lines)
    cdef Py_ssize_t _try_to_write(self, list lines) except -1
    cdef double _limit(self) except -1
