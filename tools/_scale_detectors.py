"""What configs say about anchors, their matching and their sampling."""
from typing import NamedTuple

import numpy as np
import torch
from _tiled_anchors import TiledAnchors
from mmdet.models.task_modules.samplers import BaseSampler
from mmdet.registry import MODELS
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope

from tinyfaces.models.task_modules import (ScaleGroupSampler, TwoPassAssigner,
                                           group_indices)


class Detector(NamedTuple):
    """What a config says about the anchors of its (first) stage.

    Attributes:
        name: For people.
        anchors: Of all levels.
        assigner, sampler: As in training.
        scales: Of the groups, in pixels, ascending.
        groups: int64 (a, ), the group of each kind of anchor.
        divisor: Sides of pictures are padded to multiples of it.
        dataset: Config of the training set.
    """
    name: str
    anchors: TiledAnchors
    assigner: TwoPassAssigner
    sampler: BaseSampler
    scales: tuple[float, ...]
    groups: np.ndarray
    divisor: int
    dataset: ConfigDict

    def tiling(self) -> list[str]:
        """``'16/4'`` for anchors of 16 pixels every 4, of each group."""
        result = []
        for group, scale in enumerate(self.scales):
            strides = np.unique(self.anchors.strides[self.groups == group, 0])
            result.append(f'{scale:g}/' + ('+'.join(map(str, strides)) or '-'))
        return result


def read_detector(name: str, cfg: Config) -> Detector:
    """Build the part of a config's model that labels anchors.

    Raises:
        ValueError: The model has none, or another assigner, or chooses
            samples by their loss.
    """
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    model, train_cfg = cfg.model, cfg.model.get('train_cfg')
    # As MMDetection's detectors of one and of two stages do.
    if 'rpn_head' in model:
        head, train_cfg = model.rpn_head, train_cfg.rpn
    elif 'bbox_head' in model:
        head = model.bbox_head
    else:
        raise ValueError(f'{name}: the model has neither bbox_head nor '
                         'rpn_head, so there are no anchors')
    head = MODELS.build(dict(head, train_cfg=train_cfg))
    assigner = getattr(head, 'assigner', None)
    if type(assigner) is not TwoPassAssigner:
        raise ValueError(
            f'{name}: anchors are counted for a TwoPassAssigner, and the '
            f'config has {type(assigner).__name__}')
    if train_cfg.get('ohem'):
        raise ValueError(
            f'{name}: which anchors OHEM draws depends on the network: set '
            'train_cfg.ohem=None to count all that it draws from')
    if train_cfg.allowed_border >= 0:
        raise ValueError(f'{name}: anchors across the border are counted: '
                         'set allowed_border=-1')
    anchors = TiledAnchors(head.prior_generator)
    base = torch.from_numpy(anchors.base)
    if isinstance(head.sampler, ScaleGroupSampler):
        scales = head.sampler.group_scales
    else:
        sides = (base[:, 2:] - base[:, :2]).prod(dim=1).sqrt()
        scales = tuple(np.unique(sides.numpy().round(3)).tolist())
    return Detector(
        name, anchors, assigner, head.sampler, scales,
        group_indices(base, scales).numpy(),
        cfg.model.data_preprocessor.get('pad_size_divisor', 1),
        cfg.train_dataloader.dataset)
