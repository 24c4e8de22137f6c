"""The types of asked.py, for its compiled form. No code: what is compiled is asked.py itself."""

from .host cimport Host


cdef class Asked:
    cdef object _exchange
    cdef object _form
    cdef object _request
    cdef readonly object action
    cdef public object data
    cdef readonly Host host
    cdef readonly str path_rest
    cdef readonly str peer
    cdef readonly object tls

    cdef _begin_asked(self, request, Host host, action, exchange, str path_rest, str peer, tls)
    cdef _http(self, str what)
