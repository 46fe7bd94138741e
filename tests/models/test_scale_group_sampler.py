"""ScaleGroupSampler by hand, and its randomness."""
import copy
import itertools
import pickle
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmdet.models.task_modules import AnchorGenerator
from mmdet.models.task_modules.assigners import AssignResult
from mmdet.registry import TASK_UTILS
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.structures import InstanceData

from tinyfaces.models import ScaleGroupSampler
from tinyfaces.models.task_modules import group_indices

SCALES = (16, 32, 64, 128)
POS, NEG, LEFT_OUT = 1, 0, -1


def case(*counts, shuffle=0):
    """Boxes and assignment with (positives, negatives, left out) per scale.
    """
    boxes, gt_inds = [], []
    for scale, numbers in zip(SCALES, counts):
        for kind, number in zip((POS, NEG, LEFT_OUT), numbers):
            boxes += [[0., 0, scale, scale]] * number
            gt_inds += [kind] * number
    order = torch.randperm(
        len(gt_inds), generator=torch.Generator().manual_seed(shuffle))
    boxes = torch.tensor(boxes).reshape(-1, 4)[order]
    gt_inds = torch.tensor(gt_inds, dtype=torch.long)[order]
    return boxes, AssignResult(1, gt_inds, (gt_inds > 0).float(),
                               torch.where(gt_inds > 0, 0, -1))


FACE = InstanceData(
    bboxes=torch.tensor([[0., 0, 40, 40]]), labels=torch.tensor([0]))


def draw(sampler, boxes, assigned, faces=FACE, **kwargs):
    # add_gt_ changes the assignment in place.
    return sampler.sample(
        copy.deepcopy(assigned), InstanceData(priors=boxes), faces, **kwargs)


def counts_of(result, boxes):
    """[positives, negatives] drawn of each group; none twice."""
    for indices in result.pos_inds, result.neg_inds:
        assert len(indices.unique()) == len(indices)
    groups = group_indices(boxes, SCALES)
    return torch.stack([
        groups[indices].bincount(minlength=4)
        for indices in (result.pos_inds, result.neg_inds)
    ], 1).tolist()  # yapf: disable


def test_by_hand():
    """1:3; negatives for positives; positives for negatives; all there is."""
    boxes, assigned = case((50, 200, 9), (2, 200, 9), (50, 10, 9), (3, 4, 99))
    result = draw(ScaleGroupSampler(20), boxes, assigned)
    assert counts_of(result, boxes) == [[5, 15], [2, 18], [10, 10], [3, 4]]
    assert (assigned.gt_inds[result.pos_inds] == POS).all()
    assert (assigned.gt_inds[result.neg_inds] == NEG).all()
    assert result.avg_factor == 67


numbers = st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(0, 9))


@settings(max_examples=100, deadline=None)
@given(
    counts=st.tuples(numbers, numbers, numbers, numbers),
    total=st.integers(1, 50),
    fraction=st.sampled_from([0., .25, .5, 1.]),
    seed=st.sampled_from([None, 3]))
def test_group_totals(counts, total, fraction, seed):
    boxes, assigned = case(*counts)
    sampler = ScaleGroupSampler(total, fraction, seed=seed)
    result = draw(sampler, boxes, assigned)
    for (positives, negatives, _), drawn in zip(counts,
                                                counts_of(result, boxes)):
        assert sum(drawn) == min(total, positives + negatives)
        quarter = int(total * fraction)
        if drawn[0] > quarter:
            assert drawn[1] == negatives  # for want of any others
        else:
            assert drawn[0] == min(positives, quarter)
    assert (assigned.gt_inds[result.pos_inds] == POS).all()
    assert (assigned.gt_inds[result.neg_inds] == NEG).all()


def test_the_papers_picture():
    """1,200 x 1,200 with four anchors on each cell of P2: 2,048 of each."""
    boxes = AnchorGenerator(
        strides=[4], ratios=[1.], scales=[4, 8, 16, 32],
        center_offset=0.).grid_priors([(300, 300)], device='cpu')[0]
    gt_inds = torch.zeros(len(boxes), dtype=torch.long)
    gt_inds[0:2400:4] = 1  # 600 of 16 pixels
    gt_inds[1:401:4] = 1  # 100 of 32 pixels
    gt_inds[2::4] = -1
    gt_inds[2:8002:4] = 0  # 2,000 of 64 pixels are not left out
    assigned = AssignResult(1, gt_inds, gt_inds.float(), gt_inds.clone())
    result = draw(ScaleGroupSampler(), boxes, assigned)
    assert counts_of(result, boxes) == [[512, 1536], [100, 1948], [0, 2000],
                                        [0, 2048]]


@pytest.mark.parametrize('seed', [None, 5])
def test_draws_are_uniform(seed):
    """Every pair of 6 negatives and every one of 5 positives is as likely.

    1,500 draws: a pair comes 100 times, standard deviation 10; one positive
    300 times, 15. Five deviations are allowed.
    """
    torch.manual_seed(0)
    boxes, assigned = case((5, 6, 3), (4, 20, 0))
    sampler = ScaleGroupSampler(3, 1 / 3, seed=seed)
    groups = group_indices(boxes, SCALES)
    positives, pairs = Counter(), Counter()
    for _ in range(1500):
        result = draw(sampler, boxes, assigned)
        first = [
            indices[groups[indices] == 0].tolist()
            for indices in (result.pos_inds, result.neg_inds)
        ]
        positives[first[0][0]] += 1
        pairs[tuple(first[1])] += 1
    negatives = torch.nonzero((groups == 0) & (assigned.gt_inds == 0))
    assert set(pairs) == set(
        itertools.combinations(negatives.squeeze(1).tolist(), 2))
    assert len(positives) == 5
    assert all(abs(count - 300) < 75 for count in positives.values())
    assert all(abs(count - 100) < 50 for count in pairs.values())


def test_groups_are_drawn_independently():
    """All 3 x 3 combinations of one of 3 in two groups; 900 draws, 100 each,
    standard deviation 9."""
    boxes, assigned = case((0, 3, 0), (0, 3, 0))
    sampler = ScaleGroupSampler(1, seed=0)
    drawn = Counter(
        tuple(draw(sampler, boxes, assigned).neg_inds.tolist())
        for _ in range(900))
    assert len(drawn) == 9
    assert all(abs(count - 100) < 50 for count in drawn.values())


def indices_of(sampler, boxes, assigned, times=3):
    results = [draw(sampler, boxes, assigned) for _ in range(times)]
    return [torch.cat([x.pos_inds, x.neg_inds]).tolist() for x in results]


def test_seed():
    """The same draws in every run, another one each time, and the global
    generator is left alone."""
    boxes, assigned = case((50, 200, 9), (50, 200, 9))
    state = torch.get_rng_state()
    first = indices_of(ScaleGroupSampler(20, seed=1), boxes, assigned)
    torch.rand(7)
    again = indices_of(ScaleGroupSampler(20, seed=1), boxes, assigned)
    other = indices_of(ScaleGroupSampler(20, seed=2), boxes, assigned)
    assert first == again
    assert first[0] != first[1] != first[2]
    assert first[0] != other[0]
    torch.set_rng_state(state)
    expected = torch.rand(1)
    torch.set_rng_state(state)
    indices_of(ScaleGroupSampler(20, seed=1), boxes, assigned)
    assert torch.rand(1) == expected


def test_without_seed_the_global_generator_decides():
    boxes, assigned = case((50, 200, 9), (50, 200, 9))
    runs = []
    for seed in 0, 0, 1:
        torch.manual_seed(seed)
        runs.append(indices_of(ScaleGroupSampler(20), boxes, assigned))
    assert runs[0] == runs[1] != runs[2]


@pytest.mark.parametrize(
    'clone',
    [copy.deepcopy, lambda sampler: pickle.loads(pickle.dumps(sampler))])
def test_can_be_copied_with_the_model(clone):
    boxes, assigned = case((50, 200, 9), (50, 200, 9))
    sampler = ScaleGroupSampler(20, seed=1)
    indices_of(sampler, boxes, assigned, 1)
    assert indices_of(clone(sampler), boxes,
                      assigned) == indices_of(sampler, boxes, assigned)


@pytest.mark.parametrize('box_type', [False, True])
def test_faces_as_proposals(box_type):
    """A face of 40 pixels becomes a positive of the second group."""
    boxes, assigned = case((0, 9, 0), (0, 9, 0))
    faces = FACE.clone()
    if box_type:
        boxes = HorizontalBoxes(boxes)
        faces.bboxes = HorizontalBoxes(faces.bboxes)
    result = draw(
        ScaleGroupSampler(4, add_gt_as_proposals=True),
        boxes,
        assigned,
        faces,
        feats=[torch.zeros(1, 1, 2, 2)])
    assert result.pos_inds.tolist() == [0]
    assert result.pos_is_gt.tolist() == [1]
    assert len(result.neg_inds) == 4 + 3
    without = draw(ScaleGroupSampler(4), boxes, assigned, faces)
    assert len(without.pos_inds) == 0 and len(without.neg_inds) == 8


def test_box_types_are_drawn_like_tensors():
    boxes, assigned = case((50, 200, 9), (50, 200, 9))
    first = draw(ScaleGroupSampler(20, seed=0), boxes, assigned)
    result = draw(
        ScaleGroupSampler(20, seed=0), HorizontalBoxes(boxes), assigned)
    assert torch.equal(first.pos_inds, result.pos_inds)
    assert torch.equal(first.neg_inds, result.neg_inds)
    assert isinstance(result.pos_priors, HorizontalBoxes)


@pytest.mark.parametrize('add', [False, True])
def test_no_boxes_and_no_faces(add):
    none = InstanceData(
        bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long))
    sampler = ScaleGroupSampler(4, add_gt_as_proposals=add)
    boxes, assigned = case()
    result = draw(sampler, boxes, assigned, none)
    assert len(result.pos_inds) == len(result.neg_inds) == 0
    boxes, assigned = case((0, 9, 0), (0, 9, 0))
    result = draw(sampler, boxes, assigned, none)
    assert counts_of(result, boxes)[:2] == [[0, 4], [0, 4]]
    assert result.pos_gt_bboxes.shape == (0, 4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA device')
@pytest.mark.parametrize('seed', [None, 0])
def test_cuda(seed):
    boxes, assigned = case((50, 200, 9), (2, 200, 9), (50, 10, 9))
    assigned = AssignResult(1, assigned.gt_inds.cuda(),
                            assigned.max_overlaps.cuda(),
                            assigned.labels.cuda())
    result = draw(
        ScaleGroupSampler(20, seed=seed), boxes.cuda(), assigned,
        FACE.to('cuda'))
    assert result.pos_inds.is_cuda and result.neg_inds.is_cuda
    assert counts_of(result, boxes.cuda())[:3] == [[5, 15], [2, 18], [10, 10]]


@pytest.mark.parametrize('name, value', [('num_per_group', 0),
                                         ('pos_fraction', 1.1),
                                         ('pos_fraction', -.1),
                                         ('group_scales', (32, 16))])
def test_bad_arguments(name, value):
    with pytest.raises(ValueError, match=name):
        ScaleGroupSampler(**{name: value})


def test_arguments_of_other_samplers():
    """What a config forgets to remove is not silently dropped."""
    with pytest.raises(TypeError, match='num'):
        TASK_UTILS.build(dict(type='ScaleGroupSampler', num=256))
