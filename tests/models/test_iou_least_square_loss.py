"""IoULeastSquareLoss by hand, beside MMDetection's losses, and gradient."""
import math

import pytest
import torch
from mmdet.models.losses import IoULoss
from mmdet.registry import MODELS
from torch.autograd import gradcheck

from tinyfaces.models.losses import IoULeastSquareLoss

TARGET = [0., 0, 10, 10]
# IoU with the target: 1, 1/2, 1/3, 0.
PREDS = [[0., 0, 10, 10], [0, 0, 10, 5], [5, 0, 15, 10], [20, 20, 30, 30]]
IOUS = [1, 1 / 2, 1 / 3, 0]


def tensors(dtype=torch.float64):
    pred = torch.tensor(PREDS, dtype=dtype, requires_grad=True)
    return pred, torch.tensor([TARGET] * len(PREDS), dtype=dtype)


def test_by_hand():
    loss = IoULeastSquareLoss(reduction='none')(*tensors())
    assert loss.tolist() == pytest.approx([0, 1 / 4, 4 / 9, 1])


def test_beside_mmdet():
    """-ln(IoU) and 1 - IoU^2 are other losses (of IoUs above their eps)."""
    pred, target = (boxes[:3] for boxes in tensors())
    log = IoULoss(mode='log', reduction='none')(pred, target)
    square = IoULoss(mode='square', reduction='none')(pred, target)
    ours = IoULeastSquareLoss(reduction='none')(pred, target)
    assert log.tolist() == pytest.approx([0, math.log(2), math.log(3)])
    assert square.tolist() == pytest.approx([0, 3 / 4, 8 / 9])
    # All three tell the IoU: that is the same, and so the formula differs.
    expected = (1 - torch.exp(-log))**2
    torch.testing.assert_close(ours, expected)
    torch.testing.assert_close(ours, (1 - (1 - square).sqrt())**2)
    assert (ours[1:] < square[1:]).all()


@pytest.mark.parametrize('shift', [0., 1e-4, -1e-4])
def test_gradient_is_zero_at_iou_1(shift):
    """Those of the other two stay, to either side: PyTorch's halves of a
    maximum of equals cancel only where the IoU is exactly 1."""
    gradients = {}
    for name, loss in dict(
            ours=IoULeastSquareLoss(),
            log=IoULoss(mode='log'),
            square=IoULoss(mode='square')).items():
        pred = torch.tensor([[0., 0, 10, 10 + shift]], requires_grad=True)
        loss(pred, torch.tensor([TARGET])).backward()
        gradients[name] = pred.grad.abs().max().item()
    assert gradients['ours'] <= .03 * abs(shift)
    if shift:
        assert gradients['log'] > .09 and gradients['square'] > .19


def test_gradient_by_hand():
    """Of height h < 10 the IoU is h / 10: d/dh = -2 (1 - h/10) / 10."""
    pred = torch.tensor([[0., 0, 10, 5]], requires_grad=True)
    IoULeastSquareLoss()(pred, torch.tensor([TARGET])).backward()
    assert pred.grad[0, 3].item() == pytest.approx(-.1)


def test_gradcheck():
    generator = torch.Generator().manual_seed(0)
    corners = 50 * torch.rand(30, 2, generator=generator, dtype=torch.float64)
    sides = 5 + 40 * torch.rand(
        30, 2, generator=generator, dtype=torch.float64)
    target = torch.cat([corners, corners + sides], dim=1)
    noise = torch.rand(30, 4, generator=generator, dtype=torch.float64) - .5
    pred = (target + 12 * noise).requires_grad_()
    weight = torch.rand(30, generator=generator, dtype=torch.float64)
    loss = IoULeastSquareLoss(reduction='none')
    assert (loss(pred, target) < 1).sum() > 20
    assert gradcheck(lambda x: loss(x, target, weight), pred)


# Without width, without height, a point, swapped in x, in y, in both.
DEGENERATE = [[3., 2, 3, 8], [2, 3, 8, 3], [4, 4, 4, 4], [8, 2, 3, 9],
              [2, 8, 9, 3], [8, 8, 3, 3]]


@pytest.mark.parametrize('target', [TARGET, *DEGENERATE])
@pytest.mark.parametrize('pred', DEGENERATE)
def test_boxes_without_area(pred, target):
    """They cost 1 and spoil no one else's gradient.

    Of their own, only a line inside of a target has one, of at most 2 * 6 /
    100: it pays to widen it.
    """
    pred = torch.tensor([pred, [0., 0, 10, 5]], requires_grad=True)
    loss = IoULeastSquareLoss(reduction='none')(
        pred, torch.tensor([target, TARGET]))
    loss.sum().backward()
    assert loss.tolist() == pytest.approx([1, 1 / 4])
    largest = .12 if target == TARGET else 0.
    assert pred.grad[0].abs().max().item() <= largest + 1e-6
    assert pred.grad[1, 3].item() == pytest.approx(-.1)


def test_target_without_area():
    target = torch.tensor([DEGENERATE[0]])
    pred = torch.tensor([TARGET], requires_grad=True)
    loss = IoULeastSquareLoss()(pred, target)
    loss.backward()
    assert loss.item() == 1
    assert pred.grad.isfinite().all()


def test_gradient_of_the_smallest_boxes_is_finite():
    """Half a square of side s: -1 / s, and 0 from eps = s^2 on."""
    for side in 1., 1e-2, 1e-4:
        pred = torch.tensor([[0., 0, side, side / 2]], requires_grad=True)
        target = torch.tensor([[0., 0, side, side]])
        IoULeastSquareLoss()(pred, target).backward()
        expected = -1 / side if side**2 > 1e-6 else 0
        assert pred.grad[0, 3].item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize('call', [
    dict(),
    dict(avg_factor=3.),
    dict(avg_factor=torch.tensor(3.)),
    dict(reduction_override='none'),
    dict(reduction_override='none', avg_factor=3.),
    dict(reduction_override='sum')
])
@pytest.mark.parametrize('weight', [
    None,
    torch.tensor([1., 2, 0, .5]),
    torch.tensor([1., 2, 0, .5])[:, None].repeat(1, 4),
    torch.zeros(4)
])
def test_reduces_like_iou_loss(call, weight):
    """MMDetection's 1 - IoU of boxes where that is (1 - IoU)^2 of ours."""
    pred, target = tensors(torch.float32)
    linear = IoULoss(mode='linear', reduction='none', eps=0.)(pred, target)
    theirs = IoULoss(mode='linear', loss_weight=2., eps=0.)
    ours = IoULeastSquareLoss(loss_weight=2.)
    # The part of the target's height that makes 1 - IoU the square.
    shifted = target.clone()
    shifted[:, 3] = 10 * (1 - linear.detach()**2)
    torch.testing.assert_close(
        ours(pred, target, weight, **call),
        theirs(shifted, target, weight, **call))


def test_avg_factor_with_sum():
    with pytest.raises(ValueError, match='avg_factor'):
        IoULeastSquareLoss()(
            *tensors(), avg_factor=2., reduction_override='sum')


@pytest.mark.parametrize('call', [
    dict(),
    dict(avg_factor=1.),
    dict(weight=torch.zeros(0, 4)),
    dict(weight=torch.zeros(0), avg_factor=0.),
    dict(reduction_override='sum')
])
def test_no_boxes(call):
    pred = torch.zeros(0, 4, requires_grad=True)
    loss = IoULeastSquareLoss()(pred, torch.zeros(0, 4), **call)
    loss.backward()
    assert loss == 0 and pred.grad.shape == (0, 4)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_compared_in_float32(dtype):
    """In float16 an area over 65,504 square pixels is infinite."""
    pred = torch.tensor([[0, 0, 512, 256]], dtype=dtype, requires_grad=True)
    loss = IoULeastSquareLoss()(pred, torch.tensor([[0., 0, 512, 512]]))
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(1 / 4)
    assert pred.grad[0, 3].item() == pytest.approx(-1 / 512, rel=1e-2)


def test_bad_arguments():
    with pytest.raises(ValueError, match='reduction'):
        IoULeastSquareLoss(reduction='max')
    with pytest.raises(ValueError, match='eps'):
        IoULeastSquareLoss(eps=0)
    with pytest.raises(ValueError, match='reduction'):
        IoULeastSquareLoss()(*tensors(), reduction_override='max')
    with pytest.raises(ValueError, match=r'not \(4, 4\) and \(3, 4\)'):
        IoULeastSquareLoss()(tensors()[0], tensors()[1][:3])
    with pytest.raises(ValueError, match=r'shape \(n, 4\)'):
        IoULeastSquareLoss()(torch.zeros(2, 5), torch.zeros(2, 5))


def test_fits_a_box():
    """Gradient descent on it finds the target."""
    pred = torch.tensor([[4., 3, 17, 12]], requires_grad=True)
    loss = MODELS.build(dict(type='IoULeastSquareLoss'))
    optimizer = torch.optim.SGD([pred], lr=5.)
    target = torch.tensor([TARGET])
    for _ in range(300):
        optimizer.zero_grad()
        loss(pred, target).backward()
        optimizer.step()
    assert loss(pred, target) < 1e-3
