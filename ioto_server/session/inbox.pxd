"""The types of inbox.py, for its compiled form. No code: what is compiled is inbox.py itself."""


cdef class Inbox:
    cdef list _items
    cdef public Py_ssize_t size

    cpdef push(self, event, data)
    cpdef tuple pop(self)
    cpdef clear(self)
    cpdef bint is_full(self) except -1
    cpdef bint is_low(self) except -1
