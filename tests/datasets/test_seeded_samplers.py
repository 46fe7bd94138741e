"""Pictures and samples of boxes are the same, however they are loaded."""
import itertools

import numpy as np
import pytest
import torch
from mmdet.models.task_modules.assigners import MaxIoUAssigner
from mmdet.models.task_modules.prior_generators import AnchorGenerator
from mmdet.registry import DATASETS
from mmengine.dataset import (ClassBalancedDataset, ConcatDataset,
                              DefaultSampler, InfiniteSampler)
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from PIL import Image
from torch.utils.data import Subset

from tinyfaces.datasets import SeededDefaultSampler, SeededInfiniteSampler
from tinyfaces.models import SeededRandomSampler
from tinyfaces.utils.draws import Draw, draw_seed, seed_generators

SEED, PICTURES = 5, 7
SIZES = {f'0--Parade/{n}.jpg': (40 + n, 50 - n) for n in range(PICTURES)}
ANNOTATIONS = ''.join(
    f'{name}\n2\n{4 + n} 6 14 16 0 0 0 0 0 0\n22 {12 + n} 12 15 0 0 0 0 0 0\n'
    for n, name in enumerate(SIZES))
PIPELINE = [
    dict(type='LoadImageFromFile', backend_args=None),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomSquareCrop', ratios=((.5, .8), (.8, 1.))),
    dict(type='Resize', scale=(32, 32), keep_ratio=False),
    dict(type='PhotoMetricDistortion'),
    dict(type='RandomFlip', prob=.5),
    dict(type='PackDetInputs', meta_keys=('img_id', 'flip')),
]
ANCHORS = AnchorGenerator(
    strides=[4], ratios=[1.], scales=[2, 4]).grid_priors([(8, 8)],
                                                         device='cpu')[0]
_states = itertools.count()


@pytest.fixture
def config(write_wider):
    root = write_wider(ANNOTATIONS, SIZES)
    rng = np.random.default_rng(0)
    for name, (width, height) in SIZES.items():
        noise = rng.integers(40, 200, (height, width, 3), np.uint8)
        Image.fromarray(noise).save(root / 'WIDER_train/images' / name)
    return dict(
        type='WiderFaceDataset',
        data_root=str(root),
        ann_file='wider_face_split/wider_face_train_bbx_gt.txt',
        data_prefix=dict(img='WIDER_train/images'),
        pipeline=PIPELINE)


@pytest.fixture
def dataset(config):
    return DATASETS.build(config)


@pytest.fixture
def as_rank(monkeypatch):
    """Lets samplers that are made from now on be of one of several ranks."""

    def change(rank, ranks):
        monkeypatch.setattr('mmengine.dataset.sampler.get_dist_info', lambda:
                            (rank, ranks))

    return change


def loader(dataset, kind, batch=2, workers=0, **options):
    loading = dict(
        dataset=dataset,
        sampler=dict(type=kind),
        batch_size=batch,
        num_workers=workers,
        persistent_workers=workers > 0,
        disable_subprocess_warning=True)
    return Runner.build_dataloader(dict(loading, **options), seed=SEED)


def fingerprint(inputs, sample):
    """All that a training would see of a picture, sampled boxes too."""
    faces = sample.gt_instances.clone()
    faces.bboxes = faces.bboxes.tensor
    anchors = InstanceData(priors=ANCHORS)
    assigned = MaxIoUAssigner(.4, .3, min_pos_iou=.1).assign(anchors, faces)
    drawn = SeededRandomSampler(
        16, .2, add_gt_as_proposals=False).sample(assigned, anchors, faces)
    assert len(drawn.neg_inds) >= 10
    return (sample.img_id, faces.draw_seed, sample.flip,
            inputs.numpy().tobytes(), faces.bboxes.numpy().tobytes(),
            tuple(drawn.pos_inds.tolist()), tuple(drawn.neg_inds.tolist()))


def pictures(loading, epoch=None):
    """The fingerprints that a dataloader gives, one by one."""
    # Whatever state a process happens to be in.
    seed_generators(next(_states))
    if epoch is not None:
        loading.sampler.set_epoch(epoch)
    for batch in loading:
        for inputs, sample in zip(batch['inputs'], batch['data_samples']):
            yield fingerprint(inputs, sample)


def interleaved(*of_ranks):
    return [one for ones in zip(*of_ranks) for one in ones]


def test_epochs(dataset, as_rank):
    """0, 1 and 2 workers, two ranks, another batch size, after a resume."""
    kind = 'SeededDefaultSampler'
    whole = loader(dataset, kind, batch=4)
    epochs = [list(pictures(whole, epoch)) for epoch in range(3)]
    names = sorted(name.removesuffix('.jpg') for name in SIZES)
    for epoch in epochs:
        assert sorted(one[0] for one in epoch) == names
    assert [one[0] for one in epochs[0]] != [one[0] for one in epochs[1]]
    # Each picture is another one in each epoch.
    for one in names:
        seen = {p[1:] for epoch in epochs for p in epoch if p[0] == one}
        assert len(seen) == len({p[3] for p in seen}) == 3

    for workers in (1, 2):
        others = loader(dataset, kind, workers=workers)
        assert [list(pictures(others, e)) for e in range(2)] == epochs[:2]
    # Resumed at epoch 1, with one picture at a time.
    assert list(pictures(loader(dataset, kind, batch=1), 1)) == epochs[1]

    ranks = []
    for rank in range(2):
        as_rank(rank, 2)
        ranks.append(loader(dataset, kind))
    for epoch, wanted in enumerate(epochs):
        both = interleaved(*(pictures(rank, epoch) for rank in ranks))
        # The eighth makes up for a picture that the second rank lacks.
        assert both == wanted + wanted[:1]


def test_passes(dataset, as_rank):
    """The same without end, over the borders of passes."""
    kind, count = 'SeededInfiniteSampler', 3 * PICTURES

    def first(loading, number=count):
        return list(itertools.islice(pictures(loading), number))

    stream = first(loader(dataset, kind, batch=4))
    for number in range(3):
        one = stream[number * PICTURES:(number + 1) * PICTURES]
        assert len({p[0] for p in one}) == PICTURES
    assert len({p[3] for p in stream}) == count
    assert first(loader(dataset, kind, workers=2), 12) == stream[:12]

    ranks = []
    for rank in range(2):
        as_rank(rank, 2)
        ranks.append(loader(dataset, kind, batch=1))
    both = interleaved(*(first(rank, count // 2) for rank in ranks))
    assert both == stream[:count // 2 * 2]


@pytest.mark.skipif(
    not hasattr(InfiniteSampler, 'skip'),
    reason='this MMEngine loads what it skips')
@pytest.mark.parametrize('ranks', [1, 2])
def test_skip(dataset, as_rank, ranks):
    """What MMEngine calls where a run of iterations is resumed."""
    for rank in range(ranks):
        as_rank(rank, ranks)
        whole = SeededInfiniteSampler(dataset, seed=SEED)
        whole = [_known(d) for d in itertools.islice(whole, 30)]
        for number in (0, 3, 2 * PICTURES, 19):
            sampler = SeededInfiniteSampler(dataset, seed=SEED)
            sampler.skip(number)
            resumed = itertools.islice(sampler, 30 - number)
            assert [_known(d) for d in resumed] == whole[number:]


def _known(draw):
    return int(draw), draw.seed, draw.epoch, draw.key


@pytest.mark.parametrize('ranks', [1, 3])
@pytest.mark.parametrize('shuffle', [True, False])
def test_order_of_the_base_classes(dataset, as_rank, ranks, shuffle):
    """Indices are the same, and the epoch is right."""
    for rank in range(ranks):
        as_rank(rank, ranks)
        options = dict(dataset=dataset, shuffle=shuffle, seed=9)
        ours, theirs = SeededDefaultSampler(**options), DefaultSampler(
            **options)
        assert len(ours) == len(theirs)
        for epoch in (0, 4):
            ours.set_epoch(epoch)
            theirs.set_epoch(epoch)
            assert list(ours) == list(theirs)
            assert {_known(d)[1:3] for d in ours} == {(9, epoch)}
        ours = itertools.islice(SeededInfiniteSampler(**options), 20)
        theirs = itertools.islice(InfiniteSampler(**options), 20)
        for at, (draw, index) in enumerate(zip(ours, theirs)):
            epoch = (rank + at * ranks) // PICTURES
            assert _known(draw) == (index, 9, epoch, index)


def test_reseeding(dataset):
    for kind in SeededDefaultSampler, SeededInfiniteSampler:
        given, later = kind(dataset, seed=1), kind(dataset, seed=2)
        next(iter(later))
        later.reseed(1)
        for one, two in itertools.islice(zip(given, later), PICTURES):
            assert _known(one) == _known(two)


def test_wrappers(config, dataset):
    """Repeats differ, parts have keys of their own, sizes may be cut."""
    repeated = dict(type='RepeatDataset', times=2, dataset=config)
    whole = dict(type='ConcatDataset', datasets=[repeated, config])
    loading = loader(whole, 'SeededDefaultSampler')
    found = {one[3]: one for one in pictures(loading, 0)}
    assert len(found) == 3 * PICTURES
    seeds = {draw_seed(SEED, 0, key) for key in range(3 * PICTURES)}
    assert {one[1] for one in found.values()} == seeds
    few = loader(dataset, 'SeededInfiniteSampler', num_batch_per_epoch=2)
    assert [one[1] for one in itertools.islice(pictures(few), 4)] == [
        draw_seed(SEED, 0, draw)
        for draw in itertools.islice(InfiniteSampler(range(4), seed=SEED), 4)
    ]


def test_batches_of_one_aspect_ratio(dataset):
    """Batch samplers hand on the indices as they are."""
    loading = loader(
        dataset,
        'SeededDefaultSampler',
        batch_sampler=dict(type='AspectRatioBatchSampler'))
    plain = loader(dataset, 'SeededDefaultSampler')
    loading.batch_sampler.sampler.set_epoch(0)
    assert sorted(pictures(loading)) == sorted(pictures(plain, 0))


def test_another_picture_is_drawn_with_the_seed_too(dataset):
    """The pipeline rejects a picture, and BaseDataset takes another one."""
    rejected = dataset.get_data_info(3)['img_id']
    prepare = dataset.prepare_data
    tried = []

    def choosy(index):
        info = dataset.get_data_info(index)
        tried.append(info['img_id'])
        return None if info['img_id'] == rejected else prepare(index)

    dataset.prepare_data = choosy
    results = []
    for state in range(4):
        seed_generators(state)
        data = dataset[Draw(3, SEED, 1)]
        results.append(fingerprint(data['inputs'], data['data_samples']))
        assert np.random.random() == np.random.RandomState(state).random()
    assert len(set(results)) == 1 and tried[0] == rejected
    assert results[0][0] != rejected
    assert results[0][1] == draw_seed(SEED, 1, 3)


def test_plain_indices_as_ever(dataset):
    seed_generators(0)
    data = dataset[2]
    assert 'draw_seed' not in data['data_samples'].gt_instances
    again = dataset[2]
    assert not torch.equal(data['inputs'], again['inputs'])


def test_meta_information_stays_out_of_the_way(dataset):
    """Instances can be picked and joined as ever."""
    first, second = (
        dataset[Draw(at, SEED, 0)]['data_samples'].gt_instances
        for at in (1, 2))
    assert sorted(first.keys()) == ['bboxes', 'labels']
    assert type(first.draw_seed) is int
    assert first[:1].draw_seed == first.to('cpu').draw_seed == first.draw_seed
    joined = InstanceData.cat([first, second])
    assert len(joined) == len(first) + len(second)


@pytest.mark.parametrize('kind, other',
                         [(SeededDefaultSampler, 'DefaultSampler'),
                          (SeededInfiniteSampler, 'InfiniteSampler')])
def test_other_data_sets(dataset, kind, other):
    """Refused, as indices would not arrive as they are."""
    balanced = ClassBalancedDataset(dataset, oversample_thr=1.)
    for wrong in (range(5), Subset(dataset, [0, 1]), balanced):
        with pytest.raises(
                TypeError,
                match=rf'{type(wrong).__name__}: it needs a FaceDataset.*'
                rf"train_dataloader\.sampler\.type='{other}'"):
            kind(wrong)
    nested = ConcatDataset([dataset, dataset])
    nested.datasets[1] = balanced
    with pytest.raises(TypeError, match='ClassBalancedDataset'):
        kind(nested)
