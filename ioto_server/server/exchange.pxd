"""The types of exchange.py, for its compiled form. No code: what is compiled is exchange.py itself."""

from libc.stdint cimport int64_t

from ioto_server.http.request cimport Request as HttpRequest


cdef class Exchange:
    cdef double _begun
    cdef object _body
    cdef object _body_error
    cdef bint _chunked
    cdef object _connection
    cdef object _left
    cdef object _reader
    cdef int64_t _sent
    cdef int _status
    cdef str _why
    cdef public object action
    cdef public bint body_ended
    cdef public Py_ssize_t body_waiting
    cdef public bint done
    cdef public bint keep_alive
    cdef readonly HttpRequest request
    cdef public bint streaming
    cdef public object task
    cdef public object trace

    cpdef push(self, bytes data)
    cpdef end_of_body(self)
    cpdef body_failed(self, error)
    cdef _wake(self)
    cpdef respond(self, int status, headers, bytes body)
    cpdef respond_encoded(self, bytes fields, bytes body)
    cdef _decide_to_keep(self)
    cdef bytes _connection_line(self)
    cdef bytes _head(self, int status, headers, length)
    cpdef end(self)
    cpdef abandon(self)
    cpdef lost(self)
    cpdef switch(self, bytes head)
    cdef _cut_off(self)
    cdef _finish(self)
    cdef _log_line(self, log)
