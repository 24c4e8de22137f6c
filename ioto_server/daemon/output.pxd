"""The types of output.py, for its compiled form. No code: what is compiled is output.py itself."""


cdef Py_ssize_t _MOST_GATHERED


cdef class Output:
    cdef object _path
    cdef int _descriptor
    cdef int _lost
    cdef bint _cut
    cdef list _gathered
    cdef Py_ssize_t _gathered_size
    cdef object _call_soon
    cdef object _thread
    cdef bint _in_turn

    cpdef write(self, str line)
    cpdef info(self, str line)
    cpdef flush(self)
    cdef _put(self, list lines)
