"""Pack a sample with its hard negatives."""
import numpy as np
import torch
from mmdet.datasets.transforms import PackDetInputs
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import (HorizontalBoxes, autocast_box_type,
                                   bbox_overlaps)
from torch import Tensor

from .load_hard_negatives import first_label

# From this IoU with a face on, a box is a detection of it (section 3.2).
_MAX_FACE_IOU = .5


@TRANSFORMS.register_module()
class PackHardNegativeInputs(PackDetInputs):
    """``PackDetInputs`` for a pipeline with ``LoadHardNegatives``.

    Faces and ignored faces are packed as without hard negatives. These go
    into the meta information of ``gt_instances``, which MMDetection hands to
    the samplers of all heads: ``hard_negatives`` (n, 4) float32, xyxy in
    pixels of the network's input, and ``hard_negative_scores`` (n, ), in the
    order of the file. Batch augmentations that resize pictures later, such as
    ``BatchSyncRandomResize``, do not move them.

    Args:
        ignore_iof_thr: A hard negative of which more than this part lies in
            one ignored face is left out, by the rule of MMDetection's
            assigner: nobody knows whether it is a face. It is applied here
            since samplers are not told of ignored faces, and to the ignored
            faces that the augmentation left. 0 or less keeps all but those
            of an IoU of .5 or more with one, which are detections of it
            (section 3.2 of the paper) and are always left out.
        **kwargs: Of ``PackDetInputs``.
    """

    def __init__(self, ignore_iof_thr: float = .5, **kwargs) -> None:
        super().__init__(**kwargs)
        self.ignore_iof_thr = ignore_iof_thr

    @autocast_box_type()
    def transform(self, results: dict) -> dict:
        """Take out the hard negatives and pack.

        Args:
            results (dict): Result dict of the pipeline.

        Returns:
            dict: ``inputs`` and ``data_samples``, see ``PackDetInputs``.

        Raises:
            ValueError: There was no ``LoadHardNegatives``, or hard negatives
                of several pictures are mixed.
        """
        if 'hard_negative_scores' not in results:
            raise ValueError(
                'the sample has no hard negatives to pack: put '
                'LoadHardNegatives behind LoadAnnotations, or PackDetInputs '
                'in place of PackHardNegativeInputs')
        labels = results['gt_bboxes_labels']
        hard = labels < 0
        numbers = first_label(results['img_id']) - labels[hard]
        scores = results['hard_negative_scores']
        _check_numbers(numbers, len(scores))
        boxes = results['gt_bboxes']
        flags = results['gt_ignore_flags'].view(np.ndarray)
        packed = super().transform(
            dict(
                results,
                gt_bboxes=boxes[~hard],
                gt_bboxes_labels=labels[~hard],
                gt_ignore_flags=flags[~hard]))
        negatives = _xyxy(boxes[hard])
        kept = ~self._in_ignored(negatives, _xyxy(boxes[~hard & flags]))
        packed['data_samples'].gt_instances.set_metainfo(
            dict(
                hard_negatives=negatives[kept],
                hard_negative_scores=torch.from_numpy(scores[numbers])[kept]))
        return packed

    def _in_ignored(self, boxes: Tensor, ignored: Tensor) -> Tensor:
        """Which boxes (n, 4) lie in a face of (m, 4), (n, ) bool."""
        found = bbox_overlaps(boxes, ignored) >= _MAX_FACE_IOU
        if self.ignore_iof_thr > 0:
            overlaps = bbox_overlaps(boxes, ignored, mode='iof')
            found |= overlaps > self.ignore_iof_thr
        return found.any(dim=1)

    def __repr__(self) -> str:
        return (f'{type(self).__name__}(ignore_iof_thr={self.ignore_iof_thr}, '
                f'meta_keys={self.meta_keys})')


def _check_numbers(numbers: np.ndarray, count: int) -> None:
    """Raise unless these are of one picture with so many hard negatives."""
    if len(np.unique(numbers)) < len(numbers) or ((numbers < 0) |
                                                  (numbers >= count)).any():
        raise ValueError(
            'the sample has hard negatives of several pictures: take the '
            'transform that mixes pictures (Mosaic, MixUp, ...) out of '
            'the pipeline, which does not go with LoadHardNegatives')


def _xyxy(boxes) -> Tensor:
    """Boxes of any type as (n, 4)."""
    return boxes.convert_to(HorizontalBoxes).tensor
