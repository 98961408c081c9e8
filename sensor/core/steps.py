"""Kernels as parts of other kernels: typed and lowered once, and made machine code only within what Python calls.

Numba optimises each function that a kernel calls, makes machine code of it, and does so again with all below it at every level
of the call tree: half of the time that a cold start takes. Here the functions that kernels call stay intermediate code; LLVM
sees them once, in the kernel that holds them. (Private names of the pinned Numba minor version.)
"""

import functools

from numba import _dynfunc, types
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.compiler_machinery import register_pass
from numba.core.registry import CPUDispatcher
from numba.core.typed_passes import NativeLowering


class _StepLibrary(JITCodeLibrary):
    """Intermediate code that waits for the kernel that it is a part of."""

    def _optimize_final_module(self):
        pass

    def _finalize_final_module(self):
        self._finalize_dynamic_globals()
        self._finalized = True


@register_pass(mutates_CFG=True, analysis_only=False)
class _StepLowering(NativeLowering):
    """Lowering that ends with intermediate code."""

    _name = "step_lowering"

    def run_pass(self, state):
        state.library = _StepLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.flags.no_compile = True
        super().run_pass(state)
        lowered = state["cr"]
        # Numba knows functions by their entry points: this one is a name alone.
        entry = _dynfunc.make_function(
            lowered.fndesc.lookup_module(), state.func_id.func_name, "", 0, lowered.env, (state.library,)
        )
        state.targetctx.insert_user_function(entry, lowered.fndesc, [state.library])
        state["cr"] = lowered._replace(cfunc=entry)
        return True


class StepCompiler(Compiler):
    """The default compiler up to machine code."""

    def define_pipelines(self):
        (pipeline,) = super().define_pipelines()
        pipeline.passes = [(_StepLowering if one is NativeLowering else one, said) for one, said in pipeline.passes]
        return [pipeline]


class Step(CPUDispatcher):
    """What kernels call: one signature for all values of a flag or a number, where Numba would make one for each constant."""

    def get_call_template(self, args, kws):
        args, kws = tuple(map(types.unliteral, args)), {name: types.unliteral(one) for name, one in kws.items()}
        return super().get_call_template(args, kws)


class Kernel(CPUDispatcher):
    """What Python calls; kernels call `step` in its place."""

    @functools.cached_property
    def step(self) -> Step:
        """Made where it is compiled: a start that finds all in the cache needs none."""
        options = self.targetoptions | {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
        return Step(self.py_func, targetoptions=options, pipeline_class=StepCompiler)

    @property
    def _numba_type_(self):
        return types.Dispatcher(self.step)
