r"""Sigmoid focal loss (Lin et al., ICCV 2017, equation 5), per element.

With p = sigmoid(x), the loss of the class that is the target is
:math:`-\alpha (1 - p)^\gamma \log p`, that of every other class
:math:`-(1 - \alpha) p^\gamma \log(1 - p)`. The functions have the signatures
of mmcv's compiled ops, which exist for CUDA tensors only; these run on every
device. Both logarithms come from log-sigmoid, so that a logit of 20 or 200
still gives the true loss: the compiled op rounds 1 - p to 0 there.
"""
import torch
import torch.nn.functional as F
from torch import Tensor


@torch.no_grad()
def sigmoid_focal_loss_forward(input: Tensor, target: Tensor, weight: Tensor,
                               output: Tensor, gamma: float,
                               alpha: float) -> None:
    """Writes the unreduced loss into ``output``.

    Args:
        input (Tensor): (N, C) logits; half types are computed in float32.
        target (Tensor): (N,) int64 class indices; C, and everything else
            outside of 0 ... C - 1, is background.
        weight (Tensor): (C,) factors for the rows whose target is that
            class, or empty. Background rows have the factor 1 (the compiled
            op would read behind the end of ``weight`` for them).
        output (Tensor): (N, C), filled in place.
        gamma (float): Focusing parameter, >= 0.
        alpha (float): Share of the positive class, 0 to 1.
    """
    logits = _widen(input)
    positive = _one_hot(target, input.shape[1])
    # The probability of being wrong, and the logarithm of being right.
    wrong = torch.sigmoid(torch.where(positive, -logits, logits))
    log_right = F.logsigmoid(torch.where(positive, logits, -logits))
    loss = -_balance(positive, alpha, logits) * wrong.pow(gamma) * log_right
    output.copy_(loss * _row_factors(target, weight, logits))


@torch.no_grad()
def sigmoid_focal_loss_backward(input: Tensor, target: Tensor, weight: Tensor,
                                grad_input: Tensor, gamma: float,
                                alpha: float) -> None:
    """Writes the derivative of the unreduced loss into ``grad_input``.

    The caller multiplies it by the gradient that arrives from above. For
    q, the probability of being wrong, the derivative of
    :math:`-q^\\gamma \\log(1 - q)` by the logit of q is
    :math:`q^\\gamma (q - \\gamma (1 - q) \\log(1 - q))`.

    Args:
        input (Tensor): As in :func:`sigmoid_focal_loss_forward`, and so are
            ``target``, ``weight``, ``gamma`` and ``alpha``.
        grad_input (Tensor): (N, C), filled in place.
    """
    logits = _widen(input)
    positive = _one_hot(target, input.shape[1])
    wrong_logit = torch.where(positive, -logits, logits)
    wrong = torch.sigmoid(wrong_logit)
    right, log_right = torch.sigmoid(-wrong_logit), F.logsigmoid(-wrong_logit)
    slope = wrong.pow(gamma) * (wrong - gamma * right * log_right)
    slope = torch.where(positive, -slope, slope)
    slope = slope * _balance(positive, alpha, logits)
    grad_input.copy_(slope * _row_factors(target, weight, logits))


def _widen(input: Tensor) -> Tensor:
    """Float32 of half types, the tensor itself otherwise."""
    return input.float() if input.element_size() < 4 else input


def _one_hot(target: Tensor, num_classes: int) -> Tensor:
    """(N, C) bool; background rows are all False."""
    classes = torch.arange(num_classes, device=target.device)
    return target[:, None] == classes


def _balance(positive: Tensor, alpha: float, like: Tensor) -> Tensor:
    """(N, C): alpha where positive, 1 - alpha elsewhere."""
    return torch.where(positive, like.new_full((), alpha),
                       like.new_full((), 1 - alpha))


def _row_factors(target: Tensor, weight: Tensor, like: Tensor) -> Tensor:
    """(N, 1) weight of each row's target class, 1 for background."""
    if weight.numel() == 0:
        return like.new_ones(1, 1)
    inside = (target >= 0) & (target < weight.numel())
    rows = weight.to(like)[target.clamp(0, weight.numel() - 1)]
    return torch.where(inside, rows, torch.ones_like(rows))[:, None]
