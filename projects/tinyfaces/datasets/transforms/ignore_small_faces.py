"""Take faces out of training that augmentation made too small."""
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import autocast_box_type


@TRANSFORMS.register_module()
class IgnoreSmallFaces(BaseTransform):
    """Set the ignore flag of faces that are now below a size.

    Place it after the last transform that changes sizes. MMDetection's
    ``FilterAnnotations`` removes such faces instead, which turns them into
    background.

    Required Keys:

    - gt_bboxes (BaseBoxes[torch.float32])
    - gt_ignore_flags (bool)

    Modified Keys:

    - gt_ignore_flags

    Args:
        min_size (float): Faces with a width or height below this many pixels
            of the transformed picture are ignored.

    Raises:
        ValueError: ``min_size`` is negative.
    """

    def __init__(self, min_size: float) -> None:
        if min_size < 0:
            raise ValueError(f'min_size must be at least 0, not {min_size}')
        self.min_size = min_size

    @autocast_box_type()
    def transform(self, results: dict) -> dict:
        """Set ``gt_ignore_flags`` where width or height is too small.

        Args:
            results (dict): Result dict of the pipeline; boxes (n, 4), flags
                (n, ).

        Returns:
            dict: The same dict.
        """
        boxes = results['gt_bboxes']
        small = (boxes.widths < self.min_size) | (
            boxes.heights < self.min_size)
        results['gt_ignore_flags'] = results['gt_ignore_flags'] | small.numpy()
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(min_size={self.min_size})'
