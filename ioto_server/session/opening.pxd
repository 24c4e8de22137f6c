"""The types of opening.py, for its compiled form. No code: what is compiled is opening.py itself."""


cpdef bytes encode_opening(str accept, protocol, bytes terms, own)
