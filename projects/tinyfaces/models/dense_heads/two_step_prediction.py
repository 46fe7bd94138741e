"""From the output of SelectiveRefineHead to boxes."""
from collections.abc import Sequence

import torch
from mmdet.models.utils import filter_scores_and_topk
from mmdet.structures import SampleList
from mmdet.structures.bbox import get_box_tensor
from mmdet.utils import InstanceList
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import Tensor

from ..precision import at_least_float
from .sparse_cells import on_cells


class TwoStepPredictionMixin:
    """Inference of RefineFace (section 3.6), for SelectiveRefineHead."""

    def predict(self,
                x: Sequence[Tensor | None],
                batch_data_samples: SampleList,
                rescale: bool = False) -> InstanceList:
        """Detections of each picture.

        Args:
            x: As in :meth:`SelectiveRefineHead.forward`.
            batch_data_samples: Have ``img_shape`` and ``scale_factor``.
            rescale: As in :meth:`predict_by_feat`, which has the result.

        Raises:
            ValueError: ``test_cfg.sparse`` is set, and the convolutions are
                not plain.
        """
        outputs = self._sparse_forward(x) if self._is_sparse(x) else self(x)
        return self.predict_by_feat(
            *outputs,
            batch_img_metas=[sample.metainfo for sample in batch_data_samples],
            rescale=rescale)

    def _is_sparse(self, x: Sequence[Tensor | None]) -> bool:
        self._check_sparse()
        two_steps = bool(self.stc_levels or self.str_levels)
        return self.test_cfg.get(
            'sparse', two_steps and self._has_plain_layers
            and x[-1].device.type == 'cpu')

    @property
    def _has_plain_layers(self) -> bool:
        """Whether no layer can look at a map as a whole."""
        return self.conv_cfg is None and self.norm_cfg is None

    def _check_sparse(self) -> None:
        if self.test_cfg.get('sparse') and not self._has_plain_layers:
            raise ValueError('test_cfg.sparse needs plain convolutions: leave '
                             'it out, or conv_cfg and norm_cfg')

    def _sparse_forward(self, x: Sequence[Tensor | None]) -> tuple:
        """As ``forward``, but only what ``predict_by_feat`` looks at.

        Second-step logits around the cells where STC lets an anchor of any
        picture pass, and second-step deltas around those where one scores
        high enough; -inf and 0 elsewhere.
        """
        first, second = self._split(x)
        first_cls = [self._logits(first[level]) for level in self.stc_levels]
        first_box = [self._deltas(first[level]) for level in self.str_levels]
        passing = dict(zip(self.stc_levels, first_cls))
        reach = self.stacked_convs + self.predictor_kernel // 2
        cls_scores, bbox_preds = [], []
        for level, feat in enumerate(second):
            if level in passing:
                wanted = _any(passing[level], self.stc_score_thr)
                logits = on_cells(self._logits, feat, wanted, reach,
                                  passing[level].shape[1], -torch.inf)
            else:
                logits = self._logits(feat)
            wanted = _any(logits, self._score_thr(logits, self.test_cfg))
            cls_scores.append(logits)
            bbox_preds.append(
                on_cells(self._deltas, feat, wanted, reach,
                         4 * self.num_base_priors, 0.))
        return cls_scores, bbox_preds, first_cls, first_box

    def _score_thr(self, logits: Tensor, cfg: ConfigDict) -> float:
        """What a score of the second step must exceed on a level."""
        cells = logits.shape[-2] * logits.shape[-1]
        small = cells < cfg.get('small_level_cells', 0)
        return 0 if small else cfg.get('score_thr', 0)

    def _passes(self, logits: Tensor) -> Tensor:
        """Whether STC leaves anchors to the second step, (..., c) -> (...)"""
        scores = at_least_float(logits.detach()).sigmoid()
        return scores.amax(dim=-1) > self.stc_score_thr

    def _refined(self, anchors: Tensor, deltas: Tensor) -> Tensor:
        """Boxes of the first step, (..., 4), detached and not clipped."""
        boxes = self.bbox_coder.decode(
            anchors.reshape(-1, 4),
            at_least_float(deltas.detach()).reshape(-1, 4))
        return get_box_tensor(boxes).reshape(anchors.shape)

    def predict_by_feat(self,
                        cls_scores: list[Tensor],
                        bbox_preds: list[Tensor],
                        first_cls_scores: list[Tensor],
                        first_bbox_preds: list[Tensor],
                        batch_img_metas: list[dict],
                        cfg: ConfigDict | None = None,
                        rescale: bool = False,
                        with_nms: bool = True,
                        with_levels: bool = False) -> InstanceList:
        """Detections of each picture.

        Args:
            cls_scores: Second-step logits of each level.
            bbox_preds: Second-step deltas of each level.
            first_cls_scores: First-step logits on ``stc_levels``.
            first_bbox_preds: First-step deltas on ``str_levels``.
            batch_img_metas: Have ``img_shape`` and, to rescale,
                ``scale_factor``.
            cfg: Instead of ``test_cfg``.
            rescale: Whether boxes are in pixels of the original picture and
                not of the network's input.
            with_nms: Whether NMS and ``max_per_img`` apply.
            with_levels: Whether the result has ``levels``.

        Returns:
            list[InstanceData]: ``bboxes`` (n, 4), xyxy, clipped to the
            picture, ``scores`` (n, ), ``labels`` (n, ) and, if asked for,
            ``levels`` (n, ), 0 to L - 1. Boxes and scores are at least
            float32, also of half-precision maps.

        Raises:
            ValueError: ``nms_pre_over`` is unknown.
        """
        cfg = self.test_cfg if cfg is None else cfg
        over = cfg.get('nms_pre_over', 'level')
        if over not in ('level', 'image'):
            raise ValueError(
                f"nms_pre_over must be 'level' or 'image', not {over!r}")
        priors = self.prior_generator.grid_priors(
            [m.shape[-2:] for m in cls_scores],
            dtype=torch.promote_types(cls_scores[0].dtype, torch.float32),
            device=cls_scores[0].device)
        first_cls = dict(zip(self.stc_levels, first_cls_scores))
        first_box = dict(zip(self.str_levels, first_bbox_preds))
        pictures = []
        for index, meta in enumerate(batch_img_metas):
            found = InstanceData.cat([
                self._level_candidates(
                    level,
                    *(None if m is None else at_least_float(m[index].detach())
                      for m in (cls_scores[level], bbox_preds[level],
                                first_cls.get(level), first_box.get(level))),
                    priors[level], cfg) for level in range(self.num_levels)
            ])
            if over == 'image' and 0 < cfg.get('nms_pre', -1) < len(found):
                found = found[found.scores.topk(cfg.nms_pre)[1]]
            found.bboxes = self.bbox_coder.decode(
                found.pop('priors'),
                found.pop('deltas'),
                max_shape=meta['img_shape'])
            if not with_levels:
                found.pop('levels')
            pictures.append(
                self._bbox_post_process(
                    found, cfg, rescale, with_nms, img_meta=meta))
        return pictures

    def _level_candidates(self, level: int, logits: Tensor, deltas: Tensor,
                          first_logits: Tensor | None,
                          first_deltas: Tensor | None, priors: Tensor,
                          cfg: ConfigDict) -> InstanceData:
        """Anchors of one level of one picture that score high enough.

        Returns:
            InstanceData: ``scores``, ``labels``, ``levels``, second-step
            ``deltas`` and the ``priors`` that these are relative to.
        """
        scores = _rows(logits, self.cls_out_channels).sigmoid()
        if first_logits is not None:
            passed = self._passes(_rows(first_logits, self.cls_out_channels))
            scores = scores.masked_fill(~passed[:, None], 0)
        rows = dict(priors=priors, deltas=_rows(deltas, 4))
        if first_deltas is not None:
            rows['first_deltas'] = _rows(first_deltas, 4)
        nms_pre = cfg.get('nms_pre', -1)
        scores, labels, _, rows = filter_scores_and_topk(
            scores, self._score_thr(logits, cfg),
            nms_pre if nms_pre > 0 else scores.numel(), rows)
        if first_deltas is not None:
            rows['priors'] = self._refined(rows['priors'],
                                           rows.pop('first_deltas'))
        return InstanceData(
            scores=scores,
            labels=labels,
            levels=torch.full_like(labels, level),
            **rows)


def _rows(level_map: Tensor, channels: int) -> Tensor:
    """(a * channels, H, W) as (H * W * a, channels)."""
    return level_map.permute(1, 2, 0).reshape(-1, channels)


def _any(logits: Tensor, threshold: float) -> Tensor:
    """Cells where any score of any picture exceeds a threshold, (H, W)."""
    scores = at_least_float(logits).sigmoid()
    return (scores > threshold).flatten(0, 1).any(dim=0)
