"""From the output of ScaleGroupHead to boxes."""
from collections.abc import Sequence

import torch
from mmdet.models.dense_heads import AnchorHead
from mmdet.models.utils import filter_scores_and_topk
from mmdet.structures import SampleList
from mmdet.structures.bbox import cat_boxes, get_box_tensor
from mmdet.utils import InstanceList
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import Tensor

from ..precision import at_least_float
from .anchor_rows import anchor_rows


class ScaleGroupPredictionMixin:
    """Inference of Group Sampling, for :class:`ScaleGroupHead`."""

    def predict_with_groups(
        self,
        x: Sequence[Tensor],
        batch_data_samples: SampleList,
        rescale: bool = False
    ) -> tuple[InstanceList, list[dict[str, InstanceData]]]:
        """Detections of each picture, and those of each group alone.

        A group's own detections go through NMS and ``max_per_img`` without
        those of other groups, which a joint NMS could have suppressed by
        them.

        Args:
            x: Maps of the neck.
            batch_data_samples: Have ``img_shape`` and ``scale_factor``.
            rescale: As in :meth:`predict_by_feat`.

        Returns:
            tuple: Detections as of ``predict``, and for each picture those of
            each group by its name.
        """
        candidates = self.predict_by_feat(
            *self(x),
            batch_img_metas=[s.metainfo for s in batch_data_samples],
            rescale=rescale,
            with_nms=False)
        joint, alone = [], []
        for found in candidates:
            joint.append(self._bbox_post_process(found, self.test_cfg))
            alone.append({
                name:
                self._bbox_post_process(found[found.groups == group],
                                        self.test_cfg)
                for group, name in enumerate(self.group_names)
            })
        return joint, alone

    def predict_by_feat(self,
                        cls_scores: list[Tensor],
                        bbox_preds: list[Tensor],
                        score_factors: None = None,
                        batch_img_metas: list[dict] | None = None,
                        cfg: ConfigDict | None = None,
                        rescale: bool = False,
                        with_nms: bool = True) -> InstanceList:
        """Detections of each picture, in at least float32.

        Args:
            cls_scores: Logits of each level.
            bbox_preds: Deltas of each level.
            score_factors: None, as in RPNHead.
            batch_img_metas: Have ``img_shape`` and, to rescale,
                ``scale_factor``.
            cfg: Instead of ``test_cfg``.
            rescale: Whether boxes are in pixels of the original picture and
                not of the network's input.
            with_nms: Whether NMS and ``max_per_img`` apply.

        Returns:
            list[InstanceData]: ``bboxes`` (n, 4), xyxy, clipped to the
            picture, ``scores`` (n, ), ``labels`` (n, ), 0, and ``groups``
            (n, ) int64: the index of the anchor's group.
        """
        # MMDetection makes the anchors in the type of the scores, and half
        # precision knows no coordinates above 2,048 to the pixel.
        cls_scores, bbox_preds = ([at_least_float(m.detach()) for m in maps]
                                  for maps in (cls_scores, bbox_preds))
        return super().predict_by_feat(cls_scores, bbox_preds, score_factors,
                                       batch_img_metas, cfg, rescale, with_nms)

    def _predict_by_feat_single(self,
                                cls_score_list: list[Tensor],
                                bbox_pred_list: list[Tensor],
                                score_factor_list: list[None],
                                mlvl_priors: list[Tensor],
                                img_meta: dict,
                                cfg: ConfigDict | None,
                                rescale: bool = False,
                                with_nms: bool = True) -> InstanceData:
        """As :meth:`predict_by_feat`, of one picture.

        Args:
            cls_score_list: Logits of each level, shape (a * c, H, W).
            bbox_pred_list: Deltas of each level, shape (4a, H, W).
            score_factor_list: Not used.
            mlvl_priors: Anchors of each level, shape (H * W * a, 4).
            img_meta: Metainfo of the picture.
            cfg: Instead of ``test_cfg``.
            rescale: See there.
            with_nms: See there.
        """
        cfg = self.test_cfg if cfg is None else cfg
        logits = _rows(cls_score_list, self.cls_out_channels)
        deltas = _rows(bbox_pred_list, 4)
        if self.use_sigmoid_cls:
            scores = logits.sigmoid()
        else:
            scores = logits.softmax(dim=-1)[:, :-1]
        anchors = get_box_tensor(cat_boxes(mlvl_priors))
        groups = torch.cat([
            one.to(scores.device).repeat(len(priors) // len(one))
            for one, priors in zip(self.cell_groups, mlvl_priors)
        ])
        number = cfg.get('nms_pre', -1)
        best = []
        for group in range(len(self.group_scales)):
            own = torch.nonzero(groups == group).squeeze(1)
            best.append(
                filter_scores_and_topk(scores[own], cfg.get('score_thr', 0),
                                       number if number > 0 else len(own),
                                       own))
        scores, labels, _, kept = (torch.cat(parts) for parts in zip(*best))
        boxes = self.bbox_coder.decode(
            anchors[kept], deltas[kept], max_shape=img_meta['img_shape'])
        found = InstanceData(
            bboxes=get_box_tensor(boxes),
            scores=scores,
            labels=labels,
            groups=groups[kept])
        return self._bbox_post_process(found, cfg, rescale, with_nms, img_meta)

    def _bbox_post_process(self, *args, **kwargs) -> InstanceData:
        """That of all dense heads: RPNHead's has an NMS for each level."""
        return AnchorHead._bbox_post_process(self, *args, **kwargs)


def _rows(maps: list[Tensor], channels: int) -> Tensor:
    """Maps of one picture, (a * channels, H, W), as (A, channels)."""
    return anchor_rows([m[None] for m in maps], channels)[0]
