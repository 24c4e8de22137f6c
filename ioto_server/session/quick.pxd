"""What the other compiled modules call in quick.pyx."""


cpdef double monotonic() noexcept
