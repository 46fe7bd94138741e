"""PairMeanBBoxHead against the mean of its pairs, and MMDetection's head."""
import pytest
import torch
from group_sampling_models import IOU, bbox_head_config
from mmdet.registry import MODELS

from tinyfaces.models import PairMeanBBoxHead, avg_factor

L1 = dict(loss_bbox=dict(type='SmoothL1Loss', beta=1.))


def head(**options):
    torch.manual_seed(0)
    built = MODELS.build(
        bbox_head_config(**dict(dict(type='PairMeanBBoxHead'), **options)))
    built.init_weights()
    return built


def regions(number, positives):
    """Arguments of ``loss``: regions of 40 pixels, and where their faces are.

    Each face is a part of its region, as high and narrower.
    """
    generator = torch.Generator().manual_seed(0)
    corners = 100 * torch.rand(number, 2, generator=generator)
    rois = torch.cat([torch.zeros(number, 1), corners, corners + 40], dim=1)
    labels = torch.ones(number, dtype=torch.long)
    labels[:positives] = 0
    faces = rois[:, 1:].clone()
    faces[:, 2] -= 20 * torch.rand(number, generator=generator)
    scores = torch.randn(number, 2, generator=generator)
    return dict(
        cls_score=scores,
        # no change: the regions are the boxes that are compared
        bbox_pred=torch.zeros(number, 4, requires_grad=True),
        rois=rois,
        labels=labels,
        label_weights=torch.ones(number),
        bbox_targets=faces * (labels == 0)[:, None],
        bbox_weights=(labels == 0).float()[:, None].repeat(1, 4))


@pytest.mark.parametrize('number, positives', [(512, 10), (512, 128), (40, 10),
                                               (1, 1)])
def test_mean_of_the_pairs(number, positives):
    """(1 - IoU)^2 = (the part that the face is narrower)^2."""
    batch = regions(number, positives)
    losses = head(**IOU).loss(**batch)
    boxes, faces = batch['rois'][:positives, 1:], batch['bbox_targets']
    narrower = (boxes[:, 2] - faces[:positives, 2]) / 40
    assert losses['loss_bbox'].item() == pytest.approx(
        narrower.square().mean().item(), rel=1e-4)
    losses['loss_bbox'].backward()
    gradient = batch['bbox_pred'].grad.abs().sum(dim=1)
    assert (gradient[:positives] > 0).all() and not gradient[positives:].any()


@pytest.mark.parametrize('options', [L1, IOU])
def test_beside_the_stock_head(options):
    """Regression is heavier by all through positives, and the rest equal."""
    stock = head(type='Shared2FCBBoxHead', **options)
    ours = head(**options)
    assert isinstance(ours, PairMeanBBoxHead)
    weights = stock.state_dict()
    assert list(weights) == list(ours.state_dict())
    assert all(
        torch.equal(weights[n], w) for n, w in ours.state_dict().items())
    theirs = stock.loss(**regions(512, 10))
    losses = ours.loss(**regions(512, 10))
    assert losses.keys() == theirs.keys()
    torch.testing.assert_close(losses['loss_bbox'], theirs['loss_bbox'] * 51.2)
    assert torch.equal(losses['loss_cls'], theirs['loss_cls'])
    assert torch.equal(losses['acc'], theirs['acc'])


@pytest.mark.parametrize('number', [512, 0])
def test_no_positives(number):
    """0, with a gradient, so that distributed training gets one."""
    batch = regions(number, 0)
    loss = head(**IOU).loss(**batch)['loss_bbox']
    loss.backward()
    assert loss == 0
    assert torch.equal(batch['bbox_pred'].grad, torch.zeros(number, 4))


@pytest.mark.parametrize('positives', [0, 10])
def test_mean_over_ranks(monkeypatch, positives):
    """Others have more, so that 10 positives here become a mean of 40, and
    512 regions one of 542; without positives, too, this rank takes part."""
    asked = []

    def reduce_mean(number):
        asked.append(number.tolist())
        return number + 30

    monkeypatch.setattr(avg_factor, 'reduce_mean', reduce_mean)
    own = head(sync_avg_factor=False, **IOU).loss(**regions(512, positives))
    assert asked == []
    mean = head(**IOU).loss(**regions(512, positives))
    assert asked == [[512, positives]]
    torch.testing.assert_close(mean['loss_bbox'], own['loss_bbox'] / 4)
    torch.testing.assert_close(mean['loss_cls'], own['loss_cls'] * 512 / 542)


def test_the_only_positive_of_all_ranks(monkeypatch):
    """Of eight: what the others add to the mean of their losses is 0."""
    monkeypatch.setattr(avg_factor, 'reduce_mean', lambda n: n / 8)
    monkeypatch.setattr(avg_factor, 'get_world_size', lambda: 8)
    mean = head(**IOU).loss(**regions(512, 1))
    own = head(sync_avg_factor=False, **IOU).loss(**regions(512, 1))
    torch.testing.assert_close(mean['loss_bbox'] / 8, own['loss_bbox'])


def test_without_reduction_nothing_is_divided():
    """As OHEM of MMDetection asks for it."""
    call = dict(regions(512, 10), reduction_override='none')
    theirs = head(type='Shared2FCBBoxHead', **IOU).loss(**call)
    losses = head(**IOU).loss(**call)
    assert losses['loss_bbox'].shape == (10, )
    assert torch.equal(losses['loss_bbox'], theirs['loss_bbox'])
