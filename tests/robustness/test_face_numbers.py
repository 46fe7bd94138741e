"""No face in a whole batch, and a crowd: every paper's model trains on."""
import copy
import math

import numpy as np
import pytest
import torch
import torch.distributed as dist
from face_samples import sample
from group_sampling_models import detector_config as group_sampling
from group_sampling_models import group_sampler
from mat_writers import write_voc_face
from mmdet.registry import DATASETS, MODELS
from mmengine.config import ConfigDict
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from refine_models import model_config as refine_face
from tiny_faces_models import detector_config as tiny_faces
from tiny_faster_rcnn import FASTER_RCNN
from tiny_fddb import random_folds, write_fddb

CROWD = 2000


def faster_rcnn():
    """Hard negatives are drawn in both stages, if there are any."""
    model = ConfigDict(copy.deepcopy(FASTER_RCNN))
    for stage, join in (('rpn', 'anchors'), ('rcnn', 'proposals')):
        model['train_cfg'][stage]['sampler'].update(
            type='HardNegativeSampler', join=join)
    return model


def config(name):
    """A model, and the size of the pictures that it takes."""
    if name == 'refine_face':
        return refine_face(), 128
    if name == 'group_sampling':
        return group_sampling(sampler=group_sampler(seed=None)), 64
    return (tiny_faces() if name == 'tiny_faces' else faster_rcnn()), 64


NAMES = ('refine_face', 'tiny_faces', 'group_sampling', 'faster_rcnn')


@pytest.fixture(scope='module')
def group(tmp_path_factory):
    """One process of a distributed training."""
    file = tmp_path_factory.mktemp('group') / 'rendezvous'
    dist.init_process_group(
        'gloo', init_method=file.as_uri(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def batch(size, faces=(), ignored=()):
    generator = torch.Generator().manual_seed(5)
    images = torch.randint(256, (2, 3, size, size), generator=generator)
    return dict(
        inputs=list(images.to(torch.uint8)),
        data_samples=[sample(faces, ignored, size) for _ in range(2)])


def crowd(size):
    """Boxes of 2 to 20 pixels."""
    rng = np.random.default_rng(0)
    start = rng.uniform(0, size - 2, (CROWD, 2))
    stop = np.minimum(start + rng.uniform(2, 20, (CROWD, 2)), size)
    return np.hstack([start, stop]).tolist()


@pytest.mark.parametrize('name', NAMES)
def test_no_faces_at_all(name, group):
    """DDP raises at the second step if a parameter had no gradient.

    Of several processes of which some have faces, tests/models/
    test_*_distributed.py tell.
    """
    cfg, size = config(name)
    torch.manual_seed(0)
    model = MODELS.build(cfg).train()
    parallel = MMDistributedDataParallel(model)
    optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), lr=1e-3))
    face = [[5., 6, 25, 30]]
    for faces, ignored in (([], []), ([], face), (face, []), ([], [])):
        logged = parallel.train_step(batch(size, faces, ignored), optimizer)
        values = {k: float(v) for k, v in logged.items()}
        assert all(map(math.isfinite, values.values())), values
        # Without faces there is still a background to learn.
        assert values['loss'] > 0
    assert all(p.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize('name', NAMES)
def test_a_crowd(name):
    cfg, size = config(name)
    torch.manual_seed(0)
    model = MODELS.build(cfg).train()
    optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), lr=1e-3))
    logged = model.train_step(batch(size, crowd(size)), optimizer)
    values = {k: float(v) for k, v in logged.items()}
    assert all(map(math.isfinite, values.values())), values
    assert all(p.isfinite().all() for p in model.parameters())


def test_a_crowd_and_outsiders_through_a_dataset(tmp_path):
    """2,000 faces in a picture, some of them partly or wholly outside."""
    folds = random_folds(1, 1)
    name, = folds[1]
    rng = np.random.default_rng(0)
    inside = rng.uniform((2, 2, 0, 0, 0), (4, 3, 1, 64, 48), (CROWD, 5))
    # Over the border; beyond it; a whole picture large.
    folds[1][name] = inside.tolist() + [[9., 6, 0, 0, 24], [5, 5, 0, 90, 24],
                                        [90, 80, 0, 32, 24]]
    write_fddb(tmp_path, folds)
    data = DATASETS.build(
        dict(
            type='FDDBDataset',
            data_root=str(tmp_path),
            folds=[1],
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='LoadAnnotations', with_bbox=True),
                dict(type='RandomSquareCrop'),
                dict(type='Resize', scale=(64, 64), keep_ratio=False),
                dict(type='PackDetInputs', meta_keys=())
            ]))
    item = data[0]['data_samples']
    boxes = torch.cat([
        item.gt_instances.bboxes.tensor, item.ignored_instances.bboxes.tensor
    ])
    assert CROWD / 8 < len(boxes) <= CROWD + 3
    assert boxes.isfinite().all() and boxes.min() >= 0 and boxes.max() <= 64
    assert (boxes[:, 2:] > boxes[:, :2]).all()


def test_faces_wholly_outside_are_dropped(tmp_path):
    """A pipeline without a crop would clip them to boxes without area."""
    face = [5., 4., 0., 20., 20.]
    beyond = [[5., 4., 0., 90., 20.], [5., 4., 0., 20., -9.]]
    folds = {1: {'a/img_1': [face, *beyond]}}
    write_fddb(tmp_path, folds)
    data = DATASETS.build(
        dict(
            type='FDDBDataset',
            data_root=str(tmp_path),
            folds=[1],
            pipeline=[]))
    assert [i['ellipse'] for i in data[0]['instances']] == [face]
    write_voc_face(
        tmp_path / 'v.mat', {
            'a/img_1.jpg': [[60, 40, 90, 90, 0], [70, 1, 90, 9, 0],
                            [-9, 5, 0, 9, 1], [5, 48, 9, 60, 0]]
        })
    data = DATASETS.build(
        dict(
            type='PASCALFaceDataset',
            ann_file=str(tmp_path / 'v.mat'),
            data_prefix=dict(img=str(tmp_path / 'originalPics')),
            pipeline=[]))
    assert [i['bbox'] for i in data[0]['instances']] == [[60, 40, 90, 90]]
