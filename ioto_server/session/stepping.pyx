# cython: language_level=3
"""stepping.py, compiled: the same names, the same results, and no exception for a last step's."""

from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF


cdef extern from "Python.h":
    ctypedef enum PySendResult:
        PYGEN_RETURN
        PYGEN_ERROR
        PYGEN_NEXT
    ctypedef struct PyAsyncMethods:
        void *am_send
    ctypedef struct PyTypeObject:
        PyAsyncMethods *tp_as_async
    PySendResult PyIter_Send(object iterator, object value, PyObject **result) except PYGEN_ERROR
    int PyContext_Enter(object context) except -1
    int PyContext_Exit(object context) except -1


cdef PySendResult ioto_send(object self, object value, PyObject **result) except PYGEN_ERROR:
    """The slot that a task, and a coroutine in CPython 3.11, asks for the next step by."""
    cdef Stepping stepping = <Stepping> self
    result[0] = NULL
    if value is not None:
        raise TypeError(f"{type(self).__name__} takes no values")
    given = stepping.step()
    Py_INCREF(given)
    result[0] = <PyObject *> given
    return PYGEN_RETURN if stepping.returned else PYGEN_NEXT


cpdef hands_over(type kind):
    """Give a class of Stepping the slot: Cython has no name for it."""
    (<PyTypeObject *> kind).tp_as_async.am_send = <void *> ioto_send


cdef class Stepping:
    cdef step(self):
        raise NotImplementedError

    cdef run_on(self, coroutine, context):
        cdef PyObject *given = NULL
        cdef PySendResult how
        self.returned = False
        if context is None:
            how = PyIter_Send(coroutine, None, &given)
        else:
            PyContext_Enter(context)
            try:
                how = PyIter_Send(coroutine, None, &given)
            finally:
                PyContext_Exit(context)
        self.returned = how == PYGEN_RETURN
        result = <object> given
        Py_DECREF(result)
        return result

    cdef bint step_ahead(self, waiting, context) except -1:
        raise NotImplementedError

    def __await__(self):
        return self

    def __iter__(self):
        return self

    def __next__(self):
        result = self.step()
        if self.returned:
            raise StopIteration(result)
        return result
