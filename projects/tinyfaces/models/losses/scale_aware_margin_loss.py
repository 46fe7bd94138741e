"""Focal loss with a margin that is larger for smaller faces."""
import torch
from mmdet.models.losses import FocalLoss
from mmdet.registry import MODELS
from torch import Tensor


@MODELS.register_module()
class ScaleAwareMarginLoss(FocalLoss):
    r"""Focal loss on :math:`\mathrm{sigmoid}(x - m)`,
    :math:`m = \alpha / \sqrt{wh}` (RefineFace, section 3.3, Eqs. 3 and 4).

    The margin is part of the loss only: at test time the score is
    ``sigmoid(x)``. It is :math:`\alpha` over the size in pixels, 1.7 for an
    anchor of 8.9 pixels and .04 for one of 360 with the paper's
    :math:`\alpha = 15`. With :math:`\alpha = 0` this is
    :class:`mmdet.models.losses.FocalLoss` exactly.

    The paper leaves two things open:

    - Which samples have a margin. By default the positives: the margin lowers
      x, so a face needs a logit higher by m for the same loss, while it would
      make the task *easier* for background. ``'both'`` is the letter of
      Eq. 3 ("for each sample"), but with the anchor's size it shifts all
      logits of one anchor shape alike: a network that adds m to them pays
      nothing, separates nothing, and scores small anchors too high at test
      time, when there is no margin.
    - Whose size it is. By default the anchor's: every sample has one, and its
      size is bounded from below. ``'face'`` is that of the matched face.

    A head that sees ``needs_sizes`` passes ``sizes``, measured as ``size_of``
    says, for which there is :func:`box_sizes`.

    Args:
        margin_scale: The paper's alpha, in pixels (not ``alpha``, which is
            focal loss's); 0 or more. Table 6 has 3 to 23.
        margin_on: ``'positive'`` or ``'both'``. With several classes a
            positive is the entry of a sample's own class.
        size_of: ``'anchor'`` or ``'face'``: what the head is to pass. The
            loss itself does not depend on it.
        min_size: Smaller sizes count as this, in pixels; it bounds the margin
            by ``margin_scale / min_size``.
        **kwargs: Arguments of :class:`mmdet.models.losses.FocalLoss`, without
            ``activated``.

    Raises:
        ValueError: An argument is out of range, or ``activated`` is set.
    """

    needs_sizes = True

    def __init__(self,
                 margin_scale: float = 15.0,
                 margin_on: str = 'positive',
                 size_of: str = 'anchor',
                 min_size: float = 1.0,
                 **kwargs) -> None:
        super().__init__(**kwargs)
        if self.activated:
            raise ValueError('ScaleAwareMarginLoss shifts logits and cannot '
                             'take probabilities: leave out activated=True')
        if not margin_scale >= 0:
            raise ValueError(
                f'margin_scale must be 0 or more, not {margin_scale}')
        if margin_on not in ('positive', 'both'):
            raise ValueError(
                f"margin_on must be 'positive' or 'both', not {margin_on!r}")
        if size_of not in ('anchor', 'face'):
            raise ValueError(
                f"size_of must be 'anchor' or 'face', not {size_of!r}")
        if not min_size > 0:
            raise ValueError(f'min_size must be above 0, not {min_size}')
        self.margin_scale = margin_scale
        self.margin_on = margin_on
        self.size_of = size_of
        self.min_size = min_size

    def forward(self,
                pred: Tensor,
                target: Tensor,
                weight: Tensor | None = None,
                avg_factor: float | None = None,
                reduction_override: str | None = None,
                sizes: Tensor | None = None) -> Tensor:
        """The loss, reduced like focal loss.

        Args:
            pred: Logits, shape (n, c).
            target: Class indices, shape (n, ), c for background; or one-hot,
                shape (n, c).
            weight: Shape (n, ) or (n, c).
            avg_factor: Divides the sum, instead of n * c.
            reduction_override: ``'none'``, ``'mean'`` or ``'sum'``.
            sizes: Square root of width times height of each sample, shape
                (n, ), in pixels of the network's input. A sample whose size
                is 0 or less has no margin.

        Returns:
            Tensor: A scalar, or (n, c) without reduction.

        Raises:
            ValueError: ``sizes`` is missing or has another shape.
        """
        if sizes is None:
            raise ValueError(
                'ScaleAwareMarginLoss needs the sizes of the samples: use it '
                'in a head that passes them, as SelectiveRefineHead does, or '
                'use FocalLoss')
        if sizes.shape != pred.shape[:1]:
            raise ValueError(
                f'sizes must have shape {tuple(pred.shape[:1])}, one per '
                f'sample, not {tuple(sizes.shape)}')
        return super().forward(
            pred - self._margins(pred, target, sizes),
            target,
            weight=weight,
            avg_factor=avg_factor,
            reduction_override=reduction_override)

    @torch.no_grad()
    def _margins(self, pred: Tensor, target: Tensor, sizes: Tensor) -> Tensor:
        """Margin of each logit, (n, 1) or (n, c), in the type of ``pred``."""
        margins = self.margin_scale / sizes.clamp(min=self.min_size)
        # Not by min_size: no size must not mean the largest margin.
        margins = margins.masked_fill(sizes <= 0, 0)
        margins = margins.to(pred.dtype)[:, None]
        if self.margin_on == 'both':
            return margins
        if target.dim() == pred.dim():
            positive = target > 0
        else:
            classes = torch.arange(pred.size(1), device=target.device)
            positive = target[:, None] == classes
        return margins * positive


def box_sizes(boxes: Tensor) -> Tensor:
    """Square root of width times height, as in Eq. 4 of RefineFace.

    Args:
        boxes: Shape (n, 4), xyxy in pixels.

    Returns:
        Tensor: Shape (n, ), in pixels; 0 for boxes without area.
    """
    sides = (boxes[:, 2:] - boxes[:, :2]).clamp(min=0)
    # Root by root: in float16 an area over 65,504 is infinite.
    return sides.sqrt().prod(dim=1)
