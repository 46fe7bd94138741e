"""The training pictures of WIDER FACE without the pictures.

Crops of pictures that are not at hand can still be counted: what a pipeline
does to boxes depends on the size of a picture alone. Pictures of WIDER FACE
are 1,024 pixels wide; their heights are not in the annotations.
"""
from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.registry import DATASETS, TRANSFORMS
from mmengine.config import ConfigDict

from tinyfaces.datasets import WiderFaceDataset
from tinyfaces.datasets.image_files import missing_images
from tinyfaces.datasets.wider_annotations import WiderEntry

WIDTH = 1024
# Transforms that change pixels alone.
_PIXELS_ONLY = ('PhotoMetricDistortion', )


@DATASETS.register_module()
class AnnotationsOnlyDataset(WiderFaceDataset):
    """WiderFaceDataset that takes pictures it does not find for read.

    A picture that is there has its own size. Another one is
    :data:`WIDTH` pixels wide, and its height is drawn from those of the
    pictures that are there and high enough for its boxes; or, if all of them
    are too low, it is that of the lowest box. The same ones each time.
    ``num_assumed`` says how many sizes are such.

    Raises:
        ValueError: No picture at all is there.
    """

    num_assumed = 0

    def find_pictures(
            self, entries: Sequence[WiderEntry], file_names: Sequence[str],
            keys: Sequence[str]) -> tuple[Sequence[WiderEntry], list[dict]]:
        """All entries, and the size of each, see the class."""
        absent = set(missing_images(self.data_prefix['img'], file_names))
        there = [n for n, name in enumerate(file_names) if name not in absent]
        if not there:
            raise ValueError(
                f'{self.data_prefix["img"]}: none of the {len(file_names)} '
                'pictures is there, and heights are drawn from those that '
                'are: unpack a part of them at least, or correct data_root')
        parts = ([part[n] for n in there]
                 for part in (entries, file_names, keys))
        _, known = super().find_pictures(*parts)
        sizes = {info['img_id']: info for info in known}
        heights = np.array([info['height'] for info in known])
        rng = np.random.default_rng(0)
        infos = []
        for entry, key in zip(entries, keys):
            info = sizes.get(key)
            if info is None:
                right, lowest = _reach(entry)
                fitting = heights[heights >= lowest]
                height = rng.choice(fitting) if len(fitting) else lowest
                info = dict(
                    img_path='',
                    img_id=key,
                    height=int(height),
                    width=max(WIDTH, right))
            infos.append(info)
        self.num_assumed = len(absent)
        return entries, infos


def _reach(entry: WiderEntry) -> tuple[int, int]:
    """The right and the lower edge of what the boxes cover, at least 1."""
    if not len(entry.boxes):
        return 1, 1
    edges = (entry.boxes[:, :2] + entry.boxes[:, 2:]).max(axis=0)
    return tuple(max(1, int(np.ceil(edge))) for edge in edges)


@TRANSFORMS.register_module()
class BlankPicture(BaseTransform):
    """A black picture of the size that the data list has, instead of one."""

    def transform(self, results: dict) -> dict:
        """Add ``img``, ``img_shape`` and ``ori_shape``."""
        size = results['height'], results['width']
        results['img'] = np.zeros((*size, 3), np.uint8)
        results['img_shape'] = results['ori_shape'] = size
        return results


def without_pictures(dataset: ConfigDict) -> ConfigDict:
    """A dataset's config that reads no picture but changes boxes alike.

    Raises:
        ValueError: It is none of WIDER FACE, or does not load pictures with
            LoadImageFromFile first.
    """
    if dataset.type != 'WiderFaceDataset':
        raise ValueError(
            'counting without pictures is for a WiderFaceDataset as '
            f'train_dataloader.dataset, and the config has {dataset.type}')
    load, *others = dataset.pipeline
    if load.type != 'LoadImageFromFile':
        raise ValueError(
            'counting without pictures replaces LoadImageFromFile, which must '
            f'be first in the pipeline; the config has {load.type} there')
    result = dataset.copy()
    result.type = 'AnnotationsOnlyDataset'
    # Sizes are what counts; missing pictures are the point of it.
    result.update(read_sizes=True, missing='raise')
    result.pipeline = [
        ConfigDict(type='BlankPicture'),
        *(part for part in others if part.type not in _PIXELS_ONLY)
    ]
    return result
