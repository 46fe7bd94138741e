"""The dataset configs: what a picture goes through, start to end."""
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import DefaultScope

import tinyfaces.datasets.transforms  # noqa: F401
import tinyfaces.datasets.wider_face  # noqa: F401

CONFIGS = Path(__file__).parents[2] / 'configs' / '_base_' / 'datasets'


@pytest.fixture
def load(write_wider):
    """Gives a dataset of a config, reading the made pictures."""

    def load(config, loader, split, options=None):
        root = write_wider(split=split)
        config = Config.fromfile(CONFIGS / config)
        config.merge_from_dict(options or {})
        dataset = config[loader]['dataset']
        dataset['data_root'] = str(root)
        return DATASETS.build(dataset)

    with DefaultScope.overwrite_default_scope('mmdet'):
        yield load


def test_train(load):
    random.seed(0)
    np.random.seed(0)
    dataset = load('wider_face.py', 'train_dataloader', 'train')
    assert len(dataset) == 2, 'pictures without faces are left out'
    for _ in range(8):
        item = dataset[0]
        assert item['inputs'].shape == (3, 1024, 1024)
        sample = item['data_samples']
        boxes = sample.gt_instances.bboxes.tensor
        assert 1 <= len(boxes) <= 2 and (sample.gt_instances.labels == 0).all()
        assert (boxes >= 0).all() and (boxes <= 1024).all()
        assert (boxes[:, 2:] > boxes[:, :2]).all()
        # Expanding by at most 2 and cropping at least half of the shorter
        # side (64 pixels) bounds the scale.
        assert 1024 / 128 <= sample.scale_factor[0] <= 1024 / 32


def test_expansion_is_filled_with_the_mean(load):
    """Blank pictures of one colour: only two colours may come out."""
    dataset = load('wider_face.py', 'train_dataloader', 'train')
    steps = [
        step for step in dataset.pipeline.transforms
        if type(step).__name__ != 'PhotoMetricDistortion'
    ]
    dataset.pipeline.transforms = steps
    random.seed(1)
    np.random.seed(1)
    image = dataset[0]['inputs'].float()
    mean = torch.tensor([103.53, 116.28, 123.675])[:, None, None]  # BGR
    colour = torch.tensor([150., 120., 90.])[:, None, None]
    padding = ((image - mean).abs() < 1.5).all(dim=0)
    content = ((image - colour).abs() < 5).all(dim=0)
    assert padding.any() and content.any()
    # what is neither is the seam that interpolation makes
    assert (padding | content).float().mean() > .9


@pytest.mark.parametrize(
    'config, options, shape, factor',
    [
        ('wider_face.py', {}, (80, 64), 1.),
        # 64x80 fits into 480x640 by 7.5 in width, by 8 in height
        ('wider_face_vga.py', {}, (600, 480), 7.5),
        ('wider_face.py', {
            'test_dataloader.dataset.pipeline.1.scale': (640, 480)
        }, (600, 480), 7.5),
    ])
def test_test_resolution(load, config, options, shape, factor):
    dataset = load(config, 'test_dataloader', 'val', options)
    assert len(dataset) == 5, 'nothing is filtered from a test set'
    item = dataset[0]
    assert item['inputs'].shape == (3, *shape)
    sample = item['data_samples']
    assert sample.scale_factor == (factor, factor)
    assert sample.ori_shape == (80, 64)
    assert sample.img_shape == shape
    assert sample.img_id == '0--Parade/a'
    # boxes stay those of the original picture
    assert sample.gt_instances.bboxes.tensor[0].tolist() == [10, 20, 40, 60]
