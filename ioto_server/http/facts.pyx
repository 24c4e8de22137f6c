# cython: language_level=3
"""facts.py, compiled: the same names, the same results. The kernel is asked without making objects of it."""

from libc.stdint cimport int64_t, uint64_t


cdef extern from "<sys/stat.h>" nogil:
    struct timespec:
        int64_t tv_sec
        int64_t tv_nsec

    struct status "stat":
        uint64_t st_dev
        uint64_t st_ino
        int64_t st_size
        timespec st_mtim
        timespec st_ctim

    int ask "stat"(const char *name, status *found)


Facts = tuple[int, int, int, int, int]
Watched = tuple[bytes, Facts]


cpdef tuple facts_of(found):
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


cdef int64_t nanoseconds(timespec moment) noexcept nogil:
    return moment.tv_sec * 1000000000 + moment.tv_nsec


cpdef bint holds(list watched) except -1:
    cdef bytes name
    cdef tuple facts
    cdef const char *path
    cdef status found
    cdef int failed
    for name, facts in watched:
        path = name
        with nogil:
            failed = ask(path, &found)
        if (
            failed
            or found.st_ino != <uint64_t>facts[1]
            or found.st_dev != <uint64_t>facts[0]
            or found.st_size != <int64_t>facts[2]
            or nanoseconds(found.st_mtim) != <int64_t>facts[3]
            or nanoseconds(found.st_ctim) != <int64_t>facts[4]
        ):
            return False
    return True
