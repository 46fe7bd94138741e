"""Pipelines without pixels against those with pictures."""
import importlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmdet.registry import DATASETS
from mmengine.config import Config, ConfigDict
from mmengine.runner import set_random_seed

import tinyfaces.datasets  # noqa: F401

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / 'configs' / '_base_' / 'datasets' / (
    'wider_face_group_sampling.py')
# Height and width, faces x y w h of each; some of each, for chance to choose
PICTURES = [((117, 203), [[8, 8, 20, 25], [150, 60, 40, 50]]),
            ((301, 95), [[1, 250, 30, 51], [0, 0, 95, 90]]),
            ((640, 700), [[5, 7, 9, 11], [600, 500, 90, 130]])] * 6


@pytest.fixture(scope='module')
def module():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / 'tools'))
        yield importlib.import_module('_training_crops')


@pytest.fixture(scope='module')
def dataset(tmp_path_factory):
    """Config of the pictures; the first face of each is invalid."""
    root = tmp_path_factory.mktemp('wider')
    lines = []
    folder = root / 'WIDER_train' / 'images' / 'event'
    folder.mkdir(parents=True)
    for number, (size, boxes) in enumerate(PICTURES):
        cv2.imwrite(str(folder / f'{number}.jpg'), np.zeros((*size, 3)))
        lines += [f'event/{number}.jpg', str(len(boxes))]
        lines += [
            ' '.join(map(str, [*box, 0, 0, 0, int(n == 0), 0, 0]))
            for n, box in enumerate(boxes)
        ]
    (root / 'wider_face_split').mkdir()
    (root / 'wider_face_split' /
     'wider_face_train_bbx_gt.txt').write_text('\n'.join(lines))
    config = Config.fromfile(CONFIG).train_dataloader.dataset
    config.data_root = f'{root}/'
    return config


def with_pictures(dataset, seed):
    """Faces, ignored faces and size of each picture of the real pipeline."""
    built = DATASETS.build(dataset)
    set_random_seed(seed)
    for at in range(len(built)):
        sample = built[at]
        size = tuple(sample['inputs'].shape[1:])
        sample = sample['data_samples']
        assert sample.img_shape == size
        yield (sample.gt_instances.bboxes.numpy(),
               sample.ignored_instances.bboxes.numpy(), size)


OTHER_PIPELINES = dict(
    whole=[],
    random=[
        dict(
            type='RandomResize',
            scale=(400, 300),
            ratio_range=(.5, 2),
            keep_ratio=True)
    ],
    stretched=[dict(type='Resize', scale=(333, 77), keep_ratio=False)],
    chosen=[
        dict(
            type='RandomChoiceResize',
            scales=[(100, 100), (300, 200)],
            keep_ratio=True),
        dict(type='RandomSquareCrop', allow_negative_crop=True)
    ])


@pytest.mark.parametrize('name', ['group_sampling', *OTHER_PIPELINES])
def test_crops_are_those_of_training(module, dataset, name):
    """Scales of 0.25 to 2 make the large picture 1,280x1,400."""
    config = dataset.copy()
    if name in OTHER_PIPELINES:
        first, *_, last = dataset.pipeline
        config.pipeline = [
            ConfigDict(part) for part in [
                first,
                dict(type='LoadAnnotations', with_bbox=True),
                *OTHER_PIPELINES[name], last
            ]
        ]
    crops = module.read_crops(config, True, 1)
    expected = list(with_pictures(config, 1))
    assert len(crops) == len(expected) == len(PICTURES)
    sizes = set()
    for crop, (faces, ignored, size) in zip(crops, expected):
        assert crop.faces.tolist() == faces.tolist()
        assert crop.ignored.tolist() == ignored.tolist()
        assert crop.size == size and not crop.estimated
        sizes.add(size)
    # By chance or not
    assert (len(sizes) > 3) == (name in ('group_sampling', 'random', 'chosen'))
    if name == 'group_sampling':
        assert any(1200 in size for size in sizes)


def test_whole_pictures(module, dataset):
    crops = module.read_crops(dataset, False, 0)
    for crop, (size, (_, box)) in zip(crops, PICTURES):
        x, y, w, h = box
        assert crop.size == size
        assert crop.faces.tolist() == [[x, y, x + w, y + h]]
        assert len(crop.ignored) == 1


def test_without_boxes(module, dataset):
    config = dataset.copy()
    config.pipeline = [dataset.pipeline[0]]
    with pytest.raises(ValueError, match='no LoadAnnotations'):
        module.read_crops(config, True, 0)
