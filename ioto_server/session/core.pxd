"""The types of core.py, for its compiled form. No code: what is compiled is core.py itself."""

from libc.stdint cimport int64_t

from ioto_server.websocket.protocol cimport Protocol

from .clock cimport Clock
from .keepalive cimport KeepAlive
from .turn cimport Turn


cdef class Core:
    cdef dict _actions
    cdef object _action_done
    cdef bint _divided
    cdef bint _telling
    cdef object _ends
    cdef object _loop
    cdef int64_t _numbers
    cdef dict _own
    cdef object _note
    cdef object _pings
    cdef set _tasks
    cdef readonly Clock clock
    cdef readonly object config
    cdef readonly object data
    cdef readonly object log
    cdef readonly object memory
    cdef readonly Protocol spent_codec
    cdef readonly object topics
    cdef readonly Turn turn
    cdef readonly dict websockets

    cpdef note(self, str event, dict fields)
    cpdef tell_end(self, one)
    cdef _tell_ends(self)
    cpdef loop(self)
    cpdef create_task(self, coroutine)
    cpdef start_action(self, coroutine, name, owner)
    cpdef int64_t next_number(self) except -1
    cpdef config_of(self, own)
    cpdef KeepAlive keepalive(self, config=*)


cpdef double first_phase() except -1
