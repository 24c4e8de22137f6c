"""The types of handshake.py, for its compiled form. No code: what is compiled is handshake.py itself."""


cpdef str accept_key(str key)
