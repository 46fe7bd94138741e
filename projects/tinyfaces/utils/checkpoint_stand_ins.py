"""What takes the place of objects of other packages while a file is read.

The methods by which NumPy's and MMEngine's classes read their own pickles
believe whatever a file says: a dtype may claim that bytes are addresses of
objects, a ``HistoryBuffer`` changes its class. Classes that check what they
are told are filled instead, and :func:`without_stand_ins` puts the real
objects in their places.
"""
import math
import re
from collections import Counter, OrderedDict
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.optim.scheduler import OneCycleParamScheduler

# Booleans, numbers, bytes and text of a fixed length.
_CODES = re.compile(r'\?|[biufcSU]\d*')


class RefusedContent(ValueError):
    """A file wants something else than data by a name that is allowed.

    Args:
        wanted: What it is.
    """

    def __init__(self, wanted: str) -> None:
        super().__init__(wanted)
        self.wanted = wanted


class StandIn:
    """Becomes ``real`` in the end; None as long as it is not filled."""

    real: Any = None

    def __setstate__(self, state: Any) -> None:
        """Take nothing, for those that have no state."""
        raise RefusedContent(f'a state of a {type(self).__name__}')


class DTypeStandIn(StandIn):
    """Stands in for ``numpy.dtype``: plain numbers, bytes and text."""

    def __init__(self,
                 code: str,
                 align: bool = False,
                 copy: bool = True) -> None:
        if not isinstance(code, str) or not _CODES.fullmatch(code):
            raise RefusedContent(f'numpy.dtype of {code!r:.80}')
        self.real = np.dtype(code)

    def __setstate__(self, state: tuple) -> None:
        """Take the order of bytes, and nothing else."""
        order = state[1]
        if order not in ('<', '>', '|'):
            raise ValueError(f'{order!r:.80} is no order of bytes')
        real = self.real.newbyteorder(order)
        # Flags that are not the type's own would have pointers followed.
        if state != real.__reduce__()[2]:
            raise RefusedContent(f'numpy.dtype with the state {state!r:.80}')
        self.real = real


class ArrayStandIn(StandIn):
    """Stands in for ``numpy.ndarray``."""

    def __setstate__(self, state: tuple) -> None:
        """Take shape, type, order and bytes that fit each other."""
        version, shape, dtype, fortran, raw = state
        dtype = _dtype(dtype)
        if (version != 1 or not isinstance(raw, bytes)
                or not all(type(one) is int and one >= 0 for one in shape)
                or math.prod(shape) * dtype.itemsize != len(raw)):
            raise ValueError('the bytes of an array do not fit its shape')
        order = 'F' if fortran else 'C'
        self.real = np.ndarray(
            shape, dtype, raw, order=order).copy(order=order)


def reconstruct(kind: type, shape: tuple, code: bytes) -> ArrayStandIn:
    """Stands in for NumPy's ``_reconstruct``, which makes empty arrays."""
    if kind is not ArrayStandIn:
        raise RefusedContent(f'an array of the type {kind!r:.80}')
    return ArrayStandIn()


def scalar(dtype: DTypeStandIn, raw: bytes) -> np.generic:
    """Stands in for NumPy's ``scalar``."""
    dtype = _dtype(dtype)
    if not isinstance(raw, bytes) or len(raw) != dtype.itemsize:
        raise ValueError('the bytes of a number do not fit its type')
    return np.frombuffer(raw, dtype)[0] if raw else dtype.type()


def no_bytes() -> bytes:
    """Stands in for ``bytes``, as of an array of the length 0."""
    return b''


def _dtype(dtype: Any) -> np.dtype:
    if not isinstance(dtype, DTypeStandIn):
        raise RefusedContent(f'a numpy.dtype like {dtype!r:.80}')
    return dtype.real


class HistoryStandIn(StandIn):
    """Stands in for MMEngine's ``HistoryBuffer``."""

    def __setstate__(self, state: dict) -> None:
        """Take the numbers; the methods are those of the class anyway."""
        values, counts, length = (
            state[name]
            for name in ('_log_history', '_count_history', 'max_length'))
        arrays = [
            one.real for one in (values, counts)
            if isinstance(one, ArrayStandIn) and one.real is not None
            and one.real.ndim == 1 and one.real.dtype.kind in 'biuf'
        ]
        if (len(arrays) < 2 or arrays[0].shape != arrays[1].shape
                or type(length) is not int or length < 1):
            raise ValueError('the numbers of a HistoryBuffer do not fit')
        self.real = HistoryBuffer(max_length=length)
        self.real._log_history, self.real._count_history = arrays


class OneCycleStandIn(StandIn):
    """Stands in for the class, of which files refer to two methods."""


class MethodStandIn(StandIn):
    """Stands in for a method."""


# Methods that MMEngine's states refer to; torch.save writes each of them as
# a call of getattr.
_METHODS = {
    HistoryStandIn: (HistoryBuffer, ('min', 'max', 'current', 'mean')),
    OneCycleStandIn:
    (OneCycleParamScheduler, ('_annealing_cos', '_annealing_linear')),
}


def method(owner: type, name: str) -> MethodStandIn:
    """Stands in for ``getattr``, which could reach anything.

    Raises:
        RefusedContent: It is none of the methods that MMEngine writes.
    """
    for known, (kind, names) in _METHODS.items():
        if owner is known and name in names:
            found = MethodStandIn()
            found.real = getattr(kind, name)
            return found
    raise RefusedContent(f'builtins.getattr of {owner!r:.80}, {name!r:.80}')


def without_stand_ins(content: Any) -> Any:
    """Put the real objects into the places of those that stand for them.

    Args:
        content: What was read; its containers are changed.

    Returns:
        ``content``, or what it stands for.

    Raises:
        RefusedContent: There are other attributes of dictionaries than
            PyTorch writes, which could hide their methods.
        ValueError: A stand-in was never filled, or is used as a key.
    """
    return _replaced(content, {})


def _replaced(one: Any, done: dict[int, tuple[Any, Any]]) -> Any:
    """``done`` holds by identity what was seen, and what it became."""
    if isinstance(one, StandIn):
        if one.real is None:
            raise ValueError(f'a {type(one).__name__} without content')
        return one.real
    if isinstance(one, type) and issubclass(one, StandIn):
        raise ValueError(f'{one.__name__} itself as a value')
    if not isinstance(one, (dict, list, tuple, set, frozenset, torch.Tensor)):
        return one
    if id(one) in done:
        return done[id(one)][1]
    done[id(one)] = one, one
    if isinstance(one, dict):
        # The methods of the class: attributes may have the same names.
        for key, value in list(dict.items(one)):
            _unchanged(key, done)
            new = _replaced(value, done)
            if new is not value:
                one[key] = new
        if isinstance(one, (OrderedDict, Counter)):
            for name in vars(one).keys() - {'_metadata'}:
                raise RefusedContent(f'the attribute {name!r:.80} of a '
                                     f'{type(one).__name__}')
            _replaced(vars(one), done)
    elif isinstance(one, list):
        one[:] = [_replaced(value, done) for value in one]
    elif type(one) is tuple:
        values = [_replaced(value, done) for value in one]
        if any(new is not old for new, old in zip(values, one)):
            done[id(one)] = one, tuple(values)
    elif isinstance(one, (set, frozenset)):
        for value in one:
            _unchanged(value, done)
    elif isinstance(one, torch.Tensor):
        _replaced(vars(one), done)
    return done[id(one)][1]


def _unchanged(key: Any, done: dict[int, tuple[Any, Any]]) -> None:
    if _replaced(key, done) is not key:
        raise ValueError(f'{key!r:.80} as a key or in a set')
