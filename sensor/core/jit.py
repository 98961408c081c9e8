"""The decorators of all kernels: the one place that knows how they are compiled."""

import sensor.core.cache  # noqa: F401  (before Numba, which looks for its folder once)

from numba import njit  # isort: skip
from sensor.core.steps import Kernel  # isort: skip


def kernel(function, **options):
    """Compile `function` on its first call, cached on disk, without the GIL.

    Kernels allocate nothing, so Numba's reference counting is off (`_nrt`, a private option of the pinned
    Numba minor version): it took 9 of every 10 nanoseconds of the connection table. They raise nothing:
    `error_model="numpy"` removes the zero-division branches, and errors are return codes and counters.
    """
    called = njit(nogil=True, cache=True, error_model="numpy", _nrt=False, **options)(function)
    called.__class__ = Kernel
    return called


def inlined(function):
    """A kernel that becomes a part of its callers: for small steps that every packet takes."""
    return kernel(function, forceinline=True)
