"""The square crops on which RefineFace and its relatives are trained."""
from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import autocast_box_type

from .crop_parts import refuse_masks, select_faces, shift_homography


@TRANSFORMS.register_module()
class RandomSquareCrop(BaseTransform):
    """Crop a square whose side is a fraction of the picture's shorter side.

    RefineFace, section 3.6, "Data Augmentation", step 3: of two square
    patches, one as large as the shorter side and one of [0.5, 1] of it, one
    is picked at random. The position is uniform.

    A face stays if its centre lies inside the patch (the rule of the SSD and
    S3FD family; the paper is silent) and is clipped to it. What remains of a
    face whose centre lies outside is ignored, so that half a face is neither
    a target nor background; ``cut_faces='drop'`` makes it background, as
    that family does.

    A patch without any face to train on (centre inside and not ignored) is
    drawn again, up to ``max_tries`` times. If all fail, the last patch is
    used if ``allow_negative_crop``; otherwise the transform returns None and
    the dataset takes another picture, as with MMDetection's ``RandomCrop``.

    Required Keys:

    - img
    - gt_bboxes (BaseBoxes[torch.float32]) (optional)
    - gt_bboxes_labels (np.int64) (optional)
    - gt_ignore_flags (bool) (optional)
    - gt_instances_ids (optional)

    Modified Keys: the same, and

    - img_shape

    Added Keys:

    - homography_matrix
    - gt_ignore_flags (if there was none)

    Args:
        ratios: Sides of the patches to pick from, as fractions of the shorter
            side: numbers in (0, 1], or (low, high) pairs of them for a
            uniformly random one. Defaults to the paper's
            ``(1.0, (0.5, 1.0))``.
        cut_faces: ``'ignore'`` or ``'drop'``, see above.
        allow_negative_crop: See above. Needed to train on pictures without
            faces. Defaults to False.
        max_tries: How many patches to draw at most. Defaults to 50.

    Raises:
        ValueError: An argument has a value outside of its range.
    """

    def __init__(self,
                 ratios: Sequence[float | Sequence[float]] = (1.0, (0.5, 1.0)),
                 cut_faces: str = 'ignore',
                 allow_negative_crop: bool = False,
                 max_tries: int = 50) -> None:
        self.ratios = [
            tuple(ratio) if isinstance(ratio, Sequence) else (ratio, ratio)
            for ratio in ratios
        ]
        if not self.ratios or not all(
                len(pair) == 2 and 0 < pair[0] <= pair[1] <= 1
                for pair in self.ratios):
            raise ValueError('ratios must hold numbers in (0, 1], or pairs '
                             f'(low, high) of them, not {ratios}')
        if cut_faces not in ('ignore', 'drop'):
            raise ValueError(
                f"cut_faces must be 'ignore' or 'drop', not {cut_faces!r}")
        if max_tries < 1:
            raise ValueError(f'max_tries must be at least 1, not {max_tries}')
        self.cut_faces = cut_faces
        self.allow_negative_crop = allow_negative_crop
        self.max_tries = max_tries

    @autocast_box_type()
    def transform(self, results: dict) -> dict | None:
        """Crop the picture and its faces.

        Args:
            results (dict): Result dict of the pipeline; img (h, w) or
                (h, w, c), boxes (n, 4).

        Returns:
            dict | None: The same dict; None if no patch had a face.

        Raises:
            ValueError: The sample has masks or a segmentation map.
        """
        refuse_masks(self, results)
        height, width = results['img'].shape[:2]
        patch = self._random_patch(height, width, self._targets(results))
        if patch is None:
            return None
        left, top, side = patch
        image = results['img'][top:top + side, left:left + side]
        results['img'] = image
        results['img_shape'] = image.shape[:2]
        shift_homography(results, left, top)
        if results.get('gt_bboxes') is not None:
            self._crop_faces(results, left, top, side)
        return results

    def _targets(self, results: dict) -> np.ndarray | None:
        """Centres (n, 2) of faces to train on; None without annotations."""
        if results.get('gt_bboxes') is None:
            return None
        centres = results['gt_bboxes'].centers.numpy()
        ignored = results.get('gt_ignore_flags')
        return centres if ignored is None else centres[~ignored]

    @cache_randomness
    def _random_patch(
            self, height: int, width: int,
            centres: np.ndarray | None) -> tuple[int, int, int] | None:
        """Draw (left, top, side); None if ``max_tries`` patches were empty."""
        for _ in range(self.max_tries):
            low, high = self.ratios[np.random.randint(len(self.ratios))]
            ratio = np.random.uniform(low, high)
            side = max(1, int(ratio * min(height, width) + 0.5))
            left = np.random.randint(width - side + 1)
            top = np.random.randint(height - side + 1)
            if centres is None or _inside(centres, left, top, side).any():
                return left, top, side
        return (left, top, side) if self.allow_negative_crop else None

    def _crop_faces(self, results: dict, left: int, top: int,
                    side: int) -> None:
        """Shift, clip and select the faces, in place."""
        boxes = results['gt_bboxes']
        inside = _inside(boxes.centers.numpy(), left, top, side)
        boxes.translate_([-left, -top])
        boxes.clip_((side, side))
        keep = inside
        if self.cut_faces == 'ignore':
            visible = (boxes.widths > 0) & (boxes.heights > 0)
            keep = inside | visible.numpy()
            flags = results.get('gt_ignore_flags', np.zeros_like(inside))
            results['gt_ignore_flags'] = flags | ~inside
        select_faces(results, keep)

    def __repr__(self) -> str:
        return (f'{type(self).__name__}(ratios={self.ratios}, '
                f'cut_faces={self.cut_faces!r}, '
                f'allow_negative_crop={self.allow_negative_crop}, '
                f'max_tries={self.max_tries})')


def _inside(centres: np.ndarray, left: int, top: int, side: int) -> np.ndarray:
    """Which centres (n, 2) lie in the patch, right and lower edge excluded."""
    offsets = centres - (left, top)
    return ((offsets >= 0) & (offsets < side)).all(axis=1)
