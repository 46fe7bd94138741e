"""The second stage of Group Sampling's detectors."""
import torch
from mmdet.models.roi_heads import Shared2FCBBoxHead
from mmdet.registry import MODELS
from mmdet.utils import reduce_mean
from torch import Tensor


@MODELS.register_module()
class PairMeanBBoxHead(Shared2FCBBoxHead):
    """Shared2FCBBoxHead with the mean of Eq. 2 as regression loss.

    Eq. 2 of "Group Sampling for Scale Invariant Face Detection" divides the
    regression loss by the number of positives (N_reg), one for each pair of
    box and face, where MMDetection's heads divide it by all regions. A
    picture with few faces has few positives, so that its boxes would count
    for less, and all the less if each scale of regions has its own share of
    positives. Nothing else differs.

    Args:
        *args: Arguments of Shared2FCBBoxHead.
        sync_avg_factor: Whether the number of positives, which is that of a
            batch and at least 1, is the mean over all ranks; otherwise each
            rank's own.
        **kwargs: Arguments of Shared2FCBBoxHead.
    """

    def __init__(self, *args, sync_avg_factor: bool = True, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.sync_avg_factor = sync_avg_factor

    def loss(self,
             cls_score: Tensor | None,
             bbox_pred: Tensor | None,
             rois: Tensor,
             labels: Tensor,
             label_weights: Tensor,
             bbox_targets: Tensor,
             bbox_weights: Tensor,
             reduction_override: str | None = None) -> dict[str, Tensor]:
        """Losses of a batch of n regions.

        Args:
            cls_score: Logits, shape (n, num_classes + 1).
            bbox_pred: Deltas, shape (n, 4) or (n, 4 * num_classes).
            rois: Index of the picture and box, shape (n, 5).
            labels: Class, or ``num_classes`` of background, shape (n, ).
            label_weights: Shape (n, ).
            bbox_targets: Shape (n, 4).
            bbox_weights: Shape (n, 4).
            reduction_override: See Shared2FCBBoxHead; without a mean nothing
                is divided.

        Returns:
            dict[str, Tensor]: Those of Shared2FCBBoxHead. ``loss_bbox`` is 0
            without positives, and still has a gradient.
        """
        losses = super().loss(cls_score, bbox_pred, rois, labels,
                              label_weights, bbox_targets, bbox_weights,
                              reduction_override)
        if bbox_pred is not None and reduction_override in (None, 'mean'):
            positive = (labels >= 0) & (labels < self.num_classes)
            number = positive.sum().to(torch.float32)
            # also without positives: no rank may skip it
            if self.sync_avg_factor:
                number = reduce_mean(number)
            # instead of by len(labels)
            losses['loss_bbox'] = losses['loss_bbox'] * (
                len(labels) / number.clamp(min=1))
        return losses
