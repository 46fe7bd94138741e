"""Whole detectors: what a picture's draws are does not depend on others."""
import copy

import pytest
import torch
from face_samples import sample
from fsm_cases import make_feats, make_head, make_picture, make_proposals
from group_sampling_models import detector_config as group_sampling
from group_sampling_models import faster_rcnn as grouped_faster_rcnn
from group_sampling_models import group_sampler, random_sampler
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from tiny_faces_models import detector_config as tiny_faces
from tiny_faces_models import lively
from tiny_faster_rcnn import FASTER_RCNN

from tinyfaces.utils.draws import seed_generators

FACES = [[[5, 6, 14, 16], [60, 20, 80, 44]], [[50, 45, 90, 92]],
         [[30, 3, 45, 22], [8, 70, 38, 94]]]


def _grouped():
    """Faster R-CNN, whose samplers have no seed of their own."""
    config = grouped_faster_rcnn()
    for part in config.train_cfg.rpn, config.train_cfg.rcnn:
        part.sampler.seed = None
    return config


def _seeded(config, kind):
    return dict(config, type=kind)


DETECTORS = dict(
    faster_rcnn=lambda: ConfigDict(FASTER_RCNN),
    grouped_faster_rcnn=_grouped,
    group_sampling=lambda: group_sampling(sampler=group_sampler(seed=None)),
    seeded_random=lambda: group_sampling(
        sampler=_seeded(random_sampler(), 'SeededRandomSampler')),
    hard=lambda: group_sampling(
        sampler=dict(
            random_sampler(),
            type='HardNegativeSampler',
            join='anchors',
            order='random')),
    tiny_faces=lambda: tiny_faces(
        assigner=dict(noise=1e-6),
        sampler=dict(type='BalancedHardSampler', num=16, min_loss=None)))


def _build(name):
    torch.manual_seed(0)
    model = MODELS.build(copy.deepcopy(DETECTORS[name]()))
    model.init_weights()
    return lively(model).train()


def _samples(seeds):
    samples = [sample(faces, [], size=96) for faces in FACES]
    for each, seed in zip(samples, seeds):
        hard = dict(
            hard_negatives=torch.tensor([[40., 10., 56., 26.]] * 2),
            hard_negative_scores=torch.tensor([.5, .4]))
        each.gt_instances.set_metainfo(hard)
        if seed is not None:
            each.gt_instances.set_metainfo(dict(draw_seed=seed))
    return samples


def _losses(model, seeds, state):
    """Of one step, which leaves the samples and the model as they were."""
    inputs = torch.rand(
        3, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    seed_generators(state)
    losses = model.loss(inputs, _samples(seeds))
    return {
        name: sum(v) if isinstance(v, list) else v
        for name, v in losses.items()
    }


@pytest.mark.parametrize('name', DETECTORS)
def test_losses_follow_from_the_pictures_seeds(name):
    """And nothing is drawn from the global generators."""
    model = _build(name)
    first = _losses(model, [7, 8, 9], 0)
    seed_generators(1)
    state = torch.get_rng_state()
    again = _losses(model, [7, 8, 9], 1)
    assert torch.equal(state, torch.get_rng_state())
    assert first == again
    assert _losses(model, [7, 8, 10], 0) != first
    # Without seeds they do draw there.
    assert _losses(model, [None] * 3, 0) != _losses(model, [None] * 3, 1)
    assert not torch.equal(state, torch.get_rng_state())


def _drawn(model, monkeypatch, at):
    """Indices that both stages draw for some of the pictures."""
    drawn = []
    for sampler in (model.rpn_head.sampler, model.roi_head.bbox_sampler):

        def noting(*args, _sample=type(sampler).sample, _self=sampler, **kw):
            result = _sample(_self, *args, **kw)
            drawn.append((result.pos_inds.tolist(), result.neg_inds.tolist()))
            return result

        monkeypatch.setattr(sampler, 'sample', noting)
    inputs = torch.rand(
        3, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    samples = _samples([7, 8, 9])
    model.loss(inputs[at], [samples[one] for one in at])
    return drawn[:len(at)], drawn[len(at):]


def test_samples_of_a_batch_are_those_of_its_pictures(monkeypatch):
    """Both stages see the seed, though an RPN has copies of the samples."""
    # Batch norm would tell of the others.
    model = _build('faster_rcnn').eval()
    together = _drawn(model, monkeypatch, [0, 1, 2])
    alone = [_drawn(model, monkeypatch, [at]) for at in (0, 1, 2)]
    for stage in (0, 1):
        assert together[stage] == [one[stage][0] for one in alone]
    assert len(set(map(str, together[0] + together[1]))) == 6


def test_feature_supervision():
    """The one part that draws outside of samplers."""
    head = make_head(selection='random', num_samples=6)
    rows = [(1 - n / 40, [n, n, n + 9 + n % 3, n + 11], n % 3)
            for n in range(0, 40, 2)]
    results = []
    for seed, state in ((7, 0), (7, 1), (8, 0)):
        picture = make_picture([[4, 4, 14, 15], [30, 30, 41, 43]])
        picture.gt_instances.set_metainfo(dict(draw_seed=seed))
        torch.manual_seed(state)
        losses = head.loss(make_feats(), [make_proposals(rows)], [picture])
        results.append(losses['loss_fsm'].item())
    assert results[0] == results[1] != results[2]
