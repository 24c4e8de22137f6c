"""The types of server.py, for its compiled form. No code: what is compiled is server.py itself."""

import cython

from ioto_server.http.request cimport Request as HttpRequest
from ioto_server.session.core cimport Core
from ioto_server.session.run cimport run_action
from ioto_server.session.web cimport Web

from .connections cimport Connections
from .exchange cimport Exchange
from .openings cimport Opening, Openings
from .overstay cimport Outlived
from .peer cimport Peer
from .wheel cimport Wheel


cdef class Server:
    cdef readonly object config
    cdef readonly object plugins
    cdef readonly Wheel wheel
    cdef readonly Core host
    cdef readonly bytearray buffer
    cdef readonly tuple stopping
    cdef readonly object request_log
    cdef readonly object listening
    cdef readonly Connections clients
    cdef list _retired
    cdef set _stopping
    cdef object _router
    cdef object _files
    cdef object _uploads
    cdef object _deflate
    cdef Openings _openings
    cdef object _ticking
    cdef bint _catching_up
    cdef object _heap
    cdef object _leftover
    cdef Outlived _outlived

    cdef _begin(self, ending)
    cpdef admit(self, connection)
    cpdef outlived(self, tuple tasks, action)
    @cython.locals(request=HttpRequest, known=Opening)
    cpdef handle(self, connection, Exchange exchange)
    cdef _act(self, connection, Exchange exchange, match)
    cdef _check_upgrade(self, connection, HttpRequest request, action)
    @cython.locals(web=Web)
    cdef _call(self, connection, Exchange exchange, Opening opening, str peer)
    cdef _redirect(self, Exchange exchange, match)
    cpdef log_refusal(self, Peer peer, error)
