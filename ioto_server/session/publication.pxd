"""The types of publication.py, for its compiled form. No code: what is compiled is publication.py itself."""


cdef class Publication:
    cdef dict _encodings
    cdef object _limits
    cdef object _opcode
    cdef bytes _payload
    cdef readonly list plain
    cdef readonly Py_ssize_t plain_size

    cpdef list frames(self, deflate)
