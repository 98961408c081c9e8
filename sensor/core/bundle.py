"""Arrays under names, handed to kernels as one pointer.

Numba hands a tuple of arrays on as seven words for each of them, at every call, and writes the layouts of all their records
into the name of every function that takes it. For a state of 28 arrays that was most of the time of compiling, and much of
that of running.
"""

import hashlib

import numpy as np

import sensor.core.cache  # noqa: F401  (before Numba, which looks for its folder once)

from llvmlite import ir  # isort: skip
from numba import typeof, types  # isort: skip
from numba.core import cgutils  # isort: skip
from numba.core.typing.templates import AttributeTemplate  # isort: skip
from numba.extending import (  # isort: skip
    NativeValue,
    infer_getattr,
    lower_getattr_generic,
    models,
    register_model,
    unbox,
)

WORD = 8
_I64 = ir.IntType(64)


class Bundle:
    """Base of such a set: annotate its members, arrays (C order) or other bundles. They are given once and never exchanged."""

    _names: tuple[str, ...]

    def __init_subclass__(cls):
        cls._names = tuple(cls.__annotations__)

    def __init__(self, *members, **named):
        named.update(zip(self._names, members, strict=False))
        if set(named) != set(self._names):
            raise TypeError(f"{type(self).__name__} takes {', '.join(self._names)}, not {', '.join(named)}")
        self.__dict__.update(named)
        words: list[int] = []
        for name in self._names:
            member = named[name]
            if isinstance(member, Bundle):
                words.append(member._words.ctypes.data)
            else:
                if not member.flags.c_contiguous:
                    raise TypeError(f"{name} is not in C order")
                words += [member.ctypes.data, *member.shape]
        self._words = np.array(words, np.int64)
        self._address = self._words.ctypes.data
        self._numba_type_ = BundleType(
            type(self).__name__,
            tuple((n, named[n]._numba_type_ if isinstance(named[n], Bundle) else typeof(named[n])) for n in self._names),
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """All its arrays, those of bundles in it too, by the way to them: `profiles.counts`."""
        found: dict[str, np.ndarray] = {}
        for name in self._names:
            member = self.__dict__[name]
            if isinstance(member, Bundle):
                found |= {f"{name}.{inner}": array for inner, array in member.arrays().items()}
            else:
                found[name] = member
        return found

    def __setattr__(self, name, value):
        if name in self._names:
            raise AttributeError(f"{name} cannot be exchanged: kernels hold its address")
        super().__setattr__(name, value)


class BundleType(types.Type):
    """Type of a bundle: which members it has, in which order."""

    def __init__(self, title: str, members: tuple[tuple[str, types.Type], ...]):
        self.members = dict(members)
        self.offsets: dict[str, int] = {}
        at = 0
        for name, kind in members:
            self.offsets[name] = at
            at += WORD * (1 if isinstance(kind, BundleType) else 1 + kind.ndim)
        digest = hashlib.sha256(repr(members).encode()).hexdigest()[:12]
        super().__init__(name=f"{title}_{digest}")


register_model(BundleType)(models.OpaqueModel)


@infer_getattr
class _BundleAttribute(AttributeTemplate):
    key = BundleType

    def generic_resolve(self, kind, name):
        return kind.members.get(name)


@unbox(BundleType)
def _unbox(kind, value, c):
    address = c.pyapi.object_getattr_string(value, "_address")
    pointer = c.pyapi.long_as_voidptr(address)
    c.pyapi.decref(address)
    return NativeValue(pointer)


def _word(builder, base, offset):
    """A word of the bundle. It never changes, so the compiler need not load it again after a store."""
    place = builder.bitcast(builder.gep(base, [ir.Constant(_I64, offset)]), _I64.as_pointer())
    value = builder.load(place)
    value.set_metadata("invariant.load", builder.module.add_metadata([]))
    return value


@lower_getattr_generic(BundleType)
def _member(context, builder, kind, value, name):
    member, offset = kind.members[name], kind.offsets[name]
    if isinstance(member, BundleType):
        return builder.inttoptr(_word(builder, value, offset), value.type)
    array = context.make_array(member)(context, builder)
    size = context.get_abi_sizeof(context.get_data_type(member.dtype))
    shape = [_word(builder, value, offset + WORD * (1 + k)) for k in range(member.ndim)]
    strides = [ir.Constant(_I64, size)]
    for extent in shape[:0:-1]:
        strides.insert(0, builder.mul(strides[0], extent))
    items = shape[0]
    for extent in shape[1:]:
        items = builder.mul(items, extent)
    array.meminfo = cgutils.get_null_value(array.meminfo.type)
    array.parent = cgutils.get_null_value(array.parent.type)
    array.nitems = items
    array.itemsize = ir.Constant(_I64, size)
    array.data = builder.inttoptr(_word(builder, value, offset), array.data.type)
    array.shape = cgutils.pack_array(builder, shape)
    array.strides = cgutils.pack_array(builder, strides)
    return array._getvalue()
