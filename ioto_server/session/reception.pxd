"""The types of reception.py, for its compiled form. No code: what is compiled is reception.py itself."""


cdef class Reception:
    cdef bint _iterates
    cdef object _cancelled
    cdef object _context
    cdef object _delivery
    cdef object _loop
    cdef object _wakeup
    cdef public object _asyncio_future_blocking

    cdef _give_up(self)
    cpdef wake(self, bint at_once)
