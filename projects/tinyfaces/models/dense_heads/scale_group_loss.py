"""The losses of ScaleGroupHead."""
import torch
from mmdet.structures.bbox import cat_boxes, get_box_tensor
from mmdet.utils import InstanceList, OptInstanceList
from mmengine.structures import InstanceData
from torch import Tensor

from ..avg_factor import mean_avg_factor
from ..precision import at_least_float
from .anchor_rows import anchor_rows


class ScaleGroupLossMixin:
    """Section 5 of Group Sampling, for :class:`ScaleGroupHead`."""

    def loss_by_feat(
        self,
        cls_scores: list[Tensor],
        bbox_preds: list[Tensor],
        batch_gt_instances: InstanceList,
        batch_img_metas: list[dict],
        batch_gt_instances_ignore: OptInstanceList = None
    ) -> dict[str, Tensor]:
        """Losses of a batch, in at least float32.

        Args:
            cls_scores: Logits of each level.
            bbox_preds: Deltas of each level.
            batch_gt_instances: Faces of each picture.
            batch_img_metas: Have ``img_shape`` and ``pad_shape``.
            batch_gt_instances_ignore: Ignored faces of each picture.

        Returns:
            dict[str, Tensor]: ``loss_cls`` and ``loss_bbox``, scalars.
        """
        anchors, valid = self.get_anchors([m.shape[-2:] for m in cls_scores],
                                          batch_img_metas,
                                          device=cls_scores[0].device)
        *targets, _, drawn = self.get_targets(
            anchors,
            valid,
            batch_gt_instances,
            batch_img_metas,
            batch_gt_instances_ignore,
            return_sampling_results=True)
        labels, weights, box_targets, _ = (torch.cat(t, 1) for t in targets)
        at = torch.nonzero(weights > 0, as_tuple=True)  # picture, anchor
        samples = InstanceData(
            pictures=at[0],
            anchors=get_box_tensor(cat_boxes(anchors[0]))[at[1]],
            logits=at_least_float(
                anchor_rows(cls_scores, self.cls_out_channels)[at]),
            deltas=at_least_float(anchor_rows(bbox_preds, 4)[at]),
            labels=labels[at],
            weights=weights[at],
            box_targets=box_targets[at])
        mining = self.train_cfg.get('ohem') is not None
        if mining:
            samples = self._hardest(samples, len(batch_img_metas))
        positives = samples[samples.labels < self.num_classes]
        # False without a sampler, where focal loss counts positives alone
        count_all = mining or drawn[0].avg_factor_with_neg
        counts = samples.logits.new_tensor(
            [len(samples if count_all else positives),
             len(positives)])
        counts = mean_avg_factor(counts, self.sync_avg_factor)
        return dict(
            loss_cls=self._class_loss(samples, avg_factor=counts[0]),
            loss_bbox=self._box_loss(positives, avg_factor=counts[1]))

    def _hardest(self, samples: InstanceData, pictures: int) -> InstanceData:
        """Those of the highest loss in each picture (OHEM)."""
        if not len(samples):
            return samples
        positive = samples.labels < self.num_classes
        with torch.no_grad():
            costs = _row_sums(
                self._class_loss(samples, reduction_override='none'))
            if positive.any():
                costs[positive] += _row_sums(
                    self._box_loss(
                        samples[positive], reduction_override='none'))
        hardest = []
        for picture in range(pictures):
            rows = torch.nonzero(samples.pictures == picture).squeeze(1)
            number = min(self.train_cfg['ohem']['num'], len(rows))
            hardest.append(rows[costs[rows].topk(number)[1]])
        return samples[torch.cat(hardest)]

    def _class_loss(self, samples: InstanceData, **options) -> Tensor:
        if not len(samples):
            # 0, and so is its gradient: each parameter still gets one, which
            # distributed training waits for
            return samples.logits.sum()
        return self.loss_cls(samples.logits, samples.labels, samples.weights,
                             **options)

    def _box_loss(self, positives: InstanceData, **options) -> Tensor:
        deltas = positives.deltas
        if not len(positives):
            return deltas.sum()  # as above
        if self.reg_decoded_bbox:
            deltas = get_box_tensor(
                self.bbox_coder.decode(positives.anchors, deltas))
        return self.loss_bbox(deltas, positives.box_targets, **options)


def _row_sums(losses: Tensor) -> Tensor:
    """(n, ) or (n, k) as (n, )."""
    return losses.reshape(len(losses), -1).sum(dim=1)
