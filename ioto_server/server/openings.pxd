"""The types of openings.py, for its compiled form. No code: what is compiled is openings.py itself."""

from ioto_server.http.request cimport Request as HttpRequest


cdef class Opening:
    cdef readonly object action
    cdef readonly str path_rest
    cdef readonly object plugin
    cdef readonly object upgrade


cdef class Openings:
    cdef dict _known

    cpdef Opening find(self, connection, HttpRequest model)
