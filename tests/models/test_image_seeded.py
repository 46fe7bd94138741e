"""Samples of boxes with draws of the picture's own, one by one."""
import copy
import pickle
import warnings
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hard_negative_cases import RCNN, Head, tensor, truth
from mmdet.models.task_modules.samplers import RandomSampler
from mmdet.registry import MODELS
from mmengine.structures import InstanceData
from template_cases import crowd
from tiny_faster_rcnn import FASTER_RCNN

from tinyfaces.models import (BalancedHardSampler, HardNegativeSampler,
                              HardNegativeScaleGroupSampler, ScaleGroupSampler,
                              SeededRandomSampler, TemplateAssigner,
                              TemplatePriorGenerator)
from tinyfaces.models.roi_heads import select_proposals
from tinyfaces.models.task_modules import next_generator, picture_seeds

FACES = [[0, 0, 16, 16], [50, 0, 66, 16]]
PRIORS = [[i % 3, 0, 16 + i % 3, 14 + i / 10] for i in range(20)]
PRIORS += [[100 + 9 * i, 0, 116 + 9 * i, 16] for i in range(40)]
HARD = [[200 + 20 * i, 30, 216 + 20 * i, 46] for i in range(6)]
GROUPS = dict(group_scales=(8, 16), num_per_group=6)
ANY = dict(pos_iou_thr=.5, neg_iou_thr=.5, min_pos_iou=.5)
SAMPLERS = dict(
    random=lambda **more: SeededRandomSampler(12, .25, **more),
    groups=lambda **more: ScaleGroupSampler(**GROUPS, **more),
    hard=lambda **more: HardNegativeSampler(12, .25, order='random', **more),
    hard_groups=lambda **more: HardNegativeScaleGroupSampler(
        order='random', **GROUPS, **more))


def draw(sampler, seed, state=0, hard=HARD, priors=PRIORS):
    """What is drawn for a picture, and whether global draws were needed."""
    gt = truth(FACES, hard)
    if seed is not None:
        gt.set_metainfo(dict(draw_seed=seed))
    given = InstanceData(priors=tensor(priors))
    assigned = Head(**ANY).assigner.assign(given, gt)
    torch.manual_seed(state)
    before = torch.get_rng_state()
    result = sampler.sample(assigned, given, gt)
    touched = not torch.equal(before, torch.get_rng_state())
    return (result.pos_inds.tolist(), result.neg_inds.tolist()), touched


@pytest.mark.parametrize('make', SAMPLERS.values(), ids=SAMPLERS)
def test_the_picture_decides(make):
    sampler = make()
    first, touched = draw(sampler, 7)
    assert not touched and all(map(len, first))
    for again in (sampler, make(), copy.deepcopy(sampler),
                  pickle.loads(pickle.dumps(sampler))):
        assert draw(again, 7, state=3) == (first, False)
    assert draw(sampler, 8)[0] != first
    # Without a seed: as the global generator wants it.
    one, touched = draw(sampler, None, state=1)
    assert touched and draw(sampler, None, state=1)[0] == one
    assert draw(sampler, None, state=2)[0] != one
    assert draw(sampler, 7, state=2)[0] == first


@pytest.mark.parametrize('add', [True, False])
def test_without_a_seed_it_is_random_sampler(add):
    options = dict(num=12, pos_fraction=.25, add_gt_as_proposals=add)
    for state in range(3):
        assert draw(SeededRandomSampler(**options), None,
                    state)[0] == draw(RandomSampler(**options), None, state)[0]


@pytest.mark.parametrize('hard', [None, [], [[0, 0, 16, 16]]])
def test_without_hard_negatives_it_is_its_base_sampler(hard):
    """The draws of a picture's seed are the same, too."""
    for kind, base in (('hard', 'random'), ('hard_groups', 'groups')):
        with warnings.catch_warnings():
            warnings.filterwarnings('ignore', '.*draws as its base sampler')
            ours = draw(SAMPLERS[kind](), 7, hard=hard)
        assert ours == draw(SAMPLERS[base](), 7, hard=hard)


def test_draws_are_uniform():
    """9 of 40 negatives and 3 of 20 positives, over 200 pictures.

    45 of each, deviation 6, and 30, deviation 5; five are allowed.
    """
    sampler = SeededRandomSampler(12, .25, add_gt_as_proposals=False)
    drawn = Counter()
    for seed in range(200):
        (positives, negatives), _ = draw(sampler, seed)
        drawn.update(positives + negatives)
    counts = np.array([drawn[at] for at in range(60)])
    assert (abs(counts[20:] - 45) < 30).all()
    assert (abs(counts[:20] - 30) < 26).all()


def test_hard_negatives_at_random_are_uniform():
    """4 of 6 hard negatives; 120 pictures: each 80 times, deviation 5."""
    sampler = HardNegativeSampler(
        4, .25, order='random', add_gt_as_proposals=False)
    drawn = Counter()
    for seed in range(120):
        (_, negatives), _ = draw(sampler, seed, priors=[[0, 50, 16, 66]])
        drawn.update(negatives)
    assert set(drawn) == set(range(1, 7))
    assert all(abs(count - 80) < 26 for count in drawn.values())


def test_heads_and_stages_have_draws_of_their_own():
    rpn = MODELS.build(
        dict(FASTER_RCNN['rpn_head'], train_cfg=None, test_cfg=None))
    contexts = [rpn] + [SimpleNamespace(current_stage=n) for n in range(3)]
    options = dict(num=12, pos_fraction=.25, add_gt_as_proposals=False)
    drawn = [
        draw(SeededRandomSampler(context=context, **options), 7)[0]
        for context in contexts
    ]
    assert len(set(map(str, drawn))) == 4
    # A RoI head of one stage is the first of several.
    assert draw(SeededRandomSampler(context=Head(**RCNN), **options),
                7)[0] == drawn[1]


@pytest.mark.parametrize('kind', ['groups', 'hard_groups'])
def test_a_seed_of_the_config_comes_first(kind):
    """Its sequence goes on from picture to picture, whatever these say."""

    def sequence(seeds):
        sampler = SAMPLERS[kind](seed=5)
        return [draw(sampler, seed) for seed in seeds]

    first = sequence([7, 7, 8])
    assert first == sequence([None, 1, 2])
    assert first[0] != first[1] and not any(touched for _, touched in first)


def test_a_failed_draw_leaves_nothing_behind():
    sampler = SeededRandomSampler(12, .25)
    gt = truth(FACES)
    gt.set_metainfo(dict(draw_seed=7))
    with pytest.raises(AttributeError, match='priors'):
        sampler.sample(None, InstanceData(), gt)
    assert draw(sampler, None, state=1)[1]


def test_kinds_of_galleries():
    """Those that RandomSampler takes."""
    sampler = SeededRandomSampler(4, .5)
    gt = truth(FACES)
    gt.set_metainfo(dict(draw_seed=7))
    values = [9, 8, 7, 6, 5]
    picked = []
    for gallery in (values, np.array(values), torch.tensor(values)):
        with sampler._drawing_for(gt):
            result = sampler.random_choice(gallery, 3)
        assert isinstance(result,
                          torch.Tensor) == isinstance(gallery, torch.Tensor)
        picked.append(list(map(int, result)))
    assert picked[0] == picked[1] == picked[2]
    assert len(set(picked[0])) == 3 and set(picked[0]) <= set(values)


def test_seeds_of_a_picture():
    gt = truth(FACES)
    assert picture_seeds(gt, 'anything') is None
    assert next_generator(None) is None
    gt.set_metainfo(dict(draw_seed=7))
    one, two, other = (
        picture_seeds(gt, purpose).getrandbits(63)
        for purpose in ('a', 'a', 'b'))
    assert one == two != other
    seeds = picture_seeds(gt, 'a')
    first, second = (
        torch.rand(3, generator=next_generator(seeds)) for _ in range(2))
    assert not torch.equal(first, second)


def test_locations_of_a_picture():
    """BalancedHardSampler."""
    labels = torch.tensor([1] * 300 + [-1] * 300)
    losses, sampler = torch.ones(600), BalancedHardSampler()
    gt = truth(FACES)
    results = []
    for seed, state in ((7, 0), (7, 1), (8, 0)):
        gt.set_metainfo(dict(draw_seed=seed))
        torch.manual_seed(state)
        before = torch.get_rng_state()
        seeds = picture_seeds(gt, 'templates')
        results.append(sampler.sample(labels, losses, seeds).tolist())
        assert torch.equal(before, torch.get_rng_state())
    assert results[0] == results[1] != results[2]
    assert len(set(results[0])) == 256


def test_noise_of_a_picture():
    """TemplateAssigner: of equal faces and windows any may be taken."""
    priors, faces = TemplatePriorGenerator(), crowd(20, 200).repeat(2, 1)
    gt = truth(FACES)

    def chosen(draw_seed, state, **options):
        gt.set_metainfo(dict(draw_seed=draw_seed))
        torch.manual_seed(state)
        return TemplateAssigner(**options).assign(
            priors, (25, 25), (0, 0, 200, 200),
            faces,
            seeds=picture_seeds(gt, 'templates')).faces.tolist()

    assert chosen(7, 0) == chosen(7, 1) != chosen(8, 0)
    # A seed of its own comes first.
    of_its_own = chosen(7, 0, seed=1)
    assert of_its_own == chosen(8, 0, seed=1) != chosen(7, 0, seed=2)


def test_proposals_of_a_picture():
    """More faces than samples, and any of the proposals."""
    boxes = tensor([[20 * i, 0, 20 * i + 10, 10] for i in range(30)])
    many = InstanceData(
        bboxes=boxes,
        scores=torch.linspace(1, 0, 30),
        levels=torch.zeros(30, dtype=torch.long))
    gt = truth(FACES)
    options = dict(
        num_samples=8, nms_pre=100, nms_iou_thr=.7, selection='random')
    for proposals, faces in ((many[:0], many), (many, many[:0])):
        results = []
        for seed, state in ((7, 0), (7, 1), (8, 0)):
            gt.set_metainfo(dict(draw_seed=seed))
            torch.manual_seed(state)
            seeds = picture_seeds(gt, 'feature supervision')
            found = select_proposals(proposals, faces, seeds=seeds, **options)
            results.append(found.bboxes.tolist())
        assert results[0] == results[1] != results[2]
        assert len(results[0]) == 8
