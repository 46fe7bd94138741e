"""The second stage of Group Sampling's detectors."""
from mmdet.registry import MODELS
from torch import Tensor

from .synced_bbox_heads import SyncedShared2FCBBoxHead


@MODELS.register_module()
class PairMeanBBoxHead(SyncedShared2FCBBoxHead):
    """Shared2FCBBoxHead with the mean of Eq. 2 as regression loss.

    Eq. 2 of "Group Sampling for Scale Invariant Face Detection" divides the
    regression loss by the number of positives (N_reg), one for each pair of
    box and face, where MMDetection's heads divide it by all regions. A
    picture with few faces has few positives, so that its boxes would count
    for less, and all the less if each scale of regions has its own share of
    positives. Nothing else differs.

    Args:
        *args: Arguments of Shared2FCBBoxHead.
        sync_avg_factor: Whether the number of positives, and that of regions
            which divides the classification, is the mean over all ranks and
            accumulated micro-batches; otherwise each batch's own, at least 1.
        **kwargs: Arguments of Shared2FCBBoxHead.
    """

    def _num_boxes(self, labels: Tensor) -> Tensor:
        """What divides the regression loss: the positives."""
        return ((labels >= 0) & (labels < self.num_classes)).sum()
