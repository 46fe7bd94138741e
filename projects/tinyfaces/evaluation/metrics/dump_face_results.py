"""Detections as a pickle, the same bytes whenever they are the same."""
import pickle
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from mmdet.evaluation import DumpDetResults
from mmdet.registry import METRICS
from mmengine.logging import print_log
from mmengine.structures import BaseDataElement

from tinyfaces.utils.files import (atomic_write, check_writable,
                                   remove_leftovers_of)
from .unreadable import without_unreadable


@METRICS.register_module()
class DumpFaceResults(DumpDetResults):
    """MMDetection's dump of all data samples, for offline evaluation.

    The content is MMDetection's: a list of dicts, in the order of the data
    set. The file is written as a whole or not at all, and the same data
    samples give the same bytes, in one process or several, where a pickle of
    tensors has addresses of memory in it.

    Args:
        out_file_path: File to write; must end with .pkl or .pickle.
        collect_device, collect_dir: Those of ``DumpDetResults``.

    Raises:
        IsADirectoryError, NotADirectoryError, PermissionError: The file
            cannot be written.
        ValueError: The name has another ending.
    """

    def __init__(self, out_file_path: str, **kwargs) -> None:
        super().__init__(out_file_path, **kwargs)
        # A wrong path shows before the test, not after it.
        check_writable(out_file_path)

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep the data samples of one batch.

        Args:
            data_batch: Not read.
            data_samples: One dict per image.
        """
        super().process(data_batch, list(without_unreadable(data_samples)))

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Write the file; called on the main process only.

        Args:
            results: One entry per image of all ranks.

        Returns:
            dict[str, float]: Nothing.
        """
        remove_leftovers_of(self.out_file_path)
        with atomic_write(self.out_file_path) as temporary, open(
                temporary, 'wb') as file:
            _Pickler(file, protocol=4).dump(_unshared(results))
        print_log(
            f'detections of {len(results):,} pictures: '
            f'{self.out_file_path}', 'current')
        return {}


def _unshared(value: Any) -> Any:
    """A copy that shares nothing but equal texts, which it always shares.

    A pickle writes what occurs twice only once; whether equal things are the
    same thing depends on the processes that they went through.
    """
    if isinstance(value, BaseDataElement):
        value = value.to_dict()
    if type(value) is str:
        return sys.intern(value)
    if type(value) is dict:
        # The order of what a data sample holds is that of a set.
        return {
            _unshared(key): _unshared(value[key])
            for key in sorted(value, key=repr)
        }
    if type(value) in (list, tuple):
        return type(value)([_unshared(item) for item in value])
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if type(value) is np.ndarray:
        return value.copy()
    return value


class _Pickler(pickle.Pickler):
    """Writes tensors by their values."""

    def reducer_override(self, value: Any) -> tuple[Callable, tuple] | Any:
        """How to make a value again, as :mod:`pickle` asks it."""
        if isinstance(value, torch.Tensor):
            try:
                return torch.from_numpy, (value.contiguous().numpy(), )
            except TypeError:  # NumPy lacks a few types
                return NotImplemented
        return NotImplemented
