"""What crops have in common."""
import numpy as np
from mmcv.transforms import BaseTransform

#: What belongs to the boxes and is selected with them.
_PER_FACE = ('gt_bboxes', 'gt_bboxes_labels', 'gt_ignore_flags',
             'gt_instances_ids')


def refuse_masks(transform: BaseTransform, results: dict) -> None:
    """Raise where there is more than boxes to crop.

    Args:
        transform: Which cannot crop it.
        results: Result dict of the pipeline.

    Raises:
        ValueError: The sample has masks or a segmentation map.
    """
    for key in ('gt_masks', 'gt_seg_map'):
        if results.get(key) is not None:
            raise ValueError(f'{type(transform).__name__} cannot crop {key}: '
                             "use MMDetection's RandomCrop")


def shift_homography(results: dict, left: int, top: int) -> None:
    """Have ``homography_matrix`` take (left, top) to the new origin.

    Args:
        results: Result dict, changed in place.
        left: Pixels of the picture before the crop; may be negative.
        top: The same.
    """
    shift = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]],
                     dtype=np.float32)
    before = results.get('homography_matrix')
    results['homography_matrix'] = shift if before is None else shift @ before


def select_faces(results: dict, keep: np.ndarray) -> None:
    """Keep some of the faces, with all that belongs to them.

    Args:
        results: Result dict, changed in place.
        keep: Bool, (n, ).
    """
    for key in _PER_FACE:
        if results.get(key) is not None:
            results[key] = results[key][keep]
