"""The fixed-size crops on which "Finding Tiny Faces" is trained."""
from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import autocast_box_type

from .crop_parts import refuse_masks, select_faces, shift_homography


@TRANSFORMS.register_module()
class RandomCanvasCrop(BaseTransform):
    """Crop a region of fixed size, filled up with the mean colour.

    "Finding Tiny Faces", appendix B, "Input sampling": a random region of
    500 x 500 pixels. Along a side on which the picture is shorter it lies at
    a random place in the region instead, and the rest has the mean colour.
    All positions are uniform, and regions without a face are not drawn again:
    they train negatives.

    Faces are clipped to what is visible of the picture. One that keeps less
    than ``min_visible`` of its area, or no area at all, is dropped, which
    makes the rest of it background, as in the released code (the paper is
    silent); ``cut_faces='ignore'`` ignores the rest instead. What is visible
    of a face that is ignored already stays ignored in both cases.

    ``valid_area`` says where the picture is in the region: the border rule of
    the paper counts the mean colour as outside. Transforms that come later do
    not know it, so flip and resize before; for a flip this is the same
    distribution.

    Required Keys:

    - img
    - gt_bboxes (BaseBoxes[torch.float32]) (optional)
    - gt_bboxes_labels (np.int64) (optional)
    - gt_ignore_flags (bool) (optional)
    - gt_instances_ids (optional)

    Modified Keys: the same, and

    - img_shape

    Added Keys:

    - valid_area (np.float32): x1, y1, x2, y2 in pixels of the region
    - homography_matrix
    - gt_ignore_flags (if there was none and ``cut_faces='ignore'``)

    Args:
        crop_size: Height and width of the region.
        min_visible: See above, a fraction of the area, in [0, 1].
        pad_value: The mean colour: red, green, blue; or one number for all
            channels. Give what the data preprocessor subtracts. Defaults to
            ImageNet's mean.
        channel_order: Of the picture, ``'bgr'``, as MMCV loads it, or
            ``'rgb'``.
        cut_faces: ``'drop'`` or ``'ignore'``, see above.

    Raises:
        ValueError: An argument has a value outside of its range.
    """

    def __init__(self,
                 crop_size: tuple[int, int] = (500, 500),
                 min_visible: float = .3,
                 pad_value: float | Sequence[float] = (123.675, 116.28,
                                                       103.53),
                 channel_order: str = 'bgr',
                 cut_faces: str = 'drop') -> None:
        if len(crop_size) != 2 or min(crop_size) < 1:
            raise ValueError('crop_size must be height and width, both at '
                             f'least 1, not {crop_size}')
        if not 0 <= min_visible <= 1:
            raise ValueError(
                f'min_visible must be from 0 to 1, not {min_visible}')
        colour = np.atleast_1d(np.asarray(pad_value, np.float32))
        if colour.shape not in ((1, ), (3, )):
            raise ValueError('pad_value must be one number, or three for red, '
                             f'green and blue, not {pad_value}')
        if channel_order not in ('bgr', 'rgb'):
            raise ValueError("channel_order must be 'bgr' or 'rgb', not "
                             f'{channel_order!r}')
        if cut_faces not in ('drop', 'ignore'):
            raise ValueError(
                f"cut_faces must be 'drop' or 'ignore', not {cut_faces!r}")
        self.crop_size = tuple(crop_size)
        self.min_visible = min_visible
        self.pad_value = pad_value
        self.channel_order = channel_order
        self.cut_faces = cut_faces
        self._colour = colour[::-1] if channel_order == 'bgr' else colour

    @autocast_box_type()
    def transform(self, results: dict) -> dict:
        """Crop the picture and its faces.

        Args:
            results (dict): Result dict of the pipeline; img (h, w) or
                (h, w, c), boxes (n, 4).

        Returns:
            dict: The same dict.

        Raises:
            ValueError: The sample has masks or a segmentation map, or the
                picture has one channel and the colour three.
        """
        refuse_masks(self, results)
        image = results['img']
        top, left = self._random_origin(image.shape[:2])
        high, wide = self.crop_size
        # What is visible, in pixels of the picture.
        rows = max(top, 0), min(top + high, image.shape[0])
        columns = max(left, 0), min(left + wide, image.shape[1])
        area = np.array([
            columns[0] - left, rows[0] - top, columns[1] - left, rows[1] - top
        ])
        canvas = self._canvas(image)
        canvas[area[1]:area[3], area[0]:area[2]] = image[slice(*rows),
                                                         slice(*columns)]
        results['img'] = canvas
        results['img_shape'] = canvas.shape[:2]
        results['valid_area'] = area.astype(np.float32)
        shift_homography(results, left, top)
        if results.get('gt_bboxes') is not None:
            self._crop_faces(results, left, top)
        return results

    @cache_randomness
    def _random_origin(self, shape: tuple[int, int]) -> list[int]:
        """Draw where the region starts, (top, left); negative: before it."""
        origin = []
        for side, size in zip(shape, self.crop_size):
            low, high = sorted((0, side - size))
            origin.append(np.random.randint(low, high + 1))
        return origin

    def _canvas(self, image: np.ndarray) -> np.ndarray:
        """A region of the mean colour, in the picture's type."""
        colour = self._colour
        if image.ndim == 2 and len(colour) > 1:
            raise ValueError('RandomCanvasCrop: the picture has one channel; '
                             'give one number as pad_value')
        if np.issubdtype(image.dtype, np.integer):
            colour = np.rint(colour)
        canvas = np.empty(self.crop_size + image.shape[2:], image.dtype)
        canvas[...] = colour
        return canvas

    def _crop_faces(self, results: dict, left: int, top: int) -> None:
        """Shift, clip and select the faces, in place."""
        boxes = results['gt_bboxes']
        boxes.translate_([-left, -top])
        full = boxes.areas.double().numpy()
        x1, y1, x2, y2 = results['valid_area'].tolist()
        # Clipping knows regions that start at 0 only.
        boxes.translate_([-x1, -y1])
        boxes.clip_((y2 - y1, x2 - x1))
        boxes.translate_([x1, y1])
        visible = ((boxes.widths > 0) & (boxes.heights > 0)).numpy()
        enough = visible & (boxes.areas.numpy() >= self.min_visible * full)
        flags = results.get('gt_ignore_flags', np.zeros_like(enough))
        if self.cut_faces == 'drop':
            select_faces(results, enough | visible & flags)
            return
        results['gt_ignore_flags'] = flags | ~enough
        select_faces(results, visible)

    def __repr__(self) -> str:
        return (f'{type(self).__name__}(crop_size={self.crop_size}, '
                f'min_visible={self.min_visible}, '
                f'pad_value={self.pad_value}, '
                f'channel_order={self.channel_order!r}, '
                f'cut_faces={self.cut_faces!r})')
