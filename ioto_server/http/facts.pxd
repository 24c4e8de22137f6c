"""What other compiled modules call of facts.pyx."""

cpdef bint holds(list watched) except -1
