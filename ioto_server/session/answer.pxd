"""The types of answer.py, for its compiled form. No code: what is compiled is answer.py itself."""

from .asked cimport Asked
from .host cimport Host


cdef class Answer(Asked):
    cdef list _answer
    cdef list _headers
    cdef object _length
    cdef int _status

    cdef _begin_answer(self, request, Host host, action, exchange, str path_rest, str peer, tls)
    cdef _nothing_written(self, str what)
    cdef _complete_answer(self)
