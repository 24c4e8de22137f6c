"""What the other compiled modules call in octets.pyx."""

from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t, uint32_t


cpdef uint32_t read_key(bytearray data, Py_ssize_t position) except? 0xFFFFFFFF

cpdef uint32_t rotate_key(uint32_t key, Py_ssize_t count) noexcept

cpdef bytes mask(bytes payload, bytes key)

cpdef bytes unmask(bytearray data, Py_ssize_t start, Py_ssize_t stop, uint32_t key)

cpdef str unmask_text(bytearray data, Py_ssize_t start, Py_ssize_t stop, uint32_t key)

cpdef bytes unmask_utf8(bytearray data, Py_ssize_t start, Py_ssize_t stop, uint32_t key)

cpdef Py_ssize_t text_end(bytes data, Py_ssize_t start=*) noexcept

cpdef bytes plain_header(uint8_t first, Py_ssize_t size)

cpdef bytes framed(uint8_t first, bytes payload)

cpdef bytes framed_text(uint8_t first, str text)


cdef class Assembly:
    cdef PyObject *_data
    cdef Py_ssize_t _size
    cdef Py_ssize_t _valid

    cdef uint8_t *_start(self) noexcept
    cdef _resize(self, Py_ssize_t size)
    cdef uint8_t *_grow(self, Py_ssize_t count, int64_t announced) except NULL
    cdef _drop(self, Py_ssize_t size)
    cpdef add(self, bytearray data, Py_ssize_t start, Py_ssize_t stop, uint32_t key, int64_t announced=*)
    cpdef extend(self, bytes data)
    cpdef bint is_text(self) noexcept
    cpdef bytes take(self)
    cpdef str take_text(self)
    cpdef bytes take_utf8(self)
    cpdef bytes take_characters(self)
    cpdef tuple take_replaced(self, bint final)
