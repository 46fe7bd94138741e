"""MMDetection's heads of regions, divided by means over all ranks."""
import torch
from mmdet.models.roi_heads import BBoxHead, Shared2FCBBoxHead
from mmdet.registry import MODELS
from torch import Tensor

from ..avg_factor import SyncsAvgFactor, mean_avg_factor


class SyncedBBoxMixin(SyncsAvgFactor):
    """For a ``BBoxHead`` of MMDetection, in front of it.

    Such a head divides classification by the regions that count, and
    regression by all of them, of the batch that it sees.
    """

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
            reduction_override: See BBoxHead; without a mean nothing is
                divided.

        Returns:
            dict[str, Tensor]: Those of the head. ``loss_bbox`` is 0 without
            positives, and still has a gradient. So is ``loss_cls`` without
            regions, where MMDetection has none at all, unless
            ``sync_avg_factor`` is False.
        """
        losses = super().loss(cls_score, bbox_pred, rois, labels,
                              label_weights, bbox_targets, bbox_weights,
                              reduction_override)
        if reduction_override not in (None, 'mean'):
            return losses
        if self.sync_avg_factor and cls_score is not None and not len(labels):
            losses.setdefault('loss_cls', cls_score.sum())
        counted, regions = (label_weights > 0).sum(), label_weights.numel()
        divided = torch.stack(
            [counted.clamp(min=1),
             counted.new_full((), regions)])
        # also without regions: no rank may skip it
        means = mean_avg_factor(
            torch.stack([counted, self._num_boxes(labels)]),
            self.sync_avg_factor)
        of_class, of_boxes = divided / means
        for name in losses:
            if name.startswith('loss'):
                factor = of_boxes if name == 'loss_bbox' else of_class
                losses[name] = losses[name] * factor
        return losses

    def _num_boxes(self, labels: Tensor) -> Tensor:
        """What divides the regression loss: all regions."""
        return labels.new_full((), labels.numel())


@MODELS.register_module()
class SyncedBBoxHead(SyncedBBoxMixin, BBoxHead):
    """BBoxHead with ``sync_avg_factor``, see :class:`SyncedBBoxMixin`."""


@MODELS.register_module()
class SyncedShared2FCBBoxHead(SyncedBBoxMixin, Shared2FCBBoxHead):
    """Shared2FCBBoxHead with ``sync_avg_factor``, see
    :class:`SyncedBBoxMixin`."""
