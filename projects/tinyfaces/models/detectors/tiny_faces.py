"""Detector of Finding Tiny Faces."""
from math import lcm

from mmdet.models.detectors import SingleStageDetector
from mmdet.registry import MODELS
from mmdet.structures import OptSampleList, SampleList
from mmdet.utils import ConfigType, OptConfigType, OptMultiConfig
from torch import Tensor

from ..layers.receptive_field import ReceptiveField, receptive_fields
from .tiled_forward import tiled_forward

TILING = dict(max_pixels=2500 * 2500, tile=2048, halo=None)
STEP = 16


@MODELS.register_module()
class TinyFaces(SingleStageDetector):
    """Detector of "Finding Tiny Faces" (Hu and Ramanan, CVPR 2017).

    A backbone and a :class:`TemplateHead` on some of its maps, at one
    scale of a picture; :class:`MultiScaleTestModel` has the pyramid.

    A large picture goes through the network in tiles, so that memory does not
    grow with it; the maps of scores and boxes, which are small, are stitched,
    and detections are those of the whole picture. The tiles overlap by what
    the network looks at.

    Args:
        backbone: Its maps have the head's ``in_strides``.
        bbox_head: A TemplateHead.
        neck: None in the paper.
        train_cfg: The head's.
        test_cfg: The head's. With ``group_outputs=True`` each data sample
            also has ``group_pred_instances``: ``'A'`` and ``'B'``, the
            detections of the templates of that role alone.
        tiling: ``max_pixels`` (2,500 x 2,500) of an input that is not tiled;
            ``tile`` (2,048), the side of a tile in pixels, halos included;
            and ``halo``, pixels that a tile sees beyond what is kept of it.
            By default that is how far the network looks from a cell (see
            :attr:`receptive_field`), rounded up to whole strides; with less,
            detections near the seams differ. None for no tiles at all.
        data_preprocessor: As in SingleStageDetector.
        init_cfg: As in SingleStageDetector.

    Raises:
        ValueError: ``tiling`` has another key or a number out of range.
    """

    def __init__(self,
                 backbone: ConfigType,
                 bbox_head: ConfigType,
                 neck: OptConfigType = None,
                 train_cfg: OptConfigType = None,
                 test_cfg: OptConfigType = None,
                 tiling: dict | None = TILING,
                 data_preprocessor: OptConfigType = None,
                 init_cfg: OptMultiConfig = None) -> None:
        super().__init__(
            backbone=backbone,
            neck=neck,
            bbox_head=bbox_head,
            train_cfg=train_cfg,
            test_cfg=test_cfg,
            data_preprocessor=data_preprocessor,
            init_cfg=init_cfg)
        self.tiling = None if tiling is None else {**TILING, **tiling}
        if tiling is not None and (set(self.tiling) != set(TILING)
                                   or self.tiling['max_pixels'] < 1
                                   or self.tiling['tile'] < 1 or
                                   (self.tiling['halo'] or 0) < 0):
            raise ValueError(
                'tiling is None or has max_pixels and tile, at least 1, and '
                f'halo, None or at least 0, but is {dict(tiling)}')
        self._receptive_field = None

    @property
    def receptive_field(self) -> ReceptiveField:
        """Theoretical one of a cell of the head's maps.

        Raises:
            ValueError: It may be the whole picture, or is not known.
        """
        if self._receptive_field is None:
            self._receptive_field, = receptive_fields(
                self, lambda twin, picture: twin._forward(picture)[:1])
        return self._receptive_field

    def predict(self,
                batch_inputs: Tensor,
                batch_data_samples: SampleList,
                rescale: bool = True) -> SampleList:
        """Detect in each picture.

        Args:
            batch_inputs: Shape (B, 3, H, W).
            batch_data_samples: Tell of each picture.
            rescale: Whether boxes are in pixels of the original picture.

        Returns:
            list[DetDataSample]: The given ones, with ``pred_instances``
            (``bboxes``, ``scores``, ``labels``, ``templates``) and, if asked
            for, ``group_pred_instances``.
        """
        head = self.bbox_head
        metas = [sample.metainfo for sample in batch_data_samples]
        templates = head.needed_templates(metas)
        candidates = head.candidates_by_feat(
            *self._predict_maps(batch_inputs, templates),
            metas,
            rescale=rescale,
            templates=templates)
        if (head.test_cfg or {}).get('group_outputs', False):
            for sample, found in zip(batch_data_samples, candidates):
                sample.group_pred_instances = head.finish_by_role(found)
        return self.add_pred_to_datasample(
            batch_data_samples, [head.finish(found) for found in candidates])

    def _predict_maps(self, inputs: Tensor,
                      templates: Tensor) -> tuple[Tensor, ...]:
        """The head's maps of some templates, in tiles if need be."""
        if not len(templates):
            empty = inputs.new_zeros(len(inputs), 0, 1, 1)
            return empty, empty
        if self.tiling is None or (inputs.shape[-2] * inputs.shape[-1]
                                   <= self.tiling['max_pixels']):
            return self._maps(inputs, templates)
        head, halo = self.bbox_head, self.tiling['halo']
        step = lcm(STEP, head.out_stride, *head.in_strides)
        if halo is None:
            halo = self.receptive_field.reach
            step = lcm(step, self.receptive_field.coarsest)
        return tiled_forward(lambda tile: self._maps(tile, templates), inputs,
                             self.tiling['tile'], halo, step, head.out_stride)

    def _maps(self, inputs: Tensor, templates: Tensor) -> tuple[Tensor, ...]:
        """The head's maps of some templates."""
        return self.bbox_head.predict_maps(
            self.extract_feat(inputs), tuple(inputs.shape[-2:]), templates)

    def _forward(
            self,
            batch_inputs: Tensor,
            batch_data_samples: OptSampleList = None) -> tuple[Tensor, Tensor]:
        """Raw output of the head, of all templates and without tiles.

        Args:
            batch_inputs: Shape (B, 3, H, W).
            batch_data_samples: Not used.
        """
        return self.bbox_head(
            self.extract_feat(batch_inputs), tuple(batch_inputs.shape[-2:]))
