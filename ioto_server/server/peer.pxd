"""The types of peer.py, for its compiled form. No code: what is compiled is peer.py itself."""

from .plain cimport is_own


cdef class Peer:
    cdef readonly str address
    cdef readonly str name


cpdef Peer peer_of(peername)
cpdef remote_name(transport)
cpdef local_name(transport)
cpdef Peer forwarded(Peer peer, headers, proxies)
