"""The decorators of all kernels: the one place that knows how they are compiled."""

import sensor.core.cache  # noqa: F401  (before Numba, which looks for its folder once)

from numba import njit  # isort: skip
from sensor.core.steps import Kernel, Step, StepCompiler  # isort: skip


def kernel(function, **options):
    """Compile `function` on its first call, cached on disk, without the GIL.

    Kernels allocate nothing, so Numba's reference counting is off (`_nrt`, a private option of the pinned
    Numba minor version): it took 9 of every 10 nanoseconds of the connection table. They raise nothing:
    `error_model="numpy"` removes the zero-division branches, and errors are return codes and counters.
    """
    options |= {"nogil": True, "error_model": "numpy", "_nrt": False}
    called = njit(cache=True, **options)(function)
    step = njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, pipeline_class=StepCompiler, **options)(function)
    called.__class__, step.__class__ = Kernel, Step
    called.step = step
    return called


def inlined(function):
    """A kernel that becomes a part of its callers: for small steps that every packet takes."""
    return kernel(function, forceinline=True)
