"""What a test has done so far, on disk."""
import base64
import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet.structures.bbox import BaseBoxes
from mmengine.structures import BaseDataElement

from ..datasets.picture_faults import UNREADABLE
from .parts import WorkParts

_PLAIN = (type(None), bool, int, float, str)


class PartsOfTest(WorkParts):
    """The folder that holds the data samples of a test that goes on.

    Args:
        folder (Path): The folder.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(
            folder, 'test', f'the test that is kept in {folder}',
            'a test with another config, checkpoint or data',
            'give the former ones to go on with it, remove the folder to '
            'begin again, or give another --work-dir',
            'let it end, or give another --work-dir')

    def done(self) -> set[int]:
        """Indices of the pictures that need no other look.

        A picture that could not be read is looked at again, and so are those
        that were in a batch with one, since they are padded together.

        Raises:
            ValueError: A line is broken.
        """
        return {
            part.record['index']
            for part in self._parts() if not part.record['unreadable']
        }

    def samples(self, wanted: Collection[int]) -> Iterator[tuple[int, dict]]:
        """Some pictures' data samples, in no particular order.

        Args:
            wanted: Indices of the pictures.

        Yields:
            tuple: Index and data sample, as a dict; once each. A look in a
            batch that could be read as a whole comes before another one, and
            the picture itself before the grey one in its place.

        Raises:
            ValueError: A line is broken.
        """
        wanted, later = set(wanted), {}
        for part in self._parts():
            index = part.record['index']
            if index not in wanted:
                continue
            try:
                sample = from_plain(part.record['sample'])
            except (ValueError, KeyError, TypeError, AttributeError):
                raise self.broken(part.path, part.number,
                                  json.dumps(part.record)) from None
            if part.record['unreadable']:
                if index not in later or later[index].get(UNREADABLE):
                    later[index] = sample
            else:
                wanted.discard(index)
                yield index, sample
        yield from ((index, sample) for index, sample in later.items()
                    if index in wanted)

    def _parts(self) -> Iterator:
        """The lines, all of which have what a line must have."""
        for part in self.lines():
            record = part.record
            if not isinstance(record, dict) or set(record) != {
                    'index', 'unreadable', 'sample'
            }:
                raise self.broken(part.path, part.number, json.dumps(record))
            yield part


def to_line(index: int, sample: BaseDataElement | dict,
            unreadable: bool) -> str:
    """A picture that is done, as a line; every bit of it is kept.

    Args:
        index: Of the picture in the data set.
        sample: Its data sample.
        unreadable: Whether it, or another one of its batch, could not be
            read.

    Raises:
        TypeError: The sample holds something else than tensors, arrays,
            numbers, texts, and lists, tuples and dicts of such.
    """
    if isinstance(sample, BaseDataElement):
        sample = sample.to_dict()
    try:
        plain = to_plain(sample)
    except TypeError as error:
        raise TypeError(f'a test that goes on cannot keep {error} of the data '
                        f'sample of {sample.get("img_path")}; test without '
                        '--resume') from None
    return json.dumps(dict(index=index, unreadable=unreadable,
                           sample=plain)) + '\n'


def to_plain(value: Any) -> Any:
    """What JSON can hold of a value, see :func:`from_plain`.

    Args:
        value: A tensor, an array, a number, a text, or a list, tuple, dict or
            data element of such; tensors are taken from their device, data
            elements become dicts, and boxes tensors.

    Raises:
        TypeError: It is none of these.
    """
    if isinstance(value, BaseDataElement):
        value = value.to_dict()
    if isinstance(value, BaseBoxes):
        value = value.tensor
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is dict:
        return dict(dict=[[to_plain(k), to_plain(v)]
                          for k, v in value.items()])
    if kind in (list, tuple, torch.Size):
        return {kind.__name__: [to_plain(item) for item in value]}
    if isinstance(value, torch.Tensor):
        # An empty one may have a stride of 0, which view() refuses.
        flat = value.detach().cpu().clone(
            memory_format=torch.contiguous_format).reshape(-1)
        data = flat.view(torch.uint8).numpy().tobytes()
        return dict(tensor=[
            str(value.dtype)[len('torch.'):], [*value.shape],
            _text(data)
        ])
    if kind is np.ndarray and not value.dtype.hasobject:
        return dict(
            array=[value.dtype.str, [*value.shape],
                   _text(value.tobytes())])
    if isinstance(value, np.generic) and not value.dtype.hasobject:
        return dict(scalar=[value.dtype.str, [], _text(value.tobytes())])
    raise TypeError(f'a {kind.__module__}.{kind.__qualname__}')


def from_plain(plain: Any) -> Any:
    """The value that :func:`to_plain` was given."""
    if not isinstance(plain, dict):
        return plain
    (kind, content), = plain.items()
    if kind == 'dict':
        return {from_plain(k): from_plain(v) for k, v in content}
    if kind in ('list', 'tuple', 'Size'):
        make = dict(list=list, tuple=tuple, Size=torch.Size)[kind]
        return make(from_plain(item) for item in content)
    dtype, shape, text = content
    data = bytearray(base64.b64decode(text, validate=True))
    if kind == 'tensor':
        dtype = getattr(torch, dtype)
        flat = torch.frombuffer(
            data, dtype=dtype) if data else torch.empty(
                0, dtype=dtype)
        return flat.reshape(shape)
    array = np.frombuffer(data, dtype).reshape(shape)
    return array if kind == 'array' else array[()]


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
