"""The types of compression.py, for its compiled form. No code: what is compiled is compression.py itself."""

import cython


cdef bytes TAIL
cdef bytes LAST_BLOCK
cdef int STEP


cdef class Deflater:
    cdef int _bits
    cdef int _level
    cdef int _mem_level
    cdef bint _takeover
    cdef object _stream
    cdef readonly Py_ssize_t threshold

    @cython.locals(compressed=bytes)
    cpdef bytes compress(self, bytes data, bint fin)
    cpdef reset(self)


cdef class Inflater:
    cdef Py_ssize_t _size
    cdef bint _keep
    cdef bytearray _window
    cdef object _stream
    cdef bytes _data
    cdef Py_ssize_t _at
    cdef bytes _chunk
    cdef bint _full
    cdef bint _final
    cdef bint _single

    cpdef Py_ssize_t pending(self) noexcept
    cpdef feed(self, bytes data)
    @cython.locals(data=bytes)
    cpdef bytes read(self, Py_ssize_t limit, bint exact)
    cpdef finish(self)
    @cython.locals(size=Py_ssize_t)
    cdef bint _offer(self) except -1
    cdef _begin(self)
    cdef _remember(self, bytes data)
