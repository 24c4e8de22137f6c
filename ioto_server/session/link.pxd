"""The types of link.py, for its compiled form. No code: what is compiled is link.py itself."""


cdef class Link:
    cpdef begin(self, websocket, bytes head)
    cpdef write(self, list parts, Py_ssize_t size)
    cpdef Py_ssize_t unsent(self) except -1
    cpdef Py_ssize_t unread(self) except -1
    cpdef pause_reading(self)
    cpdef resume_reading(self)
    cpdef finish(self)
    cpdef linger(self)
    cpdef touch(self)
    cpdef abort(self)
