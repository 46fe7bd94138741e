"""The samplers of hard negatives, by hand."""
import copy
import warnings
from collections import Counter

import pytest
import torch
from hard_negative_cases import ASSIGNERS, RCNN, Head, run, tensor, truth
from mmdet.models.task_modules.assigners import AssignResult
from mmdet.models.task_modules.prior_generators import AnchorGenerator
from mmdet.models.task_modules.samplers import RandomSampler
from mmdet.structures.bbox import HorizontalBoxes, bbox_overlaps
from mmengine.structures import InstanceData

from tinyfaces.models import (HardNegativeSampler,
                              HardNegativeScaleGroupSampler, ScaleGroupSampler)

GROUPS = dict(group_scales=(8, 16), num_per_group=6)


def test_three_to_one_stays():
    """The paper's minibatch: 128 regions, 1:3, of plenty of everything."""
    head = Head(**RCNN)
    faces = [[0, 0, 100, 100]]
    priors = [[0, 0, 100, 90 + i / 10] for i in range(100)]
    priors += [[0, 0, 100, 20 + i / 10] for i in range(200)]
    hard = [[200 + i, 0, 300 + i, 100] for i in range(60)]
    sampler = HardNegativeSampler(128, .25)
    result, _ = run(sampler, head, priors, truth(faces, hard))
    assert (len(result.pos_inds), len(result.neg_inds)) == (32, 96)
    assert (result.neg_inds >= 301).sum() == 60
    # Few positives: negatives fill up. More hard ones than places: 127.
    many = [[200 + i, 0, 300 + i, 100] for i in range(200)]
    result, _ = run(sampler, head, priors[100:], truth(faces, many))
    assert (len(result.pos_inds), len(result.neg_inds)) == (1, 127)
    assert (result.neg_inds >= 201).all()


def test_neg_pos_ub():
    """The base sampler's bound holds for hard negatives as well."""
    sampler = HardNegativeSampler(100, .5, neg_pos_ub=2)
    hard = [[50, 0, 60 + i, 10] for i in range(9)]
    result, _ = run(sampler, Head(**RCNN), [[0, 5, 9, 9]],
                    truth([[0, 0, 9, 9]], hard))
    assert len(result.neg_inds) == 2


@pytest.mark.parametrize('kind', ASSIGNERS)
def test_background_of_the_paper(kind):
    """Both assigners: foreground from .5 on, background in [.1, .5)."""
    faces = [[0, 0, 10, 10]]
    priors = [[0, 0, 10, 10], [0, 0, 10, 5], [0, 0, 10, 4.99], [0, 0, 10, 2],
              [0, 0, 10, 1.01], [0, 0, 10, .99], [50, 50, 60, 60]]
    head = Head(kind, **RCNN)
    result, assigned = run(
        HardNegativeSampler(8, .25, add_gt_as_proposals=False), head, priors,
        truth(faces, []))
    assert assigned.gt_inds.tolist() == [1, 1, 0, 0, 0, -1, -1]
    assert result.neg_inds.tolist() == [2, 3, 4]


@pytest.mark.parametrize('kind', ASSIGNERS)
@pytest.mark.parametrize('join', ['proposals', 'anchors'])
def test_below_the_lower_limit(kind, join):
    """Hard negatives are negatives also where they overlap no face: regions
    there are left out by the assigner, those next to it are drawn."""
    hard = [[50, 50, 60, 60], [0, 9.5, 10, 19.5]]  # IoU 0 and .026
    priors = [[50, 50, 60, 60], [0, 9, 10, 19], [80, 80, 90, 90],
              [0, 0, 10, 4]]
    head = Head(kind, **RCNN)
    sampler = HardNegativeSampler(
        8, .25, add_gt_as_proposals=False, join=join, context=head)
    result, assigned = run(sampler, head, priors, truth([[0, 0, 10, 10]],
                                                        hard))
    assert assigned.gt_inds.tolist() == [-1, -1, -1, 0]
    assert result.neg_inds.tolist() == ([3, 4, 5]
                                        if join == 'proposals' else [0, 1, 3])


@pytest.mark.parametrize('join', ['proposals', 'anchors'])
def test_never_on_a_face(join):
    """Whatever the file says: at .5 it is a face, right below it is not."""
    faces = [[0, 0, 10, 10], [30, 0, 40, 10]]
    hard = [[0, 0, 10, 10], [0, 0, 10, 5], [30, 0, 40, 4.9]]
    priors = [box for box in hard if box[0] or box[3] > 5]
    head = Head(**dict(RCNN, neg_iou_thr=.5))
    sampler = HardNegativeSampler(
        9, .25, add_gt_as_proposals=False, join=join, context=head)
    result, _ = run(sampler, head, priors, truth(faces, hard))
    assert result.neg_priors.tolist() == tensor(
        hard[2:] * (2 if join == 'proposals' else 1)).tolist()


def test_anchors_in_ignored_faces_stay_out():
    """And those between background and face; below the limit is another
    thing."""
    head = Head(
        pos_iou_thr=.7,
        neg_iou_thr=(.1, .3),
        min_pos_iou=.3,
        ignore_iof_thr=.5)
    priors = tensor([[0, 0, 10, 10], [0, 0, 10, 5], [40, 0, 50, 10],
                     [60, 0, 70, 10]])
    gt = truth([[0, 0, 10, 10]],
               [[0, 3, 10, 8], [40, 0, 50, 9], [60, 0, 70, 9]])
    assigned = head.assigner.assign(
        InstanceData(priors=priors), gt,
        InstanceData(bboxes=tensor([[40, 0, 50, 10]])))
    assert assigned.gt_inds.tolist() == [1, -1, -1, -1]
    sampler = HardNegativeSampler(
        9, .5, add_gt_as_proposals=False, join='anchors', context=head)
    result = sampler.sample(assigned, InstanceData(priors=priors), gt)
    assert result.neg_inds.tolist() == [3]


def samplers(join='proposals', **options):
    """Both, each with its base sampler."""
    arguments = dict(join=join, add_gt_as_proposals=False, **options)
    return [(HardNegativeSampler(12, .25, **arguments),
             RandomSampler(12, .25, add_gt_as_proposals=False)),
            (HardNegativeScaleGroupSampler(**GROUPS, **arguments),
             ScaleGroupSampler(**GROUPS))]


@pytest.mark.parametrize('join', ['proposals', 'anchors'])
@pytest.mark.parametrize('which', [0, 1])
@pytest.mark.parametrize('gt', [
    truth([[0, 0, 16, 16]]),
    truth([[0, 0, 16, 16]], []),
    truth([[0, 0, 16, 16]], [[0, 0, 16, 15], [5, 5, 5, 9]]),
    truth([], []),
])
@pytest.mark.filterwarnings('ignore:.*draws as its base sampler')
def test_without_hard_negatives_it_is_its_base_sampler(which, join, gt):
    """The very same draws: there is none, or none that counts."""
    head = Head(**dict(RCNN, neg_iou_thr=.5))
    priors = [[i % 30, i % 7, i % 30 + 8 * (1 + i % 2), i % 7 + 16]
              for i in range(60)]
    first, second = (
        run(sampler, head, priors, gt)[0] for sampler in samplers(join)[which])
    for name in ('pos_inds', 'neg_inds', 'pos_priors', 'neg_priors'):
        assert (getattr(first, name) == getattr(second, name)).all()
    assert first.neg_inds.numel() and first.avg_factor == second.avg_factor


def test_hard_negatives_missing_altogether_is_said_once():
    sampler, head = HardNegativeSampler(4, .25), Head(**RCNN)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('default')
        for _ in range(3):
            run(sampler, head, [[0, 0, 9, 9]], truth([[0, 0, 9, 5]]))
            run(sampler, head, [[0, 0, 9, 9]], truth([[0, 0, 9, 5]], []))
    assert ['PackHardNegativeInputs' in str(x.message) for x in caught
            if x.category is UserWarning] == [True]  # yapf: disable


def test_random_order_is_uniform():
    """4 of 6 hard negatives; 900 draws: each 600 times, deviation 14."""
    sampler = HardNegativeSampler(
        4, .25, order='random', add_gt_as_proposals=False)
    hard = [[20 * i, 0, 20 * i + 9, 9] for i in range(6)]
    gt, drawn = truth([], hard, [.9, .8, .7, .6, .5, .4]), Counter()
    for seed in range(900):
        result, _ = run(sampler, Head(**RCNN), [[0, 50, 9, 59]], gt, seed)
        drawn.update(result.neg_inds.tolist())
    assert set(drawn) == set(range(1, 7))
    assert all(abs(count - 600) < 70 for count in drawn.values())


def rpn_negatives(order='score', seed=0, number=3, **options):
    """How many of 256 anchors of Faster R-CNN lie (first) on each hard
    negative, and how many on none. The first is large."""
    hard = [[300, 100, 700, 500], [50, 50, 180, 180], [800, 300, 928, 428]]
    anchors = AnchorGenerator(
        strides=[16], ratios=[.5, 1, 2],
        scales=[8, 16, 32]).grid_priors([(38, 63)], device='cpu')[0]
    sampler = HardNegativeSampler(
        options.pop('num', 256),
        .5,
        add_gt_as_proposals=False,
        join='anchors',
        order=order,
        **options)
    head = Head(pos_iou_thr=.7, neg_iou_thr=.3, min_pos_iou=.3)
    gt = truth([], hard[:number], [.9, .8, .7][:number])
    result, _ = run(sampler, head, anchors.tolist(), gt, seed)
    overlaps = bbox_overlaps(result.neg_priors, tensor(hard[:number]))
    on = overlaps >= .5
    return on.sum(0).tolist(), int((~on.any(1)).sum())


def test_large_hard_negatives_leave_others_theirs():
    """The first has more than 256 anchors on it."""
    assert rpn_negatives(number=1, max_anchors=None) == ([256], 0)
    few, others = rpn_negatives()
    assert min(few) >= 16 and sum(few) < 128 < others
    # Without a limit too, and of all three there are as many, or all.
    many, others = rpn_negatives(max_anchors=None)
    assert min(many[1:]) > 16 and sum(many) + others == 256
    # One each, if no more fit.
    for order in ('score', 'random'):
        assert rpn_negatives(order, num=3) == ([1, 1, 1], 0)


def test_random_order_draws_hard_negatives_not_anchors():
    """One anchor, of the large one every third time: 20 of 60, s.d. 3.7."""
    first = [rpn_negatives('random', seed, num=1)[0] for seed in range(60)]
    assert all(abs(sum(counts) - 20) < 16 for counts in zip(*first))
    assert all(sum(one) == 1 for one in first)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    """Proposals of automatic mixed precision do not make them coarser."""
    hard, faces = [[1000, 1000, 1010, 1010]], [[1000, 1004, 1010, 1014]]
    sampler = HardNegativeSampler(4, .25)
    priors = tensor([[0, 0, 8, 8]]).to(dtype)
    assigned = AssignResult(1, torch.zeros(1, dtype=torch.long),
                            torch.zeros(1), torch.full((1, ), -1))
    result = sampler.sample(assigned, InstanceData(priors=priors),
                            truth(faces, hard))
    assert result.neg_priors.tolist()[-1] == hard[0]
    assert len(result.neg_inds) == 2


@pytest.mark.parametrize('join', ['proposals', 'anchors'])
def test_box_structures(join):
    """MMDetection's box type for priors and faces; the kind is kept."""
    priors = tensor([[50, 50, 60, 60], [0, 0, 10, 10]])
    gt = truth([[0, 0, 10, 9]], [[50, 50, 60, 59]])
    gt.bboxes = HorizontalBoxes(gt.bboxes)
    assigned = AssignResult(1, torch.tensor([0, 1]), torch.tensor([0., .9]),
                            torch.tensor([-1, 0]))
    sampler = HardNegativeSampler(
        8, .25, join=join, add_gt_as_proposals=join == 'proposals')
    result = sampler.sample(assigned,
                            InstanceData(priors=HorizontalBoxes(priors)), gt)
    assert isinstance(result.neg_priors, HorizontalBoxes)
    assert result.neg_inds.tolist() == ([1, 3] if join == 'proposals' else [0])


def test_the_assignment_given_stays():
    gt = truth([[0, 0, 10, 10]], [[50, 50, 60, 60]])
    for join in ('proposals', 'anchors'):
        priors = InstanceData(priors=tensor([[50, 50, 60, 59], [1, 1, 9, 9]]))
        assigned = AssignResult(1, torch.tensor([-1, 1]), torch.zeros(2),
                                torch.tensor([-1, 0]))
        before = copy.deepcopy(assigned.info)
        HardNegativeSampler(
            4, .25, join=join,
            context=Head(**RCNN)).sample(assigned, priors, gt)
        assert len(priors) == 2
        for key, value in assigned.info.items():
            assert torch.equal(
                torch.as_tensor(value), torch.as_tensor(before[key]))


@pytest.mark.parametrize('arguments, message', [
    (dict(join='anchor'), "join must be 'proposals' or 'anchors', not 'anch"),
    (dict(order='iou'), "order must be 'score' or 'random', not 'iou'"),
    (dict(iou_thr=0), 'iou_thr must be above 0 and at most 1, not 0'),
    (dict(iou_thr=1.1), 'iou_thr must be above 0'),
    (dict(max_anchors=0), 'max_anchors must be at least 1, or None, not 0'),
])
def test_arguments(arguments, message):
    for kind in (HardNegativeSampler, HardNegativeScaleGroupSampler):
        with pytest.raises(ValueError, match=message):
            kind(4, .25, **arguments)
