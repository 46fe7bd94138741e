"""Hard negatives follow a picture's geometry exactly as faces do.

Each face has a hard negative at the same place, and a label of its own, by
which its box is found again behind the transforms.
"""
import random

import cv2
import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import bbox_overlaps

from tinyfaces.datasets.hard_negative_file import (HardNegatives,
                                                   write_hard_negatives)

HEIGHT, WIDTH = 96, 128
RNG = np.random.default_rng(0)
CORNERS = np.sort(RNG.random((12, 2, 2), np.float32), axis=1)
BOXES = (CORNERS * (WIDTH, HEIGHT)).reshape(-1, 4).astype(np.float32)
SCORES = np.linspace(1, .5, len(BOXES), dtype=np.float32)
EACH = dict(type='PackHardNegativeInputs', ignore_iof_thr=0)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A picture, and its hard negatives in a file."""
    folder = tmp_path_factory.mktemp('hard')
    cv2.imwrite(
        str(folder / 'a.png'),
        RNG.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8))
    write_hard_negatives(folder / 'hard.jsonl',
                         {'a': HardNegatives(BOXES, SCORES, WIDTH, HEIGHT)},
                         {})
    return folder


def pipeline(folder, *transforms, pack=EACH, load=True):
    return Compose([
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations', with_bbox=True),
        *([dict(type='LoadHardNegatives', ann_file=folder /
                'hard.jsonl')] if load else []), *transforms, pack
    ])


def run(pipe, folder, seed=0, faces=BOXES, ignored=(), img_id='a'):
    """The data sample behind a pipeline."""
    np.random.seed(seed)
    random.seed(seed)
    packed = pipe(
        dict(
            img_id=img_id,
            img_path=str(folder / 'a.png'),
            instances=[
                dict(
                    bbox=list(box),
                    bbox_label=label,
                    ignore_flag=int(label in ignored))
                for label, box in enumerate(faces)
            ]))
    return packed['data_samples']


def places(sample):
    """{number: box} of the faces, ignored ones too, and of their twins."""
    faces = {
        int(label): box.tolist()
        for part in (sample.gt_instances, sample.ignored_instances)
        for label, box in zip(part.labels, part.bboxes.tensor)
    }
    numbers = np.searchsorted(
        -SCORES, -sample.gt_instances.hard_negative_scores.numpy())
    assert (np.diff(numbers) > 0).all()
    return faces, dict(
        zip(numbers.tolist(), sample.gt_instances.hard_negatives.tolist()))


GEOMETRY = dict(
    none=[],
    flip=[dict(type='RandomFlip', prob=1.)],
    flip_all_ways=[
        dict(
            type='RandomFlip',
            prob=[.3, .3, .3],
            direction=['horizontal', 'vertical', 'diagonal'])
    ],
    resize=[dict(type='Resize', scale=(200, 100), keep_ratio=True)],
    resize_freely=[dict(type='Resize', scale=(50, 200), keep_ratio=False)],
    random_resize=[
        dict(
            type='RandomResize',
            scale=(128, 96),
            ratio_range=(.5, 2.),
            keep_ratio=True)
    ],
    crop=[dict(type='RandomCrop', crop_size=(60, 50))],
    crop_relative=[
        dict(
            type='RandomCrop',
            crop_type='relative_range',
            crop_size=(.3, .3),
            allow_negative_crop=True)
    ],
    crop_by_iou=[dict(type='MinIoURandomCrop', min_crop_size=.3)],
    square_crop=[dict(type='RandomSquareCrop', ratios=[(.4, 1.)])],
    square_crop_dropping=[
        dict(type='RandomSquareCrop', ratios=[(.4, .9)], cut_faces='drop')
    ],
    expand=[dict(type='Expand', prob=1., ratio_range=(1, 3))],
    affine=[dict(type='RandomAffine', border_val=(0, 0, 0))],
    filter_small=[
        dict(type='Resize', scale=(64, 48), keep_ratio=True),
        dict(type='FilterAnnotations', min_gt_bbox_wh=(12, 12))
    ],
    ignore_small=[dict(type='IgnoreSmallFaces', min_size=40)],
    refineface=[
        dict(type='Expand', prob=.5, ratio_range=(1, 2)),
        dict(type='RandomSquareCrop'),
        dict(type='Resize', scale=(64, 64), keep_ratio=False),
        dict(type='RandomFlip', prob=.5),
        dict(type='PhotoMetricDistortion'),
        dict(type='IgnoreSmallFaces', min_size=6),
        dict(type='Pad', size=(80, 80))
    ])


@pytest.mark.parametrize('name', GEOMETRY)
def test_follow_the_picture(folder, name):
    pipe = pipeline(folder, *GEOMETRY[name])
    before = dict(enumerate(BOXES.tolist()))
    total, moved = 0, False
    for seed in range(5):
        sample = run(pipe, folder, seed, ignored=(1, 4) if seed > 3 else ())
        faces, hard = places(sample)
        ignored = sample.ignored_instances.bboxes.tensor
        assert hard == {
            number: box
            for number, box in faces.items()
            if (bbox_overlaps(torch.tensor([box]), ignored) < .5).all()
        }
        total += len(hard)
        moved |= any(box != before[number] for number, box in hard.items())
    assert moved == (name not in ('none', 'ignore_small'))
    losing = any(word in name for word in ('crop', 'filter', 'refineface'))
    assert 0 < total <= 5 * len(BOXES) - losing


@pytest.mark.parametrize('ignored', [(), (0, 3)])
@pytest.mark.parametrize('name', GEOMETRY)
def test_the_faces_stay_as_they_are(folder, name, ignored):
    """Just as without hard negatives.

    Some crops are drawn by the boxes there are, but here are the same ones
    twice.
    """
    both = [
        run(pipeline(folder, *GEOMETRY[name], pack=pack, load=load),
            folder,
            ignored=ignored)
        for pack, load in ((EACH, True), (dict(type='PackDetInputs'), False))
    ]
    for part in ('gt_instances', 'ignored_instances'):
        first, second = (sample.get(part) for sample in both)
        assert (first.bboxes.tensor == second.bboxes.tensor).all()
        assert (first.labels == second.labels).all()
        assert first.labels.dtype == second.labels.dtype
    assert both[0].metainfo == both[1].metainfo


def test_by_hand(folder):
    sample = run(
        pipeline(folder, GEOMETRY['flip'][0]), folder, faces=[[0, 0, 9, 9]])
    assert sample.gt_instances.bboxes.tensor.tolist() == [[119, 0, 128, 9]]
    negatives = sample.gt_instances.hard_negatives
    flipped = BOXES[:, [2, 1, 0, 3]] * (-1, 1, -1, 1) + (128, 0, 128, 0)
    assert torch.allclose(negatives, torch.tensor(flipped).float())
    assert negatives.dtype == torch.float32
    assert (sample.gt_instances.hard_negative_scores.numpy() == SCORES).all()


def test_they_survive_copies_and_are_no_instances(folder):
    """What MMDetection does between the dataset and the samplers."""
    gt = run(pipeline(folder), folder).clone().to('cpu').gt_instances
    assert len(gt) == len(gt[:3].hard_negatives) == len(BOXES)
    assert set(gt.keys()) == {'bboxes', 'labels'}


@pytest.mark.parametrize('boxes', ['kept', 'none'])
def test_a_picture_without_any(folder, boxes):
    """It is not in the file; or all were cropped away."""
    crop = [dict(type='FilterAnnotations', min_gt_bbox_wh=(500, 500),
                 keep_empty=False)] if boxes == 'none' else []  # yapf: disable
    sample = run(
        pipeline(folder, *crop),
        folder,
        img_id='b' if boxes == 'kept' else 'a')
    assert len(sample.gt_instances) == (len(BOXES) if boxes == 'kept' else 0)
    assert sample.gt_instances.hard_negatives.shape == (0, 4)
    assert sample.gt_instances.hard_negative_scores.shape == (0, )


def test_without_faces(folder):
    sample = run(pipeline(folder), folder, faces=())
    assert len(sample.gt_instances) == len(sample.ignored_instances) == 0
    assert len(sample.gt_instances.hard_negatives) == len(BOXES)


@pytest.mark.parametrize('thr, kept', [(.5, [0, 2, 3]), (.4, [0, 3]),
                                       (0, [0, 2, 3])])
def test_those_in_ignored_faces(tmp_path, thr, kept):
    """By the assigner's rule: more than the threshold, of one face; [1] has
    an IoU of .5 or more with it, too."""
    cv2.imwrite(str(tmp_path / 'a.png'), np.zeros((HEIGHT, WIDTH), np.uint8))
    boxes = np.array([[0, 0, 10, 10], [31, 0, 41, 10], [35, 0, 45, 10],
                      [50, 0, 60, 10]], np.float32)  # yapf: disable
    write_hard_negatives(
        tmp_path / 'hard.jsonl',
        {'a': HardNegatives(boxes, SCORES[:4], WIDTH, HEIGHT)}, {})
    # [1] lies in an ignored face with 9 of 10 columns, [2] with 5, [3] in
    # two of them with 4 each; [0] in a face.
    faces = [[0, 0, 10, 10], [30, 0, 40, 10], [50, 0, 54, 10], [56, 0, 60, 10]]
    sample = run(
        pipeline(
            tmp_path,
            pack=dict(type='PackHardNegativeInputs', ignore_iof_thr=thr)),
        tmp_path,
        faces=faces,
        ignored=(1, 2, 3))
    assert sample.gt_instances.hard_negatives.tolist() == boxes[kept].tolist()
    assert sample.gt_instances.hard_negative_scores.tolist() == \
        SCORES[kept].tolist()


@pytest.mark.parametrize('thr', [0, .5, .9])
def test_never_on_an_ignored_face(tmp_path, thr):
    """At an IoU of .5 it is a face; right below it is not, and lies in the
    face by less than .5."""
    cv2.imwrite(str(tmp_path / 'a.png'), np.zeros((HEIGHT, WIDTH), np.uint8))
    boxes = np.array([[0, 0, 10, 20], [30, 0, 40, 20.01]], np.float32)
    write_hard_negatives(
        tmp_path / 'hard.jsonl',
        {'a': HardNegatives(boxes, SCORES[:2], WIDTH, HEIGHT)}, {})
    sample = run(
        pipeline(
            tmp_path,
            pack=dict(type='PackHardNegativeInputs', ignore_iof_thr=thr)),
        tmp_path,
        faces=[[0, 0, 10, 10], [30, 0, 40, 10]],
        ignored=(0, 1))
    assert sample.gt_instances.hard_negatives.tolist() == boxes[1:].tolist()


@pytest.mark.parametrize('img_id', ['a', 'b'])
@pytest.mark.parametrize('name', GEOMETRY)
def test_not_without_its_pack_transform(folder, name, img_id):
    """With PackDetInputs they would become ignored regions; even where a
    picture has none."""
    pipe = pipeline(folder, *GEOMETRY[name], pack=dict(type='PackDetInputs'))
    with pytest.raises(TypeError, match='put PackHardNegativeInputs in place'):
        run(pipe, folder, img_id=img_id)


def test_pack_transform_alone(folder):
    with pytest.raises(ValueError, match='put LoadHardNegatives behind'):
        run(pipeline(folder, load=False), folder)


def test_twice(folder):
    again = dict(type='LoadHardNegatives', ann_file=folder / 'hard.jsonl')
    with pytest.raises(ValueError, match='has hard negatives already'):
        run(pipeline(folder, again), folder)


def test_a_picture_of_another_size(folder):
    """Or LoadHardNegatives in a wrong place."""
    pipe = Compose([
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations', with_bbox=True),
        dict(type='Resize', scale_factor=.5),
        dict(type='LoadHardNegatives', ann_file=str(folder / 'hard.jsonl')),
    ])
    with pytest.raises(
            ValueError,
            match="hard.jsonl: picture 'a' is 128 x 96 pixels there, and "
            '64 x 48 here. Place LoadHardNegatives right behind'):
        run(pipe, folder)


def test_masks(folder):
    load = TRANSFORMS.build(
        dict(type='LoadHardNegatives', ann_file=folder / 'hard.jsonl'))
    with pytest.raises(ValueError, match='no gt_masks'):
        load(dict(img_id='a', img_shape=(HEIGHT, WIDTH), gt_masks=[]))


@pytest.mark.parametrize('others', ['a', 'b'])
def test_mixed_pictures(folder, others):
    """Boxes of two pictures would take each other's scores."""
    pipe = pipeline(folder, pack=dict(type='PhotoMetricDistortion'))
    parts = []

    def keep(results):
        parts.append(results)
        return results

    pipe.transforms[-1] = keep
    for img_id in ('a', others):
        pipe(dict(img_id=img_id, img_path=str(folder / 'a.png'), instances=[]))
    first, second = parts
    mixed = dict(first if others == 'a' else second)
    for key in ('gt_bboxes_labels', 'gt_ignore_flags'):
        mixed[key] = np.concatenate([first[key], second[key]])
    mixed['gt_bboxes'] = first['gt_bboxes'].cat(
        [first['gt_bboxes'], second['gt_bboxes']])
    with pytest.raises(ValueError, match='of several pictures.*Mosaic'):
        TRANSFORMS.build(EACH)(mixed)
    # A crop left those of the other picture alone.
    if others == 'b':
        mixed = dict(first, img_id='b')
        with pytest.raises(ValueError, match='of several pictures.*Mosaic'):
            TRANSFORMS.build(EACH)(mixed)
    with pytest.raises(TypeError, match='PackHardNegativeInputs'):
        TRANSFORMS.build(dict(type='PackDetInputs'))(mixed)


def test_repr(folder):
    text = repr(pipeline(folder))
    assert 'hard.jsonl' in text and 'ignore_iof_thr=0' in text
