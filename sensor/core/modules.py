"""What LLVM holds of kernels beside their machine code: a module of each, for other functions to be linked with.

Once all kernels are loaded nobody asks for these: kernels are made of steps (sensor/core/steps.py), not of each other. They
are a quarter of a process without its tables.
"""

import contextlib
import ctypes
import gc

import sensor.core.jit  # noqa: F401  (before Numba, which looks for its folder once)

from numba.core.codegen import JITCodeLibrary  # isort: skip


def put_modules_away() -> int:
    """Free the modules of all kernels that are loaded: how many there were."""
    found = 0
    for one in gc.get_objects():
        if type(one) is JITCodeLibrary and one._shared_module is not None:
            one._shared_module = None  # a private name of the pinned Numba minor version
            found += 1
    gc.collect()
    _give_back()
    return found


def _give_back() -> None:
    """Let the C library return what is free, where it can: it keeps the heap of so many modules for itself."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
