"""What a checkpoint may hold besides tensors, numbers and text."""
import os
import pickle
import tarfile
from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, BinaryIO

import torch
from mmengine.logging import HistoryBuffer
from mmengine.optim.scheduler import OneCycleParamScheduler
from mmengine.utils import digit_version

from .checkpoint_stand_ins import (ArrayStandIn, DTypeStandIn, HistoryStandIn,
                                   OneCycleStandIn, RefusedContent, StandIn,
                                   method, no_bytes, reconstruct, scalar,
                                   without_stand_ins)


def _full_name(one: type) -> str:
    return f'{one.__module__}.{one.__qualname__}'


# Names in a pickle, and what stands for each of them.
ALLOWED = {
    'builtins.getattr': method,
    'builtins.bytes': no_bytes,
    'numpy.dtype': DTypeStandIn,
    'numpy.ndarray': ArrayStandIn,
    # NumPy 2 has renamed the package, and files of both are about.
    'numpy.core.multiarray._reconstruct': reconstruct,
    'numpy._core.multiarray._reconstruct': reconstruct,
    'numpy.core.multiarray.scalar': scalar,
    'numpy._core.multiarray.scalar': scalar,
    _full_name(HistoryBuffer): HistoryStandIn,
    _full_name(OneCycleParamScheduler): OneCycleStandIn,
}


def allowed_names() -> set[str]:
    """Full names of all globals that a checkpoint may refer to."""
    from torch._weights_only_unpickler import _get_allowed_globals
    names = {*ALLOWED, *_get_allowed_globals()}
    if hasattr(torch.serialization, 'get_safe_globals'):
        names.update(map(_safe_name, torch.serialization.get_safe_globals()))
    return names


def load_as_data(source: str | os.PathLike | BinaryIO,
                 map_location: Any = None) -> Any:
    """``torch.load`` that runs no code of a file.

    ``weights_only=True``, with :data:`ALLOWED` added. Releases before PyTorch
    2.7 cannot be told of objects by their names in files; they unpickle with
    a class that does no more than PyTorch's own.

    Args:
        source: File, or an open one at its beginning.
        map_location: As of ``torch.load``.

    Raises:
        RefusedContent: A name that is allowed is used for something else.
        Exception: What ``torch.load`` raises.
    """
    _refuse_other_archives(source)
    if digit_version(torch.__version__) < digit_version('2.7'):
        content = torch.load(
            source,
            map_location,
            weights_only=False,
            pickle_module=_RestrictedPickle)
    else:
        with _allowed_only_so():
            content = torch.load(source, map_location, weights_only=True)
    return without_stand_ins(content)


def _safe_name(one: Any) -> str:
    """The name of one of ``torch.serialization.get_safe_globals``."""
    return one[1] if isinstance(one, tuple) else _full_name(one)


@contextmanager
def _allowed_only_so() -> Iterator[None]:
    """Add :data:`ALLOWED` to what PyTorch finds.

    Where a program has allowed the same names, PyTorch would take either.
    """
    before = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    try:
        torch.serialization.add_safe_globals(
            [one for one in before if _safe_name(one) not in ALLOWED] +
            [(one, name) for name, one in ALLOWED.items()])
        yield
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(before)


def _refuse_other_archives(source: str | os.PathLike | BinaryIO) -> None:
    """Refuse formats that torch.load reads in other ways than by a pickle.

    Raises:
        RefusedContent: It is a TorchScript program, or a tar archive.
    """
    if isinstance(source, (str, os.PathLike)):
        with open(source, 'rb') as file:
            return _refuse_other_archives(file)
    try:
        if source.read(4) == b'PK\x03\x04':
            source.seek(0)
            # The reader of torch.load: others may find other files in it.
            reader = torch._C.PyTorchFileReader(source)
            if 'constants.pkl' in reader.get_all_records():
                raise RefusedContent('a TorchScript program')
        else:
            source.seek(0)
            with tarfile.open(fileobj=source, mode='r:'):
                raise RefusedContent('the tar format before PyTorch 0.4')
    except tarfile.TarError:
        return
    finally:
        source.seek(0)


@cache
def _may_be_called() -> frozenset[int]:
    """Identities of what a pickle may call."""
    from torch._weights_only_unpickler import _get_allowed_globals
    return frozenset(
        map(id, [*ALLOWED.values(), *_get_allowed_globals().values()]))


class _RestrictedUnpickler(pickle._Unpickler):
    """Finds, calls and fills what a checkpoint may hold, and nothing else.

    The one of Python alone would call whatever is callable, and set
    attributes of classes.
    """

    # The instructions that torch.save writes.
    dispatch = {
        code[0]: pickle._Unpickler.dispatch[code[0]]
        for code in (pickle.PROTO, pickle.STOP, pickle.GLOBAL, pickle.MARK,
                     pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE,
                     pickle.BININT, pickle.BININT1, pickle.BININT2,
                     pickle.LONG1, pickle.BINFLOAT, pickle.BINUNICODE,
                     pickle.SHORT_BINSTRING, pickle.EMPTY_DICT,
                     pickle.EMPTY_LIST, pickle.EMPTY_SET, pickle.EMPTY_TUPLE,
                     pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3,
                     pickle.BINGET, pickle.LONG_BINGET, pickle.BINPUT,
                     pickle.LONG_BINPUT, pickle.BINPERSID)
    }

    def find_class(self, module: str, name: str) -> Any:
        """What a name in the pickle stands for."""
        from torch._weights_only_unpickler import _get_allowed_globals
        if module == '__builtin__':  # as the format of Python 2 has it
            module = 'builtins'
        full = f'{module}.{name}'
        for known in (ALLOWED, _get_allowed_globals()):
            if full in known:
                return known[full]
        raise pickle.UnpicklingError(f'GLOBAL {full}')

    def _check_call(self) -> None:
        if id(self.stack[-2]) not in _may_be_called():
            raise pickle.UnpicklingError(f'calls {self.stack[-2]!r:.80}')

    def load_reduce(self) -> None:
        """Call a function."""
        self._check_call()
        super().load_reduce()

    def load_newobj(self) -> None:
        """Make an object of a class."""
        self._check_call()
        super().load_newobj()

    def load_build(self) -> None:
        """Fill an object."""
        one = self.stack[-2]
        if type(one) is not OrderedDict and not isinstance(one, StandIn):
            raise pickle.UnpicklingError(f'sets attributes of {one!r:.80}')
        super().load_build()

    def _check_target(self, one: Any, *kinds: type) -> None:
        if type(one) not in kinds:
            raise pickle.UnpicklingError(f'puts items into {one!r:.80}')

    def load_append(self) -> None:
        """Add an item to a list."""
        self._check_target(self.stack[-2], list)
        super().load_append()

    def load_appends(self) -> None:
        """Add items to a list."""
        self._check_target(self.metastack[-1][-1], list)
        super().load_appends()

    def load_setitem(self) -> None:
        """Add an item to a dictionary."""
        self._check_target(self.stack[-3], dict, OrderedDict, Counter)
        super().load_setitem()

    def load_setitems(self) -> None:
        """Add items to a dictionary."""
        self._check_target(self.metastack[-1][-1], dict, OrderedDict, Counter)
        super().load_setitems()

    dispatch.update({
        pickle.REDUCE[0]: load_reduce,
        pickle.NEWOBJ[0]: load_newobj,
        pickle.BUILD[0]: load_build,
        pickle.APPEND[0]: load_append,
        pickle.APPENDS[0]: load_appends,
        pickle.SETITEM[0]: load_setitem,
        pickle.SETITEMS[0]: load_setitems,
    })


class _RestrictedPickle:
    """As much of the module ``pickle`` as ``torch.load`` uses."""

    Unpickler = _RestrictedUnpickler
    UnpicklingError = pickle.UnpicklingError

    @staticmethod
    def load(file: Any, **kwargs) -> Any:
        """As ``pickle.load``."""
        return _RestrictedUnpickler(file, **kwargs).load()
