"""Expected numbers of samples against samplers that draw."""
import importlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmdet.models.task_modules.assigners import AssignResult
from mmdet.models.task_modules.samplers import (IoUBalancedNegSampler,
                                                PseudoSampler, RandomSampler)
from mmengine.structures import InstanceData

from tinyfaces.models.task_modules import (ScaleGroupSampler,
                                           SeededRandomSampler)

TOOLS = Path(__file__).parents[2] / 'tools'
SCALES = 16, 32
PICTURES = np.array([[[3, 8], [20, 6]], [[0, 5], [4, 4]], [[9, 0], [2, 40]]])


@pytest.fixture(scope='module')
def expected_samples():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(TOOLS))
        yield importlib.import_module('_sample_numbers').expected_samples


def draw(sampler, counts):
    """Positives and negatives, (2, groups), of one draw in a picture.

    ``counts`` are those that there are; an anchor that is neither is added
    to each group.
    """
    boxes, gt_inds = [], []
    for group, scale in enumerate(SCALES):
        kinds = np.repeat([1, 0, -1], [*counts[:, group], 1])
        gt_inds += kinds.tolist()
        boxes += [[0, 0, scale, scale]] * len(kinds)
    gt_inds = torch.tensor(gt_inds)
    priors = torch.tensor(boxes).float()
    faces = InstanceData(
        bboxes=torch.tensor([[0., 0, 20, 20]]), labels=torch.tensor([0]))
    assigned = AssignResult(
        1, gt_inds, torch.zeros(len(gt_inds)), labels=gt_inds.clamp(max=0))
    drawn = sampler.sample(assigned, InstanceData(priors=priors), faces)
    return np.array(
        [[int((priors[inds, 2] == scale).sum()) for scale in SCALES]
         for inds in (drawn.pos_inds, drawn.neg_inds)])


def of_pictures(expected_samples, sampler, counts=PICTURES):
    return np.stack(
        expected_samples(sampler, counts[:, 0], counts[:, 1]), axis=1)


@settings(max_examples=60, deadline=None)
@given(
    number=st.integers(1, 12),
    fraction=st.sampled_from([0, .25, .5, 1]),
    counts=st.lists(st.integers(0, 15), min_size=4, max_size=4))
def test_group_sampler_has_no_chance(expected_samples, number, fraction,
                                     counts):
    counts = np.array(counts).reshape(1, 2, 2)
    sampler = ScaleGroupSampler(number, fraction, SCALES)
    assert of_pictures(expected_samples, sampler,
                       counts)[0].tolist() == draw(sampler,
                                                   counts[0]).tolist()


@pytest.mark.parametrize(
    'options',
    [dict(num=16), dict(num=16, neg_pos_ub=1),
     dict(num=1000)])
@pytest.mark.parametrize('kind', [RandomSampler, SeededRandomSampler])
def test_random_sampler_on_average(expected_samples, kind, options):
    """Means of 400 draws are within five standard errors."""
    torch.manual_seed(0)
    sampler = kind(pos_fraction=.25, add_gt_as_proposals=False, **options)
    for counts, expected in zip(PICTURES, of_pictures(expected_samples,
                                                      sampler)):
        draws = np.array([draw(sampler, counts) for _ in range(400)])
        error = draws.std(axis=0) / 20
        assert (abs(draws.mean(axis=0) - expected) <= 5 * error + 1e-9).all()
        # The totals of positives and of negatives are no matter of chance.
        assert np.allclose(draws.sum(axis=2), expected.sum(axis=1))


def test_all(expected_samples):
    assert (of_pictures(expected_samples, PseudoSampler()) == PICTURES).all()


def test_unknown_samplers(expected_samples):
    arguments = PICTURES[:, 0], PICTURES[:, 1]
    with pytest.raises(ValueError, match='IoUBalancedNegSampler'):
        expected_samples(IoUBalancedNegSampler(16, .25), *arguments)
    for sampler in (RandomSampler(16, .25),
                    ScaleGroupSampler(add_gt_as_proposals=True)):
        with pytest.raises(ValueError, match='add_gt_as_proposals=False'):
            expected_samples(sampler, *arguments)
