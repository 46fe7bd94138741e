"""The prior of FeatureSupervisionHead: a gentle start without parameters."""
import copy

import pytest
import torch
from fsm_cases import make_feats, make_head, make_picture, make_proposals
from fsm_transcription import focal
from mmengine.config import Config
from refine_models import BASE, build, sample

FACES = [[10, 10, 40, 47], [60, 60, 100, 110], [3, 50, 11, 60]]


@pytest.mark.parametrize('prior, score', [(.01, .01), (.2, .2), (None, .5)])
def test_without_weights_each_score_is_the_prior(prior, score):
    """A face and two negatives: their focal losses at that score."""
    head = make_head(prior=prior)
    for parameter in head.parameters():
        torch.nn.init.zeros_(parameter)
    rois = torch.tensor([[0., 8, 8, 20, 20]]).double()
    scores = head(make_feats(), rois, torch.tensor([0])).sigmoid()
    assert scores.tolist() == [[pytest.approx(score)]]
    losses = head.loss(make_feats(), [
        make_proposals([(.9, [10, 10, 15, 15], 0), (.7, [40, 40, 50, 50], 1)])
    ], [make_picture([[10, 10, 20, 20]])])
    logit = torch.tensor(score).double().logit().item()
    assert losses['loss_fsm'].item() == pytest.approx(
        focal(logit, True) + 2 * focal(logit, False), rel=1e-6)


@pytest.mark.parametrize('prior, low, high', [(.01, .005, .02),
                                              (None, .3, .7)])
def test_initial_scores_lie_around_the_prior(prior, low, high):
    """With the weights that training starts from."""
    head = make_head(256, feat_channels=(128, 64, 32), prior=prior)
    corner = torch.rand(50, 2).double() * 40
    rois = torch.cat([corner.new_zeros(50, 1), corner, corner + 12], dim=1)
    with torch.no_grad():
        scores = head(make_feats(channels=256), rois,
                      torch.arange(50) % 3).sigmoid()
    assert low < scores.min() and scores.max() < high
    assert scores.std() > 0


@pytest.mark.parametrize('layer_type', ['conv', 'fc'])
def test_is_no_parameter(layer_type):
    """Also not of a checkpoint: weights fit whatever the prior."""
    one, other = (
        make_head(layer_type=layer_type, prior=prior) for prior in (.01, None))
    assert [n for n, _ in one.named_parameters()
            ] == [n for n, _ in other.named_parameters()]
    other.load_state_dict(one.state_dict())


def value_and_gradient(loss, parameters):
    """And the norm of the gradient."""
    parts = torch.autograd.grad(
        loss, parameters, retain_graph=True, allow_unused=True)
    gradient = torch.cat([p.flatten() for p in parts if p is not None])
    return torch.stack([loss.detach(), gradient.norm()])


@pytest.mark.parametrize('faces', [FACES, FACES[:1], []])
def test_does_not_dominate_the_start(faces):
    """Section 3.4: "relatively small loss", and here against the detector's
    own classification, in value and in the gradient of the maps' layers."""
    config = Config.fromfile(BASE / 'refineface_mbv2.py').model
    # It may drop the only face from the detector's loss when training begins.
    config.bbox_head.stc_levels = ()
    without = copy.deepcopy(config)
    without.feature_supervision.prior = None
    images = torch.randn(
        1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    ratios = []
    for model in (build(config), build(without)):
        losses = model.train().loss(images, [sample(faces, size=128)])
        layers = list(model.neck.fpn_convs.parameters())
        fsm, own = (
            value_and_gradient(losses[name], layers)
            for name in ('loss_fsm', 'loss_cls'))
        ratios.append(fsm / own)
    assert (ratios[0] < 2).all()
    assert (ratios[1] > 3).all()
