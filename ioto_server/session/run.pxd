"""The types of run.py, for its compiled form. No code: what is compiled is run.py itself."""

import cython

from .contained cimport contain
from .quick cimport monotonic
from .web cimport Web


@cython.locals(begun=double, seconds=double)
cpdef run_action(Web web)
