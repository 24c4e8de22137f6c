"""The types of web.py, for its compiled form. No code: what is compiled is web.py itself."""

import cython

from ioto_server.http.request cimport Request as HttpRequest
from ioto_server.websocket.handshake cimport accept_key

from .answer cimport Answer
from .core cimport Core
from .kept cimport pack
from .link cimport Link
from .opening cimport encode_opening
from .terms cimport Terms, Upgrade
from .websocket cimport WebSocket


cdef class Web(Answer):
    cdef tuple _callback
    cdef object _ended
    cdef Upgrade _upgrade
    cdef WebSocket _websocket

    @cython.locals(
        upgrade=Upgrade, terms=Terms, host=Core, request=HttpRequest, websocket=WebSocket, link=Link)
    cpdef accept(self, protocol=*, headers=*)
    @cython.locals(websocket=WebSocket)
    cpdef wait(self)
    cpdef raised(self, error)
    cpdef returned(self)
    cdef _log_failure(self, error)
    cdef _complete(self)
