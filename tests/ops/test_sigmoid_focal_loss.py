"""Sigmoid focal loss: hand-computed values, MMDetection's CPU path, autograd.

mmcv's CPU build has no focal loss ("implementation for device cpu not
found"), so there is no compiled op to compare with here.
"""
import math

import pytest
import torch
import torch.nn.functional as F

from tinyfaces.ops import (sigmoid_focal_loss_backward,
                           sigmoid_focal_loss_forward)


def forward(logits, target, gamma=2., alpha=.25, weight=None):
    """The op, with a result of its own."""
    weight = logits.new_empty(0) if weight is None else weight
    output = torch.full_like(logits, 7.)
    sigmoid_focal_loss_forward(
        logits, target, weight, output, gamma=gamma, alpha=alpha)
    return output


def backward(logits, target, gamma=2., alpha=.25, weight=None):
    """The op, with a result of its own."""
    weight = logits.new_empty(0) if weight is None else weight
    grad = torch.full_like(logits, 7.)
    sigmoid_focal_loss_backward(
        logits, target, weight, grad, gamma=gamma, alpha=alpha)
    return grad


def reference(logits, target, gamma, alpha, weight=None):
    """MMDetection's plain PyTorch loss, per element."""
    from mmdet.models.losses.focal_loss import py_sigmoid_focal_loss
    classes = logits.shape[1]
    one_hot = F.one_hot(target, classes + 1)[:, :classes]
    loss = py_sigmoid_focal_loss(
        logits, one_hot, gamma=gamma, alpha=alpha, reduction='none')
    if weight is None:
        return loss
    return loss * torch.cat((weight, weight.new_ones(1)))[target][:, None]


def test_logit_0(device):
    # p = 1/2: alpha / 4 * ln 2 for the target, (1 - alpha) / 4 * ln 2 else.
    loss = forward(
        torch.zeros(1, 2, device=device), torch.tensor([1], device=device))
    expected = [.75 / 4 * math.log(2), .25 / 4 * math.log(2)]
    assert loss[0].tolist() == pytest.approx(expected)


def test_gamma_0_is_cross_entropy(device):
    logits = torch.randn(9, 1, device=device)
    target = torch.randint(0, 2, (9, ), device=device)  # 1 is background
    expected = F.binary_cross_entropy_with_logits(
        logits, (target == 0).float()[:, None], reduction='none')
    torch.testing.assert_close(
        forward(logits, target, gamma=0., alpha=.5) * 2, expected)


@pytest.mark.parametrize('classes', [1, 3])
@pytest.mark.parametrize('gamma, alpha', [(2., .25), (0., .5), (1.5, .75)])
@pytest.mark.parametrize('weighted', [False, True])
def test_equals_mmdetection_and_autograd(classes, gamma, alpha, weighted,
                                         device):
    logits = 4 * torch.randn(50, classes, dtype=torch.float64, device=device)
    target = torch.randint(0, classes + 1, (50, ), device=device)
    weight = None
    if weighted:
        weight = torch.rand(classes, dtype=torch.float64, device=device)
    logits.requires_grad_()
    expected = reference(logits, target, gamma, alpha, weight)
    grad, = torch.autograd.grad(expected.sum(), logits)
    values = logits.detach()
    torch.testing.assert_close(
        forward(values, target, gamma, alpha, weight), expected.detach())
    torch.testing.assert_close(
        backward(values, target, gamma, alpha, weight), grad)


@pytest.mark.parametrize('dtype, tolerance', [(torch.float32, 1e-6),
                                              (torch.float16, 2e-3),
                                              (torch.bfloat16, 2e-2)])
def test_other_types(dtype, tolerance, device):
    logits = (3 * torch.randn(40, 2, device=device)).to(dtype)
    target = torch.randint(0, 3, (40, ), device=device)
    for op in (forward, backward):
        result = op(logits, target)
        assert result.dtype == dtype
        torch.testing.assert_close(
            result.double(),
            op(logits.double(), target),
            rtol=tolerance,
            atol=tolerance)


@pytest.mark.parametrize('logit', [20., 100., 1000.])
def test_large_logits_are_finite_and_exact(logit):
    # Confidently wrong: the loss is the logit itself, the slope 1.
    logits = torch.tensor([[-logit], [logit]])
    target = torch.tensor([0, 1])
    assert forward(logits, target)[:, 0].tolist() == pytest.approx(
        [.25 * logit, .75 * logit])
    assert backward(logits, target)[:,
                                    0].tolist() == pytest.approx([-.25, .75])
    # Confidently right: nothing.
    assert forward(-logits, target).abs().max() < 1e-6
    assert backward(-logits, target).abs().max() < 1e-6


def test_targets_outside_are_background():
    logits = torch.randn(3, 2)
    weight = torch.tensor([3., 5.])
    targets = torch.tensor([2, -1, 99])
    background = torch.full((3, ), 2)
    assert forward(
        logits, targets, weight=weight).equal(forward(logits, background))


def test_no_rows():
    assert forward(torch.zeros(0, 3), torch.zeros(0).long()).shape == (0, 3)


@pytest.mark.parametrize('reduction, share', [('sum', 1), ('mean', 1 / 6)])
def test_through_mmcv(reduction, share):
    from mmcv.ops import sigmoid_focal_loss
    from mmcv.ops.focal_loss import ext_module

    from tinyfaces.ops import StandIn
    if not isinstance(ext_module, StandIn):
        pytest.skip('mmcv has compiled ops, which need CUDA tensors here')
    logits = torch.randn(6, 2, dtype=torch.float64, requires_grad=True)
    target = torch.randint(0, 3, (6, ))
    loss = sigmoid_focal_loss(logits, target, 2., .25, None, reduction)
    loss.backward()
    expected = reference(logits, target, 2., .25).sum() * share
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(logits.grad,
                               torch.autograd.grad(expected, logits)[0])
