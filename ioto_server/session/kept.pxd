"""The types of kept.py, for its compiled form. No code: what is compiled is kept.py itself."""

import cython

from ioto_server.http.request cimport Request as HttpRequest


@cython.locals(model=HttpRequest)
cpdef str pack(HttpRequest request)
cdef str _pack(HttpRequest request)
