"""The head of Group Sampling's detectors."""
from collections.abc import Sequence

import torch.nn.functional as F
from mmdet.models.dense_heads import RPNHead
from mmdet.models.utils import multi_apply
from mmdet.registry import MODELS
from mmdet.structures.bbox import get_box_tensor
from torch import Tensor, nn

from ..task_modules.scale_groups import group_indices
from .scale_group_loss import ScaleGroupLossMixin
from .scale_group_prediction import ScaleGroupPredictionMixin


@MODELS.register_module()
class ScaleGroupHead(ScaleGroupLossMixin, ScaleGroupPredictionMixin, RPNHead):
    """Anchors of some scales, each detection with its group of scales.

    The head of all detectors of "Group Sampling for Scale Invariant Face
    Detection": MMDetection's :class:`RPNHead`, with its parameter names, of a
    single-stage detector or as ``rpn_head`` of a two-stage one. What differs:

    - Classification is by softmax (section 5), or by the sigmoid with a
      ``loss_cls`` that has ``use_sigmoid``.
    - The regression loss is divided by the number of positives (N_reg of
      Eq. 2), the classification loss by that of samples or, without a
      sampler, of positives, as focal loss has it. The numbers are those of
      the batch, of all ranks together, and at least 1.
    - OHEM on anchors (section 6.2), for which MMDetection needs a RoI head.
    - One NMS joins all scales, where RPNHead has one for each level, and
      ``nms_pre`` counts in each group.
    - Every detection tells the group of its anchor, and each group can have
      its own outputs, which no other group suppresses (the columns @16 to
      @128 of the tables).

    ``train_cfg`` has RPNHead's keys, of which ``sampler`` is for instance a
    ``ScaleGroupSampler``, and ``ohem``: with ``dict(num=1024)`` only the 1,024
    anchors of the highest loss in each picture train, of those that the
    sampler leaves: all labelled ones without a sampler.

    ``test_cfg`` has the keys of a dense head: ``nms_pre`` (default: all),
    ``score_thr`` (0), ``min_bbox_size``, ``nms`` and ``max_per_img``; and
    ``group_outputs``, which :class:`GroupSampling` reads.

    Args:
        in_channels: Channels of the neck's maps.
        group_scales: Scale of each group in pixels, ascending: the square
            root of an anchor's area, to the nearest of which it belongs.
        shared_predictors: Whether all levels share the two 1x1 predictors, as
            in FPN. Otherwise each has its own behind the one 3x3, as many as
            four scales on a single map have. That is for levels which are
            sub-sampled from a single map (``subsample`` of
            :class:`TopDownNeck`): each cell of a coarser level is a cell of
            the finest one, and only its neighbours in the 3x3 are not, which
            are 2, 4 or 8 cells of the finest level away.
        loss_cls: Classification loss.
        sync_avg_factor: Whether the numbers that divide the losses are means
            over all ranks and accumulated micro-batches; otherwise each
            batch's own.
        **kwargs: Arguments of RPNHead.

    Raises:
        ValueError: An argument is out of range, or ``train_cfg.sampler`` has
            other ``group_scales``.
    """

    def __init__(self,
                 in_channels: int,
                 group_scales: Sequence[float] = (16, 32, 64, 128),
                 shared_predictors: bool = True,
                 loss_cls: dict = dict(
                     type='CrossEntropyLoss', use_sigmoid=False),
                 sync_avg_factor: bool = True,
                 **kwargs) -> None:
        self.group_scales = tuple(group_scales)
        self.shared_predictors = shared_predictors
        self.sync_avg_factor = sync_avg_factor
        super().__init__(in_channels, loss_cls=loss_cls, **kwargs)
        # Of the anchors of one cell; by level
        self.cell_groups = [
            group_indices(get_box_tensor(anchors), self.group_scales)
            for anchors in self.prior_generator.base_anchors
        ]
        sampled = getattr(
            getattr(self, 'sampler', None), 'group_scales', self.group_scales)
        if sampled != self.group_scales:
            raise ValueError(
                f'the sampler has groups of {sampled} pixels and the head of '
                f'{self.group_scales}: give both the same group_scales')
        ohem = (self.train_cfg or {}).get('ohem')
        if ohem is not None and ohem.get('num', 0) < 1:
            raise ValueError('train_cfg.ohem must say how many anchors of a '
                             f'picture train, dict(num=1024), not {ohem}')

    @property
    def group_names(self) -> list[str]:
        """Name of each group: its scale."""
        return [f'{scale:g}' for scale in self.group_scales]

    def _init_layers(self) -> None:
        """RPNHead's layers, the predictors once or for each level."""
        super()._init_layers()
        if not self.shared_predictors:
            for name in ('rpn_cls', 'rpn_reg'):
                one = getattr(self, name)
                levels = [
                    nn.Conv2d(one.in_channels, one.out_channels, 1)
                    for _ in range(self.prior_generator.num_levels)
                ]
                setattr(self, name, nn.ModuleList(levels))

    def forward(self,
                x: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Raw output on each level.

        Args:
            x: Maps of shape (N, in_channels, H, W).

        Returns:
            tuple: Logits (N, a * c, H, W) and deltas (N, 4a, H, W) of each
            level: a anchors per cell, c = 2 (face, background) with softmax
            and 1 with the sigmoid.

        Raises:
            ValueError: The neck gives more or fewer maps.
        """
        levels = self.prior_generator.num_levels
        if len(x) != levels:
            raise ValueError(f'the neck gives {len(x)} maps, but the anchors '
                             f'have {levels} strides')
        if self.shared_predictors:
            return super().forward(x)
        return multi_apply(self._forward_level, x, self.rpn_cls, self.rpn_reg)

    def _forward_level(self, x: Tensor, classify: nn.Module,
                       regress: nn.Module) -> tuple[Tensor, Tensor]:
        x = F.relu(self.rpn_conv(x))
        return classify(x), regress(x)
