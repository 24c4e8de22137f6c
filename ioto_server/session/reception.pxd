"""The types of reception.py, for its compiled form. No code: what is compiled is reception.py itself."""

import cython

from ioto_server.websocket.flag cimport flag

from .ending cimport Ending
from .stepping cimport Stepping


cdef class Reception


cdef class Source:
    cdef readonly Ending ending

    cpdef next_message(self)
    cpdef waits(self, Reception reception)
    cpdef waits_no_more(self, Reception reception)


cdef class Messages(Stepping):
    cdef flag _iterates
    cdef Source _delivery
    cdef Reception _reception

    @cython.locals(delivery=Source, reception=Reception, ending=Ending)
    cdef step(self)


cdef class Reception:
    cdef flag _runs_ahead
    cdef public flag cancelled_ahead
    cdef object _cancelled
    cdef object _context
    cdef Source _delivery
    cdef object _loop
    cdef object _task
    cdef object _wakeup
    cdef public Stepping driver
    cdef public object _asyncio_future_blocking

    cpdef give_up(self)
    @cython.locals(driver=Stepping, waits_again=bint)
    cpdef wake(self, bint at_once)
