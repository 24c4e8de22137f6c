# cython: language_level=3, boundscheck=False, wraparound=False
"""octets.py, compiled: the same names, the same results. What each is for stands there, how it is done here."""

from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memmove

from codecs import utf_8_decode


cdef extern from "octets.h" nogil:
    uint64_t ioto_xor(uint8_t *target, const uint8_t *source, size_t size, uint32_t key)
    uint32_t ioto_rotate(uint32_t key, size_t count)
    int ioto_header_size(uint64_t size)
    void ioto_write_header(uint8_t *target, uint8_t first, uint64_t size)
    int64_t ioto_text_end(const uint8_t *text, int64_t start, int64_t size)


cdef extern from "Python.h":
    PyObject *PyBytes_New "PyBytes_FromStringAndSize"(const char *data, Py_ssize_t size) except NULL
    void Py_CLEAR(PyObject *)
    int _PyBytes_Resize(PyObject **data, Py_ssize_t size) except -1
    str PyUnicode_New(Py_ssize_t size, Py_UCS4 maxchar)
    bint PyUnicode_IS_COMPACT_ASCII(str text)
    Py_ssize_t PyUnicode_GET_LENGTH(str text)
    void *PyUnicode_DATA(str text)
    str PyUnicode_DecodeUTF8(const char *data, Py_ssize_t size, const char *errors)


NO_KEY = b"\0\0\0\0"


cdef uint8_t *_at(bytearray data, Py_ssize_t start, Py_ssize_t stop) except NULL:
    """Where data[start:stop] begins. The driver may have broken its word and shrunk what it lent."""
    if not 0 <= start <= stop <= PyByteArray_GET_SIZE(data):
        raise IndexError("the lent buffer shrank: it must keep its size until it is given back")
    return <uint8_t *> PyByteArray_AS_STRING(data) + start


cpdef uint32_t read_key(bytearray data, Py_ssize_t position) except? 0xFFFFFFFF:
    cdef uint32_t key
    memcpy(&key, _at(data, position, position + 4), 4)
    return key


cpdef uint32_t rotate_key(uint32_t key, Py_ssize_t count) noexcept:
    return ioto_rotate(key, count)


cpdef bytes mask(bytes payload, bytes key):
    cdef Py_ssize_t size = len(payload)
    cdef bytes masked = PyBytes_FromStringAndSize(NULL, size)
    cdef uint32_t word
    memcpy(&word, PyBytes_AS_STRING(key), 4)
    ioto_xor(<uint8_t *> PyBytes_AS_STRING(masked), <const uint8_t *> PyBytes_AS_STRING(payload), size, word)
    return masked


cpdef bytes unmask(bytearray data, Py_ssize_t start, Py_ssize_t stop, uint32_t key):
    cdef const uint8_t *source = _at(data, start, stop)
    cdef bytes payload = PyBytes_FromStringAndSize(NULL, stop - start)
    ioto_xor(<uint8_t *> PyBytes_AS_STRING(payload), source, stop - start, key)
    return payload


cpdef str unmask_text(bytearray data, Py_ssize_t start, Py_ssize_t stop, uint32_t key):
    cdef uint8_t *source = _at(data, start, stop)
    cdef Py_ssize_t size = stop - start
    cdef str text
    # Most text is ASCII, whose characters are its bytes: it is unmasked straight into the new string. (CPython keeps
    # but one string of each single character, and one empty one.)
    if size > 1:
        text = PyUnicode_New(size, 127)
        if ioto_xor(<uint8_t *> PyUnicode_DATA(text), source, size, key) == 0:
            return text
    ioto_xor(source, source, size, key)
    return PyUnicode_DecodeUTF8(<const char *> source, size, NULL)


cpdef bytes unmask_utf8(bytearray data, Py_ssize_t start, Py_ssize_t stop, uint32_t key):
    cdef const uint8_t *source = _at(data, start, stop)
    cdef bytes payload = PyBytes_FromStringAndSize(NULL, stop - start)
    cdef uint8_t *target = <uint8_t *> PyBytes_AS_STRING(payload)
    if ioto_xor(target, source, stop - start, key):
        if ioto_text_end(target, 0, stop - start) != stop - start:
            payload.decode()
    return payload


cpdef Py_ssize_t text_end(bytes data, Py_ssize_t start=0) noexcept:
    return ioto_text_end(<const uint8_t *> PyBytes_AS_STRING(data), start, PyBytes_GET_SIZE(data))


cdef bytes _framed(uint8_t first, const void *payload, Py_ssize_t size):
    cdef int width = ioto_header_size(size)
    cdef bytes frame = PyBytes_FromStringAndSize(NULL, width + size)
    cdef uint8_t *target = <uint8_t *> PyBytes_AS_STRING(frame)
    ioto_write_header(target, first, size)
    memcpy(target + width, payload, size)
    return frame


cpdef bytes plain_header(uint8_t first, Py_ssize_t size):
    cdef bytes head = PyBytes_FromStringAndSize(NULL, ioto_header_size(size))
    ioto_write_header(<uint8_t *> PyBytes_AS_STRING(head), first, size)
    return head


cpdef bytes framed(uint8_t first, bytes payload):
    return _framed(first, PyBytes_AS_STRING(payload), PyBytes_GET_SIZE(payload))


cpdef bytes framed_text(uint8_t first, str text):
    if PyUnicode_IS_COMPACT_ASCII(text):
        return _framed(first, PyUnicode_DATA(text), PyUnicode_GET_LENGTH(text))
    return framed(first, text.encode())


cdef class Assembly:
    """The message grows inside a bytes object that nobody else has seen yet, and that is handed out in the end."""

    def __dealloc__(self):
        Py_CLEAR(self._data)

    def __len__(self):
        return self._size

    cdef uint8_t *_start(self) noexcept:
        return <uint8_t *> PyBytes_AS_STRING(<object> self._data)

    cdef _resize(self, Py_ssize_t size):
        try:
            _PyBytes_Resize(&self._data, size)
        except MemoryError:
            # It has let go of the bytes.
            self._size = 0
            self._valid = 0
            raise

    cdef uint8_t *_grow(self, Py_ssize_t count, int64_t announced) except NULL:
        """Make room for so many more bytes, and for those announced behind them, and return where they go."""
        cdef Py_ssize_t size = self._size + count
        # The peer may break off. What is not written to is not yet memory, but may be some of what was used before.
        cdef Py_ssize_t ahead = announced if announced < 3 * size else 3 * size
        if self._data == NULL:
            self._data = PyBytes_New(NULL, size + ahead)
        elif size > PyBytes_GET_SIZE(<object> self._data):
            # At least half as much again, so that copying stays in proportion to what arrives.
            self._resize(size + (ahead if ahead > size >> 1 else size >> 1))
        return self._start() + self._size

    cdef _drop(self, Py_ssize_t size):
        """Forget so many bytes at the beginning."""
        self._size -= size
        self._valid = 0
        if self._size == 0:
            Py_CLEAR(self._data)
        else:
            memmove(self._start(), self._start() + size, self._size)

    cpdef add(self, bytearray data, Py_ssize_t start, Py_ssize_t stop, uint32_t key, int64_t announced=0):
        cdef Py_ssize_t size = stop - start
        cdef const uint8_t *source = _at(data, start, stop)
        if size and ioto_xor(self._grow(size, announced), source, size, key) == 0 and self._valid == self._size:
            # What is ASCII, behind a whole character, need not be looked at again.
            self._valid += size
        self._size += size

    cpdef extend(self, bytes data):
        cdef Py_ssize_t size = len(data)
        if size:
            memcpy(self._grow(size, 0), PyBytes_AS_STRING(data), size)
            self._size += size

    cpdef bint is_text(self) noexcept:
        cdef int64_t valid
        if self._size:
            valid = ioto_text_end(self._start(), self._valid, self._size)
            if valid < 0:
                return False
            self._valid = valid
        return True

    cpdef bytes take(self):
        cdef bytes data
        if self._size == 0:
            return b""
        self._resize(self._size)
        data = <bytes> self._data
        self._size = 0
        self._valid = 0
        Py_CLEAR(self._data)
        return data

    cpdef str take_text(self):
        cdef str text
        if self._size == 0:
            return ""
        text = PyUnicode_DecodeUTF8(<const char *> self._start(), self._size, NULL)
        self._drop(self._size)
        return text

    cpdef bytes take_utf8(self):
        if not self.is_text() or self._valid != self._size:
            return self.take_text().encode()
        return self.take()

    cpdef bytes take_characters(self):
        cdef bytes data
        if self._valid == 0:
            return b""
        data = PyBytes_FromStringAndSize(<const char *> self._start(), self._valid)
        self._drop(self._valid)
        return data

    cpdef tuple take_replaced(self, bint final):
        cdef bytes data = self.take()
        text, size = utf_8_decode(data, "replace", final)
        self.extend(data[size:])
        return text, size
