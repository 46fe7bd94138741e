"""MMDetection's heads of anchors, divided by means over all ranks."""
from typing import Any

import torch
from mmdet.models.dense_heads import RetinaHead, RPNHead
from mmdet.registry import MODELS

from ..avg_factor import SyncsAvgFactor, mean_avg_factor


class SyncedAnchorMixin(SyncsAvgFactor):
    """For an ``AnchorHead`` of MMDetection, in front of it.

    Such a head divides its losses by the number of samples.
    """

    def get_targets(self, *args: Any, **kwargs: Any) -> tuple:
        """Those of the head, with another ``avg_factor``.

        Args:
            *args: Arguments of the head's method.
            **kwargs: Arguments of the head's method.

        Returns:
            tuple: Labels, their weights, box targets and their weights of
            each level, ``avg_factor``, and what else the head gives.
        """
        targets = super().get_targets(*args, **kwargs)
        if not self.sync_avg_factor:
            return targets
        labels, number = targets[0][0], targets[4]
        number = labels.new_full((), float(number), dtype=torch.float32)
        return (*targets[:4], mean_avg_factor(number), *targets[5:])


@MODELS.register_module()
class SyncedRPNHead(SyncedAnchorMixin, RPNHead):
    """RPNHead with ``sync_avg_factor``, see :class:`SyncedAnchorMixin`."""


@MODELS.register_module()
class SyncedRetinaHead(SyncedAnchorMixin, RetinaHead):
    """RetinaHead with ``sync_avg_factor``, see :class:`SyncedAnchorMixin`."""
