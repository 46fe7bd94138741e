"""Trainings in float64, in which rounding decides nothing.

Sorting by score and NMS jump where two scores change places: proposals differ
as a whole after weights that differ in the last digit. In float64 such
differences are too small for that, and what is left of a difference between
two trainings has another cause.
"""
import torch
from mmdet.models import DetDataPreprocessor
from mmdet.registry import MODELS
from mmdet.structures.bbox import BaseBoxes
from mmengine.structures import InstanceData
from torch import Tensor


@MODELS.register_module()
class DoubleDetDataPreprocessor(DetDataPreprocessor):
    """``DetDataPreprocessor`` that gives pictures and boxes as float64."""

    def forward(self, data: dict, training: bool = False) -> dict:
        """See ``DetDataPreprocessor``."""
        data = super().forward(data, training)
        data['inputs'] = data['inputs'].double()
        for sample in data['data_samples'] or []:
            for name in ('gt_instances', 'ignored_instances'):
                if name in sample:
                    _to_double(sample.get(name))
        return data


def _to_double(instances: InstanceData) -> None:
    """All numbers of some boxes, and of their meta information."""
    for name, value in instances.items():
        if isinstance(value, (Tensor, BaseBoxes)) and (torch.is_floating_point(
                getattr(value, 'tensor', value))):
            instances.set_field(value.to(torch.float64), name)
    instances.set_metainfo({
        name: value.double()
        for name, value in instances.metainfo_items()
        if isinstance(value, Tensor) and value.is_floating_point()
    })


def use_float64(rank: int) -> None:
    """Build models in float64 from now on, in this process."""
    torch.set_default_dtype(torch.float64)
