"""A field that is true or false, in one byte: of these, a connection has dozens."""


cdef extern from *:
    """
    typedef unsigned char ioto_flag;
    """
    ctypedef bint flag "ioto_flag"
