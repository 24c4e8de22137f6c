# cython: language_level=3
"""json_line.py, compiled: the same names, the same lines. What nearly all lines hold is written without an object."""

from cpython.dict cimport PyDict_Next
from cpython.long cimport PyLong_AsLongLongAndOverflow
from cpython.mem cimport PyMem_Free
from cpython.object cimport PyObject
from libc.math cimport isfinite
from libc.stdint cimport int64_t
from libc.string cimport memcpy, strlen

from json.encoder import encode_basestring_ascii as quoted
from time import gmtime, strftime, time_ns

import structlog


cdef extern from "Python.h":
    """
    /* A longer line is put together of objects. */
    #define IOTO_LINE 1024
    /* Of any number that is written here. */
    #define IOTO_DIGITS 24

    #define IOTO_EACH(octet) (UINT64_C(0x0101010101010101) * (octet))

    /* Whether ASCII stands in JSON as it is: no control character, quotation mark or backslash is in it. Each line
       looks at eight characters at once: none is below 0x20, none is 0x7F, none is one of the two. */
    static int ioto_is_plain(const char *data, Py_ssize_t size)
    {
        uint64_t word, good = IOTO_EACH(0x80);
        for (; size > 0; data += 8, size -= 8) {
            word = IOTO_EACH(' ');
            memcpy(&word, data, size < 8 ? size : 8);
            good &= word + IOTO_EACH(0x60);
            good &= ~(word + IOTO_EACH(0x01));
            good &= (word ^ IOTO_EACH('"')) + IOTO_EACH(0x7F);
            good &= (word ^ IOTO_EACH(0x5C)) + IOTO_EACH(0x7F);
        }
        return good == IOTO_EACH(0x80);
    }
    """
    bint ioto_is_plain(const char *data, Py_ssize_t size) nogil
    enum: IOTO_LINE, IOTO_DIGITS
    bint PyUnicode_IS_COMPACT_ASCII(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)
    char *PyUnicode_1BYTE_DATA(object text)
    str PyUnicode_New(Py_ssize_t size, Py_UCS4 most)
    char *PyOS_double_to_string(double value, char format, int precision, int flags, int *type) except NULL
    int Py_DTSF_ADD_DOT_0


cdef object _add_level = structlog.processors.add_log_level
cdef object _add_exception = structlog.processors.format_exc_info
cdef object _render_other = structlog.processors.JSONRenderer()

cdef int MOST_NAMES = 1000
cdef dict _names = {}
# The second of the last line, since the epoch and in words: one object, as threads log too.
cdef tuple _last = (-1, "")


def known_names():
    """How many names of fields are kept as they stand in a line."""
    return len(_names)


cdef str _name(str key):
    cdef str text = _names.get(key)
    if text is None:
        if len(_names) >= MOST_NAMES:
            _names.clear()
        text = _names[key] = f", {quoted(key)}: "
    return text


cdef str _second(int64_t second):
    """A second since the epoch in words."""
    global _last
    cdef int64_t known = _last[0]
    if second != known:
        _last = (second, strftime("%Y-%m-%dT%H:%M:%S", gmtime(second)))
    return _last[1]


cpdef str timestamp(int64_t now):
    cdef int64_t micro = now // 1000 % 1_000_000
    cdef str text = _second(now // 1_000_000_000)
    return f"{text}.{micro:06d}Z" if micro else f"{text}Z"


def render_json(logger, str method, dict line):
    """Add level, time, and a traceback where there is one, and render: the last processor of a line."""
    cdef str text
    if method == "info" and "exc_info" not in line and "level" not in line and "timestamp" not in line:
        text = _render_at_once(line)
        if text is not None:
            return text
    line = _add_level(logger, method, line)
    line["timestamp"] = timestamp(time_ns())
    if "exc_info" in line:
        line = _add_exception(logger, method, line)
    return _render(line)


cdef str _render(dict line):
    cdef list parts = []
    for key, value in line.items():
        parts.append(_name(key))
        parts.append(_value(value))
    return "{" + "".join(parts)[2:] + "}"


cdef str _value(value):
    kind = type(value)
    if kind is str:
        return quoted(value)
    if kind is int:
        return str(value)
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if kind is float and isfinite(value):
        return repr(value)
    # structlog knows what to write for what JSON does not have.
    return str(_render_other(None, "", value))


# ---- in one place of memory: each returns where it has ended, or NULL for what it leaves to the others ----------


cdef str _render_at_once(dict line):
    """An unimportant line with its level and time; None where it is long, or holds what is not written here."""
    cdef char data[IOTO_LINE]
    cdef char *end = data + IOTO_LINE
    # Each name is written with the comma and the blank before it: the brace takes the place of the blank.
    cdef char *start = data + 1
    cdef char *at = data
    cdef Py_ssize_t place = 0
    cdef PyObject *key
    cdef PyObject *value
    cdef str text
    cdef int64_t now
    while PyDict_Next(line, &place, &key, &value):
        at = _put(at, end, _name(<str> <object> key))
        if at:
            at = _put_value(at, end, <object> value)
        if not at:
            return None
    at = _put(at, end, ', "level": "info", "timestamp": "')
    now = time_ns()
    if at:
        at = _put(at, end, _second(now // 1_000_000_000))
    if at:
        at = _put_micro(at, end, now // 1000 % 1_000_000)
    if not at:
        return None
    start[0] = c"{"
    text = PyUnicode_New(at - start, 127)
    memcpy(PyUnicode_1BYTE_DATA(text), start, at - start)
    return text


cdef char *_put_value(char *at, char *end, value) except? NULL:
    if type(value) is str:
        return _put_quoted(at, end, value)
    if type(value) is int:
        return _put_number(at, end, value)
    if value is None:
        return _put(at, end, "null")
    if value is True:
        return _put(at, end, "true")
    if value is False:
        return _put(at, end, "false")
    if type(value) is float and isfinite(value):
        return _put_float(at, end, value)
    return NULL


cdef char *_put(char *at, char *end, str text) noexcept:
    cdef Py_ssize_t size = PyUnicode_GET_LENGTH(text)
    if end - at < size:
        return NULL
    memcpy(at, PyUnicode_1BYTE_DATA(text), size)
    return at + size


cdef char *_put_quoted(char *at, char *end, str text) noexcept:
    cdef Py_ssize_t size
    cdef char *data
    if not PyUnicode_IS_COMPACT_ASCII(text):
        return NULL
    size = PyUnicode_GET_LENGTH(text)
    if end - at < size + 2:
        return NULL
    data = PyUnicode_1BYTE_DATA(text)
    if not ioto_is_plain(data, size):
        return NULL
    at[0] = c'"'
    memcpy(at + 1, data, size)
    at[size + 1] = c'"'
    return at + size + 2


cdef char *_put_number(char *at, char *end, value) except? NULL:
    cdef int overflow = 0
    cdef long long number = PyLong_AsLongLongAndOverflow(value, &overflow)
    if overflow or number < 0 or end - at < IOTO_DIGITS:
        return NULL
    return _put_digits(at, number)


cdef char *_put_digits(char *at, int64_t number) noexcept:
    """Write a number that is not negative; there is room for IOTO_DIGITS."""
    cdef char digits[IOTO_DIGITS]
    cdef int size = 0
    while True:
        digits[size] = c"0" + <char> (number % 10)
        size += 1
        number //= 10
        if not number:
            break
    while size:
        size -= 1
        at[0] = digits[size]
        at += 1
    return at


cdef char *_put_float(char *at, char *end, double number) except? NULL:
    cdef int64_t thousandths
    cdef char *text
    if 0.001 <= number < 1e9:
        # Seconds and milliseconds have three places at the most: what has so few digits is written with them.
        thousandths = <int64_t> (number * 1000 + 0.5)
        if thousandths / 1000.0 == number:
            return _put_thousandths(at, end, thousandths)
    text = PyOS_double_to_string(number, c"r", 0, Py_DTSF_ADD_DOT_0, NULL)
    cdef Py_ssize_t size = strlen(text)
    if end - at < size:
        at = NULL
    else:
        memcpy(at, text, size)
        at += size
    PyMem_Free(text)
    return at


cdef char *_put_thousandths(char *at, char *end, int64_t number) noexcept:
    cdef int64_t whole = number // 1000
    cdef int rest = number % 1000
    if end - at < IOTO_DIGITS:
        return NULL
    at = _put_digits(at, whole)
    at[0] = c"."
    at[1] = c"0" + <char> (rest // 100)
    at[2] = c"0" + <char> (rest // 10 % 10)
    at[3] = c"0" + <char> (rest % 10)
    # Zeros at the end are left out, but for one behind the point.
    return at + (4 if rest % 10 else 3 if rest % 100 else 2)


cdef char *_put_micro(char *at, char *end, int micro) noexcept:
    """What follows the second, up to the end of the line: without a fraction there is no point either."""
    cdef int i
    if end - at < 10:
        return NULL
    if micro:
        at[0] = c"."
        for i in range(6, 0, -1):
            at[i] = c"0" + <char> (micro % 10)
            micro //= 10
        at += 7
    memcpy(at, b'Z"}', 3)
    return at + 3
