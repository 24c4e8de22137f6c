"""The types of inbox.py, for its compiled form. No code: what is compiled is inbox.py itself."""

import cython


cdef Py_ssize_t _SHORT


@cython.locals(size=Py_ssize_t)
cdef Py_ssize_t _size(data) except -1


cdef class Inbox:
    cdef list _items
    cdef public Py_ssize_t size

    cpdef push(self, event, data)
    cpdef tuple pop(self)
    cpdef drop_messages(self)
    cpdef bint is_full(self) except -1
    cpdef bint is_low(self) except -1
