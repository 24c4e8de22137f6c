# cython: language_level=3
"""key_field.py, compiled: the same names, the same results."""

from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memchr, memcmp, memcpy


cdef extern from *:
    """
    #define IOTO_KEY_FIELD 19
    #define IOTO_KEY 24

    static int ioto_is_key(const char *key)
    {
        int i;
        for (i = 0; i < 22; i++) {
            unsigned char c = key[i];
            unsigned char letter = (c | 0x20) - 'a';
            if (letter > 25 && (unsigned char) (c - '/') > 10 && c != '+')
                return 0;
        }
        return memcmp(key + 22, "==\\r\\n", 4) == 0;
    }
    """
    int IOTO_KEY_FIELD, IOTO_KEY
    bint ioto_is_key(const char *key)


KEY_SIZE = IOTO_KEY


cpdef Py_ssize_t key_position(bytes block) noexcept:
    cdef const char *start = PyBytes_AS_STRING(block)
    cdef const char *end = start + PyBytes_GET_SIZE(block)
    cdef const char *at = <const char *> memchr(start, c"\n", end - start)
    while at is not NULL:
        at += 1
        # Behind the value there are at least the ends of its line and of the header.
        if end - at < IOTO_KEY_FIELD + IOTO_KEY + 2:
            return -1
        if memcmp(at, b"Sec-WebSocket-Key: ", 19) == 0 or memcmp(at, b"sec-websocket-key: ", 19) == 0:
            at += IOTO_KEY_FIELD
            return at - start if ioto_is_key(at) else -1
        at = <const char *> memchr(at, c"\n", end - at)
    return -1


cpdef bytes without_key(bytes block, Py_ssize_t at):
    cdef Py_ssize_t size = PyBytes_GET_SIZE(block) - IOTO_KEY
    cdef bytes rest
    if not 0 <= at <= size:
        raise IndexError("there is no key at that place")
    rest = PyBytes_FromStringAndSize(NULL, size)
    memcpy(PyBytes_AS_STRING(rest), PyBytes_AS_STRING(block), at)
    memcpy(PyBytes_AS_STRING(rest) + at, PyBytes_AS_STRING(block) + at + IOTO_KEY, size - at)
    return rest


cpdef bytes copied(bytearray buffer, Py_ssize_t size):
    if not 0 <= size <= PyByteArray_GET_SIZE(buffer):
        raise IndexError("the lent buffer has not so many bytes")
    return PyBytes_FromStringAndSize(PyByteArray_AS_STRING(buffer), size)
