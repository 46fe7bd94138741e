"""The losses of SelectiveRefineHead."""
from collections.abc import Sequence

import torch
from mmdet.models.utils import unpack_gt_instances
from mmdet.structures import SampleList
from mmdet.structures.bbox import get_box_tensor
from mmdet.utils import InstanceList, OptInstanceList
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import Tensor

from ..avg_factor import mean_avg_factor
from ..losses import box_sizes
from .anchor_rows import anchor_rows
from .face_matching import BACKGROUND, UNUSED, match_faces

# For feature supervision, which applies NMS itself. No score threshold: the
# scores of an untrained network are all low.
PROPOSAL_CFG = dict(
    nms_pre=5000, nms_pre_over='image', score_thr=0, min_bbox_size=0)


class TwoStepLossMixin:
    """Eqs. 1 and 2 of RefineFace, for :class:`SelectiveRefineHead`."""

    def loss_and_proposals(
        self,
        x: Sequence[Tensor | None],
        batch_data_samples: SampleList,
        proposal_cfg: dict | None = None
    ) -> tuple[dict[str, Tensor], InstanceList]:
        """Losses of a batch and what the head detects in it.

        Args:
            x: As in :meth:`SelectiveRefineHead.forward`.
            batch_data_samples: With faces, of each picture.
            proposal_cfg: Like ``test_cfg``; NMS only if it has ``nms``. By
                default the best 5,000 of a picture, as at test time, of any
                score and without NMS.

        Returns:
            tuple: The losses, and for each picture the detected ``bboxes``
            (n, 4), xyxy in pixels of the network's input, ``scores`` (n, ),
            ``labels`` (n, ) and ``levels`` (n, ), 0 to L - 1; detached.
        """
        outputs = self(x)
        faces, ignored, metas = unpack_gt_instances(batch_data_samples)
        losses = self.loss_by_feat(*outputs, faces, metas, ignored)
        cfg = ConfigDict(proposal_cfg or PROPOSAL_CFG)
        with torch.no_grad():
            proposals = self.predict_by_feat(
                *outputs,
                batch_img_metas=metas,
                cfg=cfg,
                with_nms='nms' in cfg,
                with_levels=True)
        return losses, proposals

    def loss_by_feat(
        self,
        cls_scores: list[Tensor],
        bbox_preds: list[Tensor],
        first_cls_scores: list[Tensor],
        first_bbox_preds: list[Tensor],
        batch_gt_instances: InstanceList,
        batch_img_metas: list[dict],
        batch_gt_instances_ignore: OptInstanceList = None
    ) -> dict[str, Tensor]:
        """Losses of both steps, and how many anchors STC drops.

        Args:
            cls_scores: Second-step logits of each level.
            bbox_preds: Second-step deltas of each level.
            first_cls_scores: First-step logits on ``stc_levels``.
            first_bbox_preds: First-step deltas on ``str_levels``.
            batch_gt_instances: Faces of each picture.
            batch_img_metas: Have ``img_shape`` and ``pad_shape``.
            batch_gt_instances_ignore: Ignored faces of each picture.

        Returns:
            dict[str, Tensor]: Scalars; keys as in
            :class:`SelectiveRefineHead`.
        """
        tiled, valid, levels = self._tiled_anchors(cls_scores, batch_img_metas)
        faces = InstanceData(
            bboxes=torch.cat(
                [get_box_tensor(gt.bboxes) for gt in batch_gt_instances]),
            labels=torch.cat([gt.labels for gt in batch_gt_instances]))

        def match(assigner, anchors: Tensor) -> Tensor:
            return match_faces(assigner, anchors, valid, batch_gt_instances,
                               batch_gt_instances_ignore, batch_img_metas,
                               self.train_cfg['allowed_border'])

        # By step: logits or deltas, anchors, matches
        class_terms, box_terms = {}, {}
        anchors, passed = tiled, torch.ones_like(valid)
        if self.stc_levels or self.str_levels:
            first = match(self.first_assigner, tiled)
        if self.stc_levels:
            on = torch.isin(levels, levels.new_tensor(self.stc_levels))
            logits = anchor_rows(first_cls_scores, self.cls_out_channels)
            class_terms['first'] = logits, tiled[:, on], first[:, on]
            passed[:, on] = self._passes(logits)
        if self.str_levels:
            on = torch.isin(levels, levels.new_tensor(self.str_levels))
            deltas = anchor_rows(first_bbox_preds, 4)
            box_terms['first'] = deltas, tiled[:, on], first[:, on]
            anchors = tiled.clone()
            anchors[:, on] = self._refined(tiled[:, on], deltas)
        matched = match(self.assigner, anchors)
        second = anchors, torch.where(passed, matched, UNUSED)
        class_terms['second'] = (anchor_rows(cls_scores,
                                             self.cls_out_channels), *second)
        box_terms['second'] = anchor_rows(bbox_preds, 4), *second
        losses = self._losses(class_terms, box_terms, faces)
        if self.stc_levels:
            kinds = dict(pos=matched >= 0, neg=matched == BACKGROUND)
            for name, chosen in kinds.items():
                seen, dropped = chosen.sum(), (chosen & ~passed).sum()
                losses[f'stc_{name}'] = seen / len(chosen)
                losses[f'stc_dropped_{name}'] = dropped / len(chosen)
                losses[f'stc_share_{name}'] = dropped / seen.clamp(min=1)
        return losses

    def _tiled_anchors(self, maps: list[Tensor],
                       metas: list[dict]) -> tuple[Tensor, Tensor, Tensor]:
        """Anchors (N, A, 4), on the picture or not (N, A), levels (A, )."""
        anchors, valid = self.get_anchors([m.shape[-2:] for m in maps],
                                          metas,
                                          device=maps[0].device)
        counts = [len(level) for level in anchors[0]]
        levels = torch.arange(self.num_levels, device=maps[0].device)
        levels = levels.repeat_interleave(
            torch.tensor(counts, device=levels.device))
        tiled = torch.cat(anchors[0]).expand(len(metas), -1, -1)
        return tiled, torch.stack([torch.cat(v) for v in valid]), levels

    def _losses(self, class_terms: dict, box_terms: dict,
                faces: InstanceData) -> dict[str, Tensor]:
        """Each term over its own positives."""
        terms = [*class_terms.values(), *box_terms.values()]
        # At least 1 per picture, as MMDetection's sampling results have it
        counts = torch.stack([(matched >= 0).sum(dim=1).clamp(min=1).sum()
                              for _, _, matched in terms])
        counts = iter(mean_avg_factor(counts, self.sync_avg_factor))
        losses = {}
        for step, term in class_terms.items():
            losses[_name('loss_cls',
                         step)] = self._class_loss(*term, faces, next(counts),
                                                   step in self.margin_steps)
        for step, term in box_terms.items():
            losses[_name('loss_bbox',
                         step)] = self._box_loss(*term, faces, next(counts))
        return losses

    def _class_loss(self, logits: Tensor, anchors: Tensor, matched: Tensor,
                    faces: InstanceData, count: Tensor,
                    margin: bool) -> Tensor:
        """Classification loss of (N, n) anchors over ``count``."""
        positive = matched >= 0
        labels = torch.full_like(matched, self.num_classes)
        labels[positive] = faces.labels[matched[positive]]
        weights = (matched != UNUSED).to(logits.dtype)
        if self.train_cfg['pos_weight'] > 0:
            weights[positive] = self.train_cfg['pos_weight']
        options = {}
        if getattr(self.loss_cls, 'needs_sizes', False):
            if self.loss_cls.size_of == 'face':
                anchors = anchors.clone()
                anchors[positive] = faces.bboxes[matched[positive]].to(anchors)
            sizes = box_sizes(anchors.reshape(-1, 4))
            # To the loss a sample of no size is one without margin.
            options['sizes'] = sizes if margin else torch.zeros_like(sizes)
        return self.loss_cls(
            logits.reshape(-1, self.cls_out_channels),
            labels.reshape(-1),
            weights.reshape(-1),
            avg_factor=count,
            **options)

    def _box_loss(self, deltas: Tensor, anchors: Tensor, matched: Tensor,
                  faces: InstanceData, count: Tensor) -> Tensor:
        """Regression loss of the positives of (N, n) anchors over ``count``.

        Without positives it is 0, and so is its gradient: each parameter
        still gets one, which distributed training waits for.
        """
        positive = matched >= 0
        deltas, anchors = deltas[positive], anchors[positive]
        targets = faces.bboxes[matched[positive]]
        if self.reg_decoded_bbox:
            deltas = get_box_tensor(self.bbox_coder.decode(anchors, deltas))
        else:
            targets = self.bbox_coder.encode(anchors, targets)
        return self.loss_bbox(deltas, targets, avg_factor=count)


def _name(loss: str, step: str) -> str:
    return loss if step == 'second' else f'{loss}_{step}'
