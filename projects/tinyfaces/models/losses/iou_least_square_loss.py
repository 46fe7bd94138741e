"""IoU least square loss of Group Sampling."""
import torch
from mmdet.models.losses.utils import weight_reduce_loss
from mmdet.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class IoULeastSquareLoss(nn.Module):
    r""":math:`(1 - \mathrm{IoU})^2` of decoded boxes ("Group Sampling for
    Scale Invariant Face Detection", Eq. 2).

    Its gradient is 0 where the IoU is 1, other than that of
    :math:`-\ln(\mathrm{IoU})` (``IoULoss`` of MMDetection). It is not
    ``IoULoss(mode='square')``, which is :math:`1 - \mathrm{IoU}^2` and
    steepest there. Boxes that do not overlap cost 1, without a gradient, as
    with every loss of the IoU alone.

    The head has to decode its boxes: ``reg_decoded_bbox=True``. Boxes are
    compared in at least float32, also under automatic mixed precision. Boxes
    without area, or with swapped corners, cost 1; gradients stay finite.

    Args:
        reduction: ``'mean'``, ``'sum'`` or ``'none'``.
        loss_weight: Factor of the loss.
        eps: Boxes whose union is not larger, in square pixels, count as not
            overlapping. Above 0.

    Raises:
        ValueError: ``reduction`` or ``eps`` is out of range.
    """

    def __init__(self,
                 reduction: str = 'mean',
                 loss_weight: float = 1.0,
                 eps: float = 1e-6) -> None:
        super().__init__()
        _check_reduction(reduction)
        if not eps > 0:
            raise ValueError(f'eps must be above 0, not {eps}')
        self.reduction = reduction
        self.loss_weight = loss_weight
        self.eps = eps

    def forward(self,
                pred: Tensor,
                target: Tensor,
                weight: Tensor | None = None,
                avg_factor: float | Tensor | None = None,
                reduction_override: str | None = None) -> Tensor:
        """The loss, reduced like MMDetection's ``IoULoss``.

        Args:
            pred: Decoded boxes, xyxy in pixels, shape (n, 4).
            target: Boxes of the matched faces, shape (n, 4).
            weight: Shape (n, ), or (n, 4), of which the mean counts.
            avg_factor: Divides the sum, instead of n; the paper's N_reg.
            reduction_override: ``'none'``, ``'mean'`` or ``'sum'``.

        Returns:
            Tensor: A scalar, or (n, ) without reduction. 0 without boxes.

        Raises:
            ValueError: Boxes of other shapes, an unknown
                ``reduction_override``, or ``avg_factor`` with ``'sum'``.
        """
        if pred.shape != target.shape or pred.shape[-1:] != (4, ):
            raise ValueError('pred and target must both have shape (n, 4), '
                             f'not {tuple(pred.shape)} and '
                             f'{tuple(target.shape)}')
        reduction = reduction_override or self.reduction
        _check_reduction(reduction)
        if weight is not None and weight.dim() > 1:
            weight = weight.mean(dim=-1)
        if len(pred) == 0 and avg_factor is None and reduction == 'mean':
            reduction = 'sum'  # the mean of nothing is not a number
        loss = (1 - _aligned_ious(pred, target, self.eps)).square()
        return self.loss_weight * weight_reduce_loss(loss, weight, reduction,
                                                     avg_factor)


def _check_reduction(reduction: str) -> None:
    """Raise ValueError for none of the three."""
    if reduction not in ('none', 'mean', 'sum'):
        raise ValueError(f"reduction must be 'none', 'mean' or 'sum', not "
                         f'{reduction!r}')


def _aligned_ious(boxes: Tensor, others: Tensor, eps: float) -> Tensor:
    """IoU of each pair, (n, ), in at least float32; 0 if both have no area."""
    dtype = torch.promote_types(boxes.dtype, torch.float32)
    boxes, others = boxes.to(dtype), others.to(dtype)
    inter = _areas(
        torch.maximum(boxes[:, :2], others[:, :2]),
        torch.minimum(boxes[:, 2:], others[:, 2:]))
    union = (
        _areas(boxes[:, :2], boxes[:, 2:]) +
        _areas(others[:, :2], others[:, 2:]) - inter)
    # Filled before the division too: behind it a gradient of nan would stay.
    none = union <= eps
    return (inter / union.masked_fill(none, 1)).masked_fill(none, 0)


def _areas(low: Tensor, high: Tensor) -> Tensor:
    """Areas, (n, ), by the corners, (n, 2); 0 where they are swapped."""
    width, height = (high - low).clamp(min=0).unbind(dim=1)
    return width * height
