"""The head of Finding Tiny Faces."""
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from mmdet.registry import MODELS, TASK_UTILS
from mmdet.utils import ConfigType, OptConfigType, OptMultiConfig
from torch import Tensor, nn

from .template_loss import TemplateLossMixin
from .template_prediction import TemplatePredictionMixin

BLOCKS = 5  # logits, then tx, ty, tw and th


@MODELS.register_module()
class TemplateHead(TemplateLossMixin, TemplatePredictionMixin, BaseDenseHead):
    """Scores and boxes of templates from a foveal descriptor.

    "Finding Tiny Faces", sections 3.1 and 4.1 and appendix B: on each map of
    the backbone a linear predictor, that is a 1x1 convolution, of a logit and
    four deltas for each template. What they say is brought to one stride and
    summed. All templates thus see the same receptive field, a large one for
    context and a small one for detail.

    - A coarser map is upsampled bilinearly, after its predictor, as in the
      released model: by cells' areas (``align_corners=False``). Of a finer
      map each second (or fourth) cell is looked at, which in a ResNet is the
      one with the same centre.
    - Predictors start at zero, so that all scores start at .5.
    - Where maps differ in size, the sum has the smallest one's. For a head on
      coarser maps alone that is the input's size over the stride, rounded up.

    Names of the predictors are ``predictors.stride8`` and so on, for a rate
    of learning of their own (1 on res4, .1 on res3, .01 on res2) through
    ``paramwise_cfg`` of the optimizer.

    ``train_cfg`` has ``assigner``, a ``TemplateAssigner``, and ``sampler``, a
    ``BalancedHardSampler``. ``test_cfg`` is that of
    :class:`~.template_prediction.TemplatePredictionMixin`.

    Args:
        in_channels: Of each map. The released model's are res3 and res4 of a
            ResNet; by appendix B there is a predictor on res2, too.
        in_strides: Of each map, in input pixels. A single map is possible.
        out_stride: That of the sum.
        prior_generator: A ``TemplatePriorGenerator``; its ``stride`` can be
            left out.
        bbox_coder: Of the deltas. The released model has no means and
            standard deviations.
        loss_cls: Logistic.
        loss_bbox: Huber's loss, with delta 1.
        train_cfg: See above; None for a head that is not trained.
        test_cfg: See above.
        init_cfg: Other than zeros.

    Raises:
        ValueError: An argument is out of range.
    """

    num_classes = 1

    def __init__(self,
                 in_channels: Sequence[int] = (512, 1024),
                 in_strides: Sequence[int] = (8, 16),
                 out_stride: int = 8,
                 prior_generator: ConfigType = dict(
                     type='TemplatePriorGenerator'),
                 bbox_coder: ConfigType = dict(type='DeltaXYWHBBoxCoder'),
                 loss_cls: ConfigType = dict(
                     type='CrossEntropyLoss', use_sigmoid=True),
                 loss_bbox: ConfigType = dict(type='SmoothL1Loss', beta=1.0),
                 train_cfg: OptConfigType = None,
                 test_cfg: OptConfigType = None,
                 init_cfg: OptMultiConfig = None) -> None:
        super().__init__(init_cfg=init_cfg)
        self.in_strides = tuple(in_strides)
        self.out_stride = out_stride
        self.prior_generator = TASK_UTILS.build(
            prior_generator, default_args=dict(stride=out_stride))
        self._check_maps(tuple(in_channels))
        self.bbox_coder = TASK_UTILS.build(bbox_coder)
        self.loss_cls = MODELS.build(loss_cls)
        self.loss_bbox = MODELS.build(loss_bbox)
        self.train_cfg = train_cfg
        self.test_cfg = test_cfg
        self._check_test_cfg()
        if train_cfg is not None:
            self.assigner = TASK_UTILS.build(train_cfg['assigner'])
            self.sampler = TASK_UTILS.build(train_cfg['sampler'])
        self.predictors = nn.ModuleDict({
            f'stride{stride}':
            self._predictor(channels, stride)
            for channels, stride in zip(in_channels, in_strides)
        })

    @property
    def num_templates(self) -> int:
        """Number of templates, N."""
        return self.prior_generator.num_templates

    def _check_maps(self, in_channels: tuple[int, ...]) -> None:
        strides, out = self.in_strides, self.out_stride
        if not strides or len(in_channels) != len(strides):
            raise ValueError(
                'in_channels and in_strides must be of the same maps, at '
                f'least one, not {in_channels} and {strides}')
        if len(set(strides)) < len(strides) or any(
                max(each, out) % min(each, out) for each in strides):
            raise ValueError(
                f'in_strides must differ, and be multiples of out_stride {out}'
                f' or divide it, not {strides}')
        if self.prior_generator.strides != [(out, out)]:
            raise ValueError('the prior generator has stride '
                             f'{self.prior_generator.strides[0][0]} and the '
                             f'head {out}: leave out the stride of the former')

    def _predictor(self, channels: int, stride: int) -> nn.Conv2d:
        """Of a map, at zero."""
        conv = nn.Conv2d(
            channels,
            BLOCKS * self.num_templates,
            1,
            stride=max(1, self.out_stride // stride))
        nn.init.zeros_(conv.weight)
        nn.init.zeros_(conv.bias)
        return conv

    def forward(self,
                x: Sequence[Tensor],
                input_shape: tuple[int, int] | None = None,
                templates: Tensor | None = None,
                regress: bool = True) -> tuple[Tensor, Tensor]:
        """Raw output at each cell.

        Args:
            x: Maps of shape (B, c, H, W), in the order of ``in_strides``.
            input_shape: Height and width of the network's input in pixels.
                Only a head on coarser maps alone needs it, and without it
                gives a cell more on an axis where these end behind the input.
            templates: Indices of those to compute, (n, ) int64; all by
                default.
            regress: Whether to compute deltas.

        Returns:
            tuple: Logits (B, n, H, W), and deltas (B, 4n, H, W): tx of all
            templates, then ty, tw and th; without ``regress``
            (B, 0, H, W).

        Raises:
            ValueError: The backbone gives more or fewer maps.
        """
        if len(x) != len(self.in_strides):
            raise ValueError(
                f'there are {len(x)} maps, but in_strides are '
                f'{self.in_strides}: check out_indices of the backbone')
        number = self.num_templates if templates is None else len(templates)
        if not number:
            empty = x[0].new_zeros(len(x[0]), 0, 1, 1)
            return empty, empty
        rows = self._rows(templates, regress)
        maps = [
            self._predict_map(*each, rows)
            for each in zip(x, self.predictors.values(), self.in_strides)
        ]
        sides = [each.shape[-2:] for each in maps]
        if input_shape is not None:
            sides.append([-(-side // self.out_stride) for side in input_shape])
        height, width = (min(side) for side in zip(*sides))
        total, *others = (each[..., :height, :width] for each in maps)
        for other in others:
            total = total + other
        return total[:, :number], total[:, number:]

    def priors_at(self, windows: Tensor, featmap_size: tuple[int,
                                                             int]) -> Tensor:
        """Some of the priors.

        Args:
            windows: Numbers of them, template by template and then row by
                row: ``(template * H + y) * W + x``, (m, ) int64.
            featmap_size: (H, W).

        Returns:
            Tensor: (m, 4) xyxy float32 in pixels of the input.
        """
        height, width = featmap_size
        cells = torch.stack([windows % width, windows // width % height], 1)
        first = self.prior_generator.base_anchors[0].to(windows.device)
        return (first[windows // (height * width)] +
                self.out_stride * cells.repeat(1, 2))

    def _rows(self, templates: Tensor | None, regress: bool) -> Tensor | None:
        """Output channels to compute; None for all."""
        if templates is None and regress:
            return None
        if templates is None:
            templates = torch.arange(self.num_templates)
        blocks = torch.arange(BLOCKS if regress else 1)
        return (blocks[:, None] * self.num_templates + templates).flatten()

    def _predict_map(self, x: Tensor, conv: nn.Conv2d, stride: int,
                     rows: Tensor | None) -> Tensor:
        """What one map says, at ``out_stride``."""
        if rows is None:
            out = conv(x)
        else:
            rows = rows.to(conv.weight.device)
            out = F.conv2d(x, conv.weight[rows], conv.bias[rows], conv.stride)
        factor = stride // self.out_stride
        if factor > 1:
            out = F.interpolate(
                out, scale_factor=factor, mode='bilinear', align_corners=False)
        return out
