"""What a training pipeline makes of boxes, without a pixel."""
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from _annotations_only import without_pictures
from mmcv.image import rescale_size
from mmcv.transforms import BaseTransform, Resize
from mmdet.registry import DATASETS
from mmengine.config import ConfigDict
from mmengine.dataset import Compose
from mmengine.runner import set_random_seed
from tqdm import tqdm


class Crop(NamedTuple):
    """The boxes of a picture, as they go into training.

    Attributes:
        faces: float32 (n, 4), xyxy in pixels.
        ignored: float32 (m, 4), the same of ignored faces.
        size: Height and width, without padding.
        estimated: Whether the picture's height was not known.
    """
    faces: np.ndarray
    ignored: np.ndarray
    size: tuple[int, int]
    estimated: bool


def read_crops(dataset: ConfigDict, augment: bool, seed: int) -> list[Crop]:
    """Run a dataset's pipeline on its annotations.

    As in training, another picture takes the place of one of which the
    pipeline leaves nothing.

    Args:
        dataset: Config of a WiderFaceDataset.
        augment: Whether to; otherwise pictures have their original sizes.
        seed: Of the augmentation.

    Returns:
        list[Crop]: One per picture, the same ones for the same arguments.

    Raises:
        ValueError: See :func:`without_pictures`; or nothing reads boxes.
        FileNotFoundError: There are no annotations.
    """
    config = without_pictures(dataset)
    blank, *others = config.pipeline
    # Packing would turn the picture into a tensor.
    others = [part for part in others if part.type != 'PackDetInputs']
    if not augment:
        others = [part for part in others if part.type == 'LoadAnnotations']
    if not any(part.type == 'LoadAnnotations' for part in others):
        raise ValueError('the training pipeline has no LoadAnnotations')
    config.pipeline = [blank, *others]
    built = DATASETS.build(config)
    for transform in walk_transforms(built.pipeline):
        if isinstance(transform, Resize):
            transform._resize_img = _BlankResize(transform)
    set_random_seed(seed)
    return [_crop(built[at]) for at in tqdm(range(len(built)), 'Cropping')]


def walk_transforms(pipeline: object) -> Iterator[BaseTransform]:
    """A pipeline's transforms and those inside of them."""
    if isinstance(pipeline, Compose):
        pipeline = pipeline.transforms
    if isinstance(pipeline, BaseTransform):
        yield pipeline
        pipeline = list(vars(pipeline).values())
    if isinstance(pipeline, (list, tuple)):
        for part in pipeline:
            yield from walk_transforms(part)


class _BlankResize:
    """Resize's method for pictures, which gives a picture of one pixel.

    It is repeated by strides of zero, so that it has the right size.
    """

    def __init__(self, transform: Resize) -> None:
        self.keep_ratio = transform.keep_ratio

    def __call__(self, results: dict) -> None:
        height, width = results['img'].shape[:2]
        to = results['scale']
        if self.keep_ratio:
            to = rescale_size((width, height), to)
        results['img'] = np.broadcast_to(np.uint8(0), (to[1], to[0], 3))
        results['img_shape'] = to[1], to[0]
        results['scale_factor'] = to[0] / width, to[1] / height
        results['keep_ratio'] = self.keep_ratio


def _crop(results: dict) -> Crop:
    boxes = results['gt_bboxes'].tensor.numpy()
    ignored = results['gt_ignore_flags'].astype(bool)
    # AnnotationsOnlyDataset has no path for pictures that are not there.
    return Crop(boxes[~ignored], boxes[ignored], results['img_shape'][:2],
                not results['img_path'])
