"""Add harvested false positives to a sample."""
import os
import zlib

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import HorizontalBoxes, autocast_box_type

from ..hard_negative_file import HardNegatives, read_hard_negatives

# Annotations with one item per box that hard negatives do not have.
_PER_BOX = ('gt_masks', 'gt_instances_ids', 'gt_keypoints')


@TRANSFORMS.register_module()
class LoadHardNegatives(BaseTransform):
    """Put a picture's hard negatives among its boxes.

    "Bootstrapping Face Detection with Hard Negative Examples", section 3.2.
    Place it right behind ``LoadAnnotations``, before anything that changes
    the picture's geometry, and ``PackHardNegativeInputs`` in place of
    ``PackDetInputs`` at the end, which takes them out again. In between every
    transform treats them as boxes of ignored objects, so they follow the
    picture as the faces do. Number i of the picture has the label
    :func:`first_label` - i, by which it is told from a face, and from another
    picture's, and found in ``hard_negative_scores``. A picture that the file
    does not know has none.

    The flags are of a type that ``PackDetInputs`` refuses. A transform that
    makes them anew, as ``Albu`` does, takes this away: behind it nothing but
    the sampler's warning tells of a pack transform that was not replaced.

    Transforms that look at boxes whether ignored or not, as MMDetection's
    ``RandomCrop`` does for a crop with any box, look at these too. Those that
    mix several pictures, such as ``Mosaic``, are not supported.

    Required Keys:

    - img_id
    - img_shape
    - gt_bboxes (BaseBoxes[torch.float32])
    - gt_bboxes_labels (np.int64)
    - gt_ignore_flags (bool)

    Modified Keys:

    - gt_bboxes
    - gt_bboxes_labels
    - gt_ignore_flags

    Added Keys:

    - hard_negative_scores (np.float32)

    Args:
        ann_file: The file of ``tools/harvest_hard_negatives.py``. It is read
            at once, when the pipeline is built.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A line of it is malformed.
    """

    def __init__(self, ann_file: str | os.PathLike) -> None:
        self.ann_file = os.fspath(ann_file)
        self._entries = read_hard_negatives(ann_file)

    @autocast_box_type()
    def transform(self, results: dict) -> dict:
        """Append the hard negatives to the boxes.

        Args:
            results (dict): Result dict of the pipeline; boxes (n, 4).

        Returns:
            dict: The same dict; boxes (n + hard negatives, 4).

        Raises:
            ValueError: The picture has another size than the file says, or
                the sample has annotations that hard negatives lack, or hard
                negatives already.
        """
        self._check(results)
        entry = self._entries.get(results['img_id'])
        if entry is None:
            entry = HardNegatives(
                np.empty((0, 4), np.float32), np.empty(0, np.float32),
                *results['img_shape'][1::-1])
        self._check_size(results, entry)
        faces = results['gt_bboxes']
        number = len(entry.boxes)
        boxes = HorizontalBoxes(entry.boxes).convert_to(type(faces))
        results['gt_bboxes'] = faces.cat([faces, boxes])
        results['gt_bboxes_labels'] = np.concatenate([
            results['gt_bboxes_labels'],
            first_label(results['img_id']) - np.arange(number)
        ])
        results['gt_ignore_flags'] = np.concatenate(
            [results['gt_ignore_flags'],
             np.ones(number, bool)]).view(_FlagsWithHardNegatives)
        results['hard_negative_scores'] = entry.scores
        return results

    def _check(self, results: dict) -> None:
        """Raise if the sample cannot take hard negatives."""
        if 'hard_negative_scores' in results:
            raise ValueError(
                f'{self.ann_file}: the sample has hard negatives already; '
                'leave one LoadHardNegatives in the pipeline')
        for key in _PER_BOX:
            if results.get(key) is not None:
                raise ValueError(f'{self.ann_file}: hard negatives have no '
                                 f'{key}; leave them out of LoadAnnotations')

    def _check_size(self, results: dict, entry: HardNegatives) -> None:
        """Raise unless the picture is as large as the harvested one."""
        height, width = results['img_shape'][:2]
        if (width, height) != (entry.width, entry.height):
            raise ValueError(
                f'{self.ann_file}: picture {results["img_id"]!r} is '
                f'{entry.width} x {entry.height} pixels there, and {width} x '
                f'{height} here. Place LoadHardNegatives right behind '
                'LoadAnnotations, or harvest again with the pictures at hand')

    def __repr__(self) -> str:
        return f'{type(self).__name__}(ann_file={self.ann_file!r})'


def first_label(img_id: str | int) -> int:
    """Label of a picture's first hard negative; those after it count down.

    It is made of the picture's name, so that hard negatives of two pictures
    are hardly ever mistaken for one another's. It is below 0, and exact in
    float32, in which some transforms hold labels.
    """
    return -1 - zlib.crc32(str(img_id).encode()) % 2**23


class _FlagsWithHardNegatives(np.ndarray):
    """Ignore flags that ``PackDetInputs`` cannot read.

    It tells faces from ignored ones by ``flags == 0``, and would turn hard
    negatives into ignored regions, without a word. Selecting from the flags
    and joining them with others keeps the type.
    """
    __array_priority__ = 1.  # that np.concatenate keeps it

    def __eq__(self, other: object) -> np.ndarray:
        raise TypeError(
            'the boxes hold hard negatives of LoadHardNegatives, which are to '
            'be taken out first: put PackHardNegativeInputs in place of '
            'PackDetInputs at the end of the pipeline')
