"""A detector's own features at the places of its detections."""
import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from mmdet.registry import TASK_UTILS
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import get_box_tensor
from torch import Tensor, nn

DEFAULT_LEVEL_SCALE = 4.
"""For detectors without anchors; that of RetinaNet's smallest anchors."""


class FeaturePyramid(NamedTuple):
    """What one submodule gave for one picture.

    Attributes:
        maps: One (channels, height, width) tensor per level.
        input_shape: Height and width of the network's input, padding
            included.
    """

    maps: list[Tensor]
    input_shape: tuple[int, int]

    @property
    def strides(self) -> list[int]:
        """Input pixels per cell of each level: powers of two.

        A map has about input / stride cells a side, rounded up or down by
        its convolutions, so that the power nearest to the quotient is meant.
        """
        return [
            2**round(
                math.log2(
                    max(whole / cells for whole, cells in zip(
                        self.input_shape, level.shape[-2:]))))
            for level in self.maps
        ]


@TASK_UTILS.register_module()
class FeatureSampler:
    """Read a feature vector at the centre of each detected box.

    The vector is bilinearly interpolated on one level, the one whose stride
    times ``level_scale`` is closest (as a ratio) to the square root of the
    box's area: with the anchors' size in strides as ``level_scale`` that is
    about the level that detected the face. Boxes are in pixels of the
    original picture and are brought to the network's input by
    ``scale_factor`` of the data sample; padding lies to the right and below
    and moves nothing; boxes and features of a mirrored picture are both
    mirrored.

    As a step of :class:`~tinyfaces.models.PostProcessedDetector` it sets
    ``pred_instances.features``, shape (n, channels).

    Args:
        source: Submodule of the detector whose output is read: ``neck`` or
            ``backbone``.
        level_scale: Size of a face in strides of its level; see
            :func:`anchor_scale`.

    Raises:
        ValueError: ``level_scale`` is not above 0.
    """

    def __init__(self,
                 source: str = 'neck',
                 level_scale: float = DEFAULT_LEVEL_SCALE) -> None:
        if not level_scale > 0:
            raise ValueError(f'level_scale is {level_scale}; give a number '
                             'above 0')
        self.feature_source = source
        self.level_scale = level_scale

    def __call__(self, data_sample: DetDataSample,
                 pyramid: FeaturePyramid) -> None:
        """Set ``pred_instances.features``."""
        data_sample.pred_instances.features = self.sample(data_sample, pyramid)

    def sample(self, data_sample: DetDataSample,
               pyramid: FeaturePyramid) -> Tensor:
        """Read the features of a picture's detections.

        Args:
            data_sample: Has ``pred_instances.bboxes`` (n, 4) in pixels of
                the original picture, and ``scale_factor`` (x, y) unless the
                picture was not resized.
            pyramid: What :attr:`feature_source` gave for this picture.

        Returns:
            Tensor: float32 of shape (n, channels).

        Raises:
            ValueError: The levels differ in their numbers of channels.
        """
        channels = {len(level) for level in pyramid.maps}
        if len(channels) > 1:
            raise ValueError(
                f'the levels of the {self.feature_source} have '
                f'{sorted(channels)} channels, but a regressor needs equal '
                'ones; use source="neck"')
        boxes = get_box_tensor(data_sample.pred_instances.bboxes).float()
        factor = data_sample.metainfo.get('scale_factor', (1., 1.))
        boxes = boxes * boxes.new_tensor(factor[:2]).repeat(2)
        strides = boxes.new_tensor(pyramid.strides)
        sides = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1e-3)
        wanted = sides.log().mean(dim=1, keepdim=True)
        level = (wanted -
                 (strides * self.level_scale).log()).abs().argmin(dim=1)
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        features = boxes.new_zeros((len(boxes), channels.pop()))
        for number, feature_map in enumerate(pyramid.maps):
            chosen = level == number
            if not chosen.any():
                continue
            # In grid_sample's coordinates the outer edges of the map are
            # -1 and 1, and cell i reaches from pixel i * stride to the next.
            cells = boxes.new_tensor(feature_map.shape[:0:-1])
            grid = centres[chosen] / strides[number] / cells * 2 - 1
            features[chosen] = F.grid_sample(
                feature_map[None].float(),
                grid[None, None],
                padding_mode='border',
                align_corners=False)[0, :, 0].T
        return features


def anchor_scale(detector: nn.Module) -> float:
    """The size of a detector's anchors in strides, as ``level_scale``.

    Args:
        detector: Has ``bbox_head`` or ``rpn_head`` with an
            ``AnchorGenerator``.

    Returns:
        float: Geometric mean over all anchors of sqrt(area) / stride;
        :data:`DEFAULT_LEVEL_SCALE` for a detector without anchors.
    """
    for name in ('bbox_head', 'rpn_head'):
        generator = getattr(
            getattr(detector, name, None), 'prior_generator', None)
        anchors = getattr(generator, 'base_anchors', None)
        if anchors:
            logs = [(boxes[:, 2:] - boxes[:, :2]).log().mean(dim=1) -
                    math.log(math.sqrt(stride[0] * stride[1]))
                    for boxes, stride in zip(anchors, generator.strides)]
            return math.exp(torch.cat(logs).mean().item())
    return DEFAULT_LEVEL_SCALE
