"""What LLVM holds of kernels beside their machine code: a module of each, from which other kernels could be made.

Once all kernels are loaded nobody asks for these, and they are a third of the process. They are put away as bitcode; who
compiles another kernel that calls one of them gets its module back.
"""

import contextlib
import ctypes
import gc

import sensor.core.jit  # noqa: F401  (before Numba, which looks for its folder once)

from llvmlite.binding import parse_bitcode  # isort: skip
from numba.core.codegen import JITCodeLibrary  # isort: skip


class _PutAway(JITCodeLibrary):
    """A library whose module is parsed again when it is asked for (private names of the pinned Numba minor version)."""

    _bitcode: bytes

    def _get_module_for_linking(self):
        self._shared_module = self._shared_module or parse_bitcode(self._bitcode)
        return self._shared_module


def put_modules_away() -> int:
    """Free the modules of all kernels that are loaded: how many there were."""
    found = 0
    for one in gc.get_objects():
        if type(one) is JITCodeLibrary and one._shared_module is not None:
            one._bitcode = one._shared_module.as_bitcode()
            one._shared_module = None
            one.__class__ = _PutAway
            found += 1
    gc.collect()
    _give_back()
    return found


def _give_back() -> None:
    """Let the C library return what is free, where it can: it keeps the heap of 100 MB of modules for itself."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
