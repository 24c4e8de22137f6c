"""What other compiled modules call of key_field.pyx."""

cpdef Py_ssize_t key_position(bytes block) noexcept
cpdef bytes without_key(bytes block, Py_ssize_t at)
cpdef bytes copied(bytearray buffer, Py_ssize_t size)
