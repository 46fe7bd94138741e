"""The samplers of hard negatives against plain loops and fractions."""
import itertools
from fractions import Fraction

import pytest
import torch
from hard_negative_cases import ASSIGNERS, RCNN, Head, run, tensor, truth
from hypothesis import given, settings
from hypothesis import strategies as st
from mmdet.models.task_modules.assigners import AssignResult
from mmengine.structures import InstanceData

from tinyfaces.models import (HardNegativeSampler,
                              HardNegativeScaleGroupSampler, ScaleGroupSampler)
from tinyfaces.models.task_modules import anchors_on_boxes, group_indices


def iou(a, b):
    """Exact, of whole numbers."""
    sides = [max(0, min(a[i + 2], b[i + 2]) - max(a[i], b[i])) for i in (0, 1)]
    inner = sides[0] * sides[1]
    areas = [(c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)]
    return Fraction(inner, sum(areas) - inner) if inner else Fraction(0)


def usable(hard, scores, faces):
    """Numbers of those that count, by falling score."""
    order = sorted(range(len(hard)), key=lambda i: -scores[i])
    half = Fraction(1, 2)
    return [
        i for i in order
        if hard[i][2] > hard[i][0] and hard[i][3] > hard[i][1] and all(
            iou(hard[i], face) < half for face in faces)
    ]  # yapf: disable


places = st.integers(0, 12)
sides = st.integers(0, 9)
boxes = st.tuples(places, places, sides,
                  sides).map(lambda x: [x[0], x[1], x[0] + x[2], x[1] + x[3]])
solid = boxes.filter(lambda x: x[2] > x[0] and x[3] > x[1])
cases = st.fixed_dictionaries(
    dict(
        faces=st.lists(solid, max_size=3),
        hard=st.lists(boxes, max_size=5),
        priors=st.lists(solid, min_size=1, max_size=25)))


def score_list(hard):
    """Some of them equal."""
    return [(7 * i % 4) / 4 for i in range(len(hard))]


@settings(max_examples=80, deadline=None)
@given(cases, st.integers(1, 12), st.sampled_from([.25, .5]),
       st.sampled_from(ASSIGNERS), st.booleans(),
       st.sampled_from(['score', 'random']))
def test_proposals_by_brute_force(case, num, fraction, kind, add_gt, order):
    faces, hard, priors = case.values()
    scores = score_list(hard)
    head = Head(kind, **RCNN)
    sampler = HardNegativeSampler(
        num, fraction, add_gt_as_proposals=add_gt, order=order, context=head)
    result, assigned = run(sampler, head, priors, truth(faces, hard, scores))
    chosen = usable(hard, scores, faces)
    start = faces if add_gt else []
    joined = start + priors + [hard[i] for i in chosen]
    gt_inds = list(range(1, len(start) + 1)) + assigned.gt_inds.tolist()
    gt_inds += [0] * len(chosen)
    positives = [i for i, face in enumerate(gt_inds) if face > 0]
    negatives = [i for i, face in enumerate(gt_inds) if face == 0]
    # As many as the base sampler takes.
    assert len(result.pos_inds) == min(len(positives), int(num * fraction))
    assert len(result.neg_inds) == min(
        len(negatives), num - len(result.pos_inds))
    assert set(result.pos_inds.tolist()) <= set(positives)
    assert set(result.neg_inds.tolist()) <= set(negatives)
    # Indices are those of the joined boxes.
    assert result.pos_priors.tolist() == [joined[i] for i in result.pos_inds]
    assert result.neg_priors.tolist() == [joined[i] for i in result.neg_inds]
    assert result.pos_is_gt.tolist() == [
        i < len(start) for i in result.pos_inds
    ]
    assert result.pos_assigned_gt_inds.tolist() == [
        gt_inds[i] - 1 for i in result.pos_inds
    ]
    # Hard ones first.
    first = len(joined) - len(chosen)
    taken = [i - first for i in result.neg_inds.tolist() if i >= first]
    number = min(len(chosen), len(result.neg_inds))
    assert len(taken) == number
    if order == 'score':
        assert taken == list(range(number))


def claimed(hard, anchors, negative, iou_thr, most=16):
    """Anchors: the best of each hard negative, the second of each, ..."""
    lists = []
    for box in hard:
        overlaps = {i: iou(box, anchors[i]) for i in negative}
        best = max(overlaps.values(), default=0)
        lists.append(
            sorted((i for i, overlap in overlaps.items()
                    if overlap >= iou_thr or overlap == best > 0),
                   key=lambda i: -overlaps[i])[:most])
    rounds = itertools.zip_longest(*lists)
    return list(
        dict.fromkeys(i for anchor in rounds for i in anchor if i is not None))


@settings(max_examples=80, deadline=None)
@given(cases, st.integers(1, 12), st.sampled_from(ASSIGNERS), st.booleans(),
       st.sampled_from(['score', 'random']), st.integers(1, 40),
       st.sampled_from([None, 1, 2, 16]))
def test_anchors_by_brute_force(case, num, kind, lower, order, pairs, most):
    faces, hard, priors = case.values()
    scores = score_list(hard)
    head = Head(
        kind,
        pos_iou_thr=.7,
        neg_iou_thr=(.1, .3) if lower else .3,
        min_pos_iou=.3)
    sampler = HardNegativeSampler(
        num,
        .5,
        add_gt_as_proposals=False,
        join='anchors',
        order=order,
        iou_thr=.4,
        max_anchors=most,
        context=head)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(anchors_on_boxes, '_MAX_PAIRS', pairs)
        result, assigned = run(sampler, head, priors,
                               truth(faces, hard, scores))
    gt_inds = assigned.gt_inds.tolist()
    below = {
        i
        for i, prior in enumerate(priors) if gt_inds[i] < 0 and lower and all(
            iou(prior, face) < Fraction(1, 10) for face in faces)
    }
    negative = [i for i, face in enumerate(gt_inds) if face == 0 or i in below]
    first = claimed([hard[i] for i in usable(hard, scores, faces)], priors,
                    negative, Fraction(2, 5), most)
    others = {i for i, face in enumerate(gt_inds) if face == 0}
    positives = {i for i, face in enumerate(gt_inds) if face > 0}
    assert len(result.pos_inds) == min(len(positives), num // 2)
    assert len(result.neg_inds) == min(
        len(others.union(first)), num - len(result.pos_inds))
    found = set(result.neg_inds.tolist())
    assert found <= others.union(first) and not found & positives
    number = min(len(first), len(found))
    assert len(found.intersection(first)) == number
    if order == 'score':
        assert set(first[:number]) <= found
    assert result.neg_priors.tolist() == [priors[i] for i in result.neg_inds]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(solid, min_size=1, max_size=5),
    st.lists(solid, min_size=1, max_size=25), st.sampled_from([None, 1, 3]),
    st.integers(1, 40), st.sampled_from([Fraction(1, 2),
                                         Fraction(1, 8)]))
def test_anchors_on_boxes(hard, anchors, most, pairs, iou_thr):
    """Their order."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(anchors_on_boxes, '_MAX_PAIRS', pairs)
        found = anchors_on_boxes.anchors_on_boxes(
            tensor(anchors), tensor(hard), float(iou_thr), most)
    assert found.tolist() == claimed(hard, anchors, range(len(anchors)),
                                     iou_thr, most)


@settings(max_examples=60, deadline=None)
@given(cases, st.integers(1, 6), st.sampled_from(['proposals', 'anchors']),
       st.sampled_from(['score', 'random']), st.sampled_from([None, 2]))
def test_scale_groups(case, num, join, order, seed):
    """In each group: as many of each kind as its base sampler, hard first."""
    faces, hard, priors = case.values()
    scores, scales = score_list(hard), (4, 7)
    head = Head(**dict(RCNN, neg_iou_thr=.4))
    sampler = HardNegativeScaleGroupSampler(
        num, .25, scales, seed=seed, join=join, order=order, context=head)
    result, assigned = run(sampler, head, priors, truth(faces, hard, scores))
    chosen = usable(hard, scores, faces)
    gt_inds = assigned.gt_inds.tolist()
    if join == 'proposals':
        first = list(range(len(priors), len(priors) + len(chosen)))
        joined = tensor(priors + [hard[i] for i in chosen])
        gt_inds += [0] * len(chosen)
    else:
        first = claimed([hard[i] for i in chosen], priors,
                        [i for i, face in enumerate(gt_inds) if face == 0],
                        Fraction(1, 2))
        joined = tensor(priors)
    base = ScaleGroupSampler(num, .25, scales)
    labels = torch.full((len(joined), ), -1)
    labels[torch.tensor(gt_inds) > 0] = 0
    expected = base.sample(
        AssignResult(
            len(faces), torch.tensor(gt_inds), torch.zeros(len(joined)),
            labels), InstanceData(priors=joined), truth(faces))
    groups = group_indices(joined, scales)
    for group in range(len(scales)):
        mine = [
            indices[groups[indices] == group].tolist()
            for indices in (result.pos_inds, result.neg_inds)
        ]
        base_counts = [
            int((groups[indices] == group).sum())
            for indices in (expected.pos_inds, expected.neg_inds)
        ]
        assert [len(indices) for indices in mine] == base_counts
        there = [i for i in first if groups[i] == group]
        number = min(len(there), len(mine[1]))
        assert len(set(mine[1]).intersection(there)) == number
        if order == 'score':
            assert set(there[:number]) <= set(mine[1])
    assert result.neg_priors.tolist() == joined[result.neg_inds].tolist()
