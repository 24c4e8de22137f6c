"""The types of delivery.py, for its compiled form. No code: what is compiled is delivery.py itself."""

import cython

from ioto_server.websocket.flag cimport flag

from .core cimport Core
from .ending cimport Ending
from .inbox cimport Inbox
from .quick cimport monotonic
from .reception cimport Reception, Source


cdef double NOTED
cdef object SENT


cdef class Delivery(Source):
    cdef flag _asked
    cdef flag _awaited
    cdef flag _end_due
    cdef flag _held
    cdef flag _told
    cdef object _arg
    cdef object _callback
    cdef object _direct
    cdef object _finished
    cdef object _next
    cdef Core _host
    cdef Reception _waiter
    cdef Inbox _inbox
    cdef readonly object consumer
    cdef readonly str path
    cdef readonly str peer

    cdef _begin_delivery(self, Core host, str path, str peer)
    cdef _emit(self, event, data)
    @cython.locals(begun=double)
    cdef _call(self, event, data)
    cdef _check_result(self, result)
    cdef _took(self, callback, double seconds)
    cdef _consume(self)
    cdef tuple _pop(self, Inbox inbox)
    cdef _drop_messages(self)
    cdef _wake(self, bint at_once)
    cpdef next_message(self)
    cpdef waits(self, Reception reception)
    cpdef waits_no_more(self, Reception reception)
    cpdef closed(self)
    cdef _several(self, first)
    cpdef discard_unasked(self)
    cdef _have_end_told(self)
    @cython.locals(ending=Ending)
    cpdef tell_end(self)
    cdef _finish(self)
    cpdef failed(self, error)
    cdef _release(self)
    cdef _emptied(self)
