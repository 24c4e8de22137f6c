"""The types of answer.py, for its compiled form. No code: what is compiled is answer.py itself."""

from .asked cimport Asked
from .host cimport Host


cdef class Answer(Asked):
    cdef list _answer
    cdef list _headers
    cdef Py_ssize_t _held
    cdef object _length
    cdef int _status

    cdef _begin_answer(self, request, Host host, action, exchange, str path_rest, str peer, tls)
    cdef _nothing_written(self, str what)
    cdef _own(self, str name)
    cdef _default(self, tuple field)
    cdef list _beside(self, ours)
    cdef _complete_answer(self)
