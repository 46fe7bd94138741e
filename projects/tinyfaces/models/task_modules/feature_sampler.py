"""A detector's own features at the places of its detections."""
import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from mmdet.registry import TASK_UTILS
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import get_box_tensor
from torch import Tensor, nn

from tinyfaces.ellipses import FeatureSampling

DEFAULT_LEVEL_SCALE = 4.
"""For detectors without anchors; that of RetinaNet's smallest anchors."""


class Priors(NamedTuple):
    """Which place in the input each cell of the maps stands for.

    Attributes:
        strides: Input pixels (x, y) per cell of each level.
        centres: Centre (x, y) of the first cell of each level, in input
            pixels.
    """

    strides: list[tuple[float, float]]
    centres: list[tuple[float, float]]


class FeaturePyramid(NamedTuple):
    """What one submodule gave for one picture.

    Attributes:
        maps: One (channels, height, width) tensor per level.
        input_shape: Height and width of the network's input, padding
            included.
        priors: Where the cells lie; None if nothing tells.
    """

    maps: list[Tensor]
    input_shape: tuple[int, int]
    priors: Priors | None = None

    @property
    def strides(self) -> list[tuple[float, float]]:
        """Input pixels (x, y) per cell of each level.

        Those of the priors, or else powers of two: a map has about input /
        stride cells a side, rounded up or down by its convolutions, so that
        the power nearest to the quotient is meant.
        """
        if self.priors is not None:
            return self.priors.strides
        powers = [
            2.**round(
                math.log2(
                    max(whole / cells for whole, cells in zip(
                        self.input_shape, level.shape[-2:]))))
            for level in self.maps
        ]
        return [(stride, stride) for stride in powers]

    @property
    def centres(self) -> list[tuple[float, float]]:
        """Centre (x, y) of the first cell of each level, in input pixels.

        That of the priors, or else half a stride.
        """
        if self.priors is not None:
            return self.priors.centres
        return [(x / 2, y / 2) for x, y in self.strides]


@TASK_UTILS.register_module()
class FeatureSampler:
    """Read a feature vector at the centre of each detected box.

    The vector is bilinearly interpolated on one level, the one whose stride
    times ``level_scale`` is closest (as a ratio) to the square root of the
    box's area: with the anchors' size in strides as ``level_scale`` that is
    about the level that detected the face. With ``all_levels`` it is
    interpolated on every level, and these vectors stand one behind the other:
    the foveal descriptor of "Finding Tiny Faces", of which the scores and
    boxes of a :class:`~tinyfaces.models.TemplateHead` are linear functions.

    Where cells lie is told by ``prior_generator`` of the head; without one,
    by the sizes of the maps (see :class:`FeaturePyramid`). Boxes are in
    pixels of the original picture and are brought to the network's input by
    ``scale_factor`` of the data sample; padding lies to the right and below
    and moves nothing.

    As a step of :class:`~tinyfaces.models.PostProcessedDetector` it sets
    ``pred_instances.features``, shape (n, channels).

    Args:
        source: Submodule of the detector whose output is read: ``neck`` or
            ``backbone``.
        level_scale: Size of a face in strides of its level; see
            :func:`anchor_scale`.
        all_levels: Read all levels; ``level_scale`` has no effect.

    Raises:
        ValueError: ``level_scale`` is not above 0.
    """

    def __init__(self,
                 source: str = 'neck',
                 level_scale: float = DEFAULT_LEVEL_SCALE,
                 all_levels: bool = False) -> None:
        if not level_scale > 0:
            raise ValueError(f'level_scale is {level_scale}; give a number '
                             'above 0')
        self.feature_source = source
        self.level_scale = level_scale
        self.all_levels = all_levels

    @property
    def sampling(self) -> FeatureSampling:
        """The arguments."""
        return FeatureSampling(self.feature_source, self.level_scale,
                               self.all_levels)

    def __call__(self,
                 data_sample: DetDataSample,
                 pyramid: FeaturePyramid | None = None) -> None:
        """Set ``pred_instances.features``.

        Without a pyramid they have been set: they are those of the view of
        the picture that a detection comes from.
        """
        data_sample.pred_instances.features = self.sample(data_sample, pyramid)

    def sample(self, data_sample: DetDataSample,
               pyramid: FeaturePyramid | None) -> Tensor:
        """Read the features of a picture's detections.

        Args:
            data_sample: Has ``pred_instances.bboxes`` (n, 4) in pixels of
                the original picture, and ``scale_factor`` (x, y) unless the
                picture was not resized.
            pyramid: What :attr:`feature_source` gave for this picture. None
                for detections that have their features, or if there are none.

        Returns:
            Tensor: float32 of shape (n, channels); with ``all_levels`` the
            channels are those of the first level, then of the second one...

        Raises:
            ValueError: The levels differ in their numbers of channels and
                one of them is to be read; or the picture is mirrored, so that
                the features are of mirrored faces.
        """
        instances = data_sample.pred_instances
        if pyramid is None:
            if len(instances) == 0:
                return instances.bboxes.new_zeros((0, 0))
            return instances.features
        if data_sample.metainfo.get('flip'):
            raise ValueError(
                'features are read in a mirrored picture, and say of each '
                'face what is true of its mirror image; leave mirrored views '
                'out of the test')
        channels = {len(level) for level in pyramid.maps}
        if len(channels) > 1 and not self.all_levels:
            raise ValueError(
                f'the levels of the {self.feature_source} have '
                f'{sorted(channels)} channels, but a regressor needs equal '
                'ones; use source="neck", or all_levels=True')
        boxes = get_box_tensor(instances.bboxes).float()
        factor = data_sample.metainfo.get('scale_factor', (1., 1.))
        boxes = boxes * boxes.new_tensor(factor[:2]).repeat(2)
        strides = boxes.new_tensor(pyramid.strides)
        first = boxes.new_tensor(pyramid.centres)
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        if self.all_levels:
            return torch.cat([
                _interpolate(level, (centres - start) / stride)
                for level, start, stride in zip(pyramid.maps, first, strides)
            ],
                             dim=1)
        scales = strides.log().mean(dim=1) + math.log(self.level_scale)
        sides = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1e-3)
        wanted = sides.log().mean(dim=1, keepdim=True)
        level = (wanted - scales).abs().argmin(dim=1)
        features = boxes.new_zeros((len(boxes), channels.pop()))
        for number, feature_map in enumerate(pyramid.maps):
            chosen = level == number
            if chosen.any():
                features[chosen] = _interpolate(
                    feature_map,
                    (centres[chosen] - first[number]) / strides[number])
        return features


def _interpolate(feature_map: Tensor, places: Tensor) -> Tensor:
    """Read a (channels, height, width) map; (n, channels) float32.

    Places are (n, 2), x and y in cells; 0 is the centre of the first one, and
    what lies outside counts as the border.
    """
    # In grid_sample's coordinates the outer edges of the map are -1 and 1,
    # and half a cell lies between an edge and a centre.
    cells = places.new_tensor(feature_map.shape[:0:-1])
    grid = (places + .5) / cells * 2 - 1
    return F.grid_sample(
        feature_map[None].float(),
        grid[None, None],
        padding_mode='border',
        align_corners=False)[0, :, 0].T


def anchor_scale(detector: nn.Module) -> float:
    """The size of a detector's anchors in strides, as ``level_scale``.

    Args:
        detector: Has ``bbox_head`` or ``rpn_head`` with an
            ``AnchorGenerator``.

    Returns:
        float: Geometric mean over all anchors of sqrt(area) / stride;
        :data:`DEFAULT_LEVEL_SCALE` for a detector without anchors.
    """
    generator = getattr(_head(detector), 'prior_generator', None)
    anchors = getattr(generator, 'base_anchors', None)
    if not anchors:
        return DEFAULT_LEVEL_SCALE
    logs = [(boxes[:, 2:] - boxes[:, :2]).log().mean(dim=1) -
            math.log(math.sqrt(stride[0] * stride[1]))
            for boxes, stride in zip(anchors, generator.strides)]
    return math.exp(torch.cat(logs).mean().item())


def priors_of(detector: nn.Module, num_levels: int) -> Priors | None:
    """Where a detector's head says that the cells of the maps it reads lie.

    A head with ``in_strides`` reads maps of several strides for one grid of
    priors: it enlarges the coarser ones (bilinearly, ``align_corners=False``:
    edges on edges, not centres on centres) and takes every second, fourth,
    ... cell of the finer ones, from the first one on.

    Args:
        detector: May have ``bbox_head`` or ``rpn_head`` with a
            ``prior_generator`` of anchors or points.
        num_levels: Levels of the maps.

    Returns:
        Priors | None: None for a detector without, or with another number
        of levels.
    """
    head = _head(detector)
    strides = getattr(getattr(head, 'prior_generator', None), 'strides', None)
    if strides is None:
        return None
    in_strides = getattr(head, 'in_strides', None)
    if len(in_strides or strides) != num_levels:
        return None
    priors = _priors(head.prior_generator)
    if in_strides is None:
        return priors
    (grid, ), (first, ) = priors
    return Priors([(float(stride), float(stride)) for stride in in_strides], [
        tuple(at + max(stride - cell, 0) / 2 for at, cell in zip(first, grid))
        for stride in in_strides
    ])


def _priors(generator) -> Priors:
    """Strides of a prior generator's levels, and centres of first cells."""
    strides = [(float(x), float(y)) for x, y in generator.strides]
    anchors = getattr(generator, 'base_anchors', None)
    if anchors:
        # All are centred at center_offset, or at centers of their own.
        corners = [boxes.mean(dim=0).tolist() for boxes in anchors]
        return Priors(strides, [((x1 + x2) / 2, (y1 + y2) / 2)
                                for x1, y1, x2, y2 in corners])
    offset = getattr(generator, 'offset', .5)
    return Priors(strides, [(x * offset, y * offset) for x, y in strides])


def _head(detector: nn.Module) -> nn.Module | None:
    """The head with priors over the neck, or None."""
    for name in ('bbox_head', 'rpn_head'):
        head = getattr(detector, name, None)
        if getattr(head, 'prior_generator', None) is not None:
            return head
    return None
