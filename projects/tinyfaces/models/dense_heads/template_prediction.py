"""From the output of TemplateHead to boxes."""
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmdet.structures import SampleList
from mmdet.structures.bbox import get_box_tensor
from mmdet.utils import InstanceList
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import Tensor

from ..precision import at_least_float
from .template_choice import ROLES, check_choice, choose_templates

DEFAULTS = dict(
    score_thr=.03,
    score_type='probability',
    templates='A+B',
    regress=True,
    clip=True,
    border='keep',
    nms_pre=-1,
    nms=dict(type='nms', iou_threshold=.3),
    max_per_img=3000,
    group_outputs=False)


class TemplatePredictionMixin:
    """Inference of Finding Tiny Faces (section 4), for TemplateHead.

    Keys of ``test_cfg``, all optional:

    - ``score_thr`` (.03): Probability that a detection must exceed.
    - ``score_type`` (``'probability'``): What ``scores`` are; ``'logit'`` for
      the ranking of the released results. NMS and all orders are by logit in
      both cases, as the probabilities of many large logits are 1.
    - ``templates`` (``'A+B'``): Those that look at a view of some scale, see
      :func:`~.template_choice.choose_templates`.
    - ``regress`` (True): Whether boxes are regressed (Table 4), or are the
      templates.
    - ``clip`` (True): Whether boxes end at the picture's edges. The released
      program for WIDER FACE does not clip; that for a single picture does.
    - ``border`` (``'keep'``): What to do with windows that cross an edge of
      the picture; ``'drop'`` leaves them out, as training by the paper's
      border rule does. A network that was trained so has never been told
      what such windows show. The released code, which trains negatives
      there, keeps them.
    - ``nms_pre`` (-1): How many detections of a picture and view NMS sees, at
      most; -1 for all.
    - ``nms`` (IoU .3): Config of an NMS of type ``'nms'``; None for no NMS
      and no ``max_per_img``, for views that are joined before it.
    - ``max_per_img`` (3,000).
    - ``min_bbox_size``: What both sides of a box must exceed, in pixels of
      the result.
    - ``group_outputs`` (False): Whether :class:`TinyFaces` gives the
      detections of each role alone, too.
    """

    def _settings(self, cfg: ConfigDict | None = None) -> ConfigDict:
        """``cfg``, or else ``test_cfg``, with the defaults."""
        if cfg is None:
            cfg = self.test_cfg or {}
        return ConfigDict({**DEFAULTS, **cfg})

    def _check_test_cfg(self) -> None:
        """Raise ValueError if ``test_cfg`` cannot be followed."""
        cfg = self._settings()
        check_choice(self.prior_generator.templates, cfg.templates)
        if cfg.score_type not in ('probability', 'logit'):
            raise ValueError('test_cfg.score_type must be probability or '
                             f'logit, not {cfg.score_type!r}')
        if cfg.border not in ('keep', 'drop'):
            raise ValueError('test_cfg.border must be keep or drop, not '
                             f'{cfg.border!r}')
        if not 0 <= cfg.score_thr < 1:
            raise ValueError('test_cfg.score_thr must be a probability below '
                             f'1, not {cfg.score_thr}')
        if cfg.nms is not None and (cfg.nms.get('type', 'nms') != 'nms'
                                    or cfg.max_per_img < 1):
            raise ValueError(
                "test_cfg.nms must be of type 'nms', as others do not rank "
                'logits, and max_per_img at least 1, not '
                f'{dict(cfg.nms)} and {cfg.max_per_img}')

    def needed_templates(self,
                         batch_img_metas: Sequence[dict],
                         cfg: ConfigDict | None = None) -> Tensor:
        """Templates that look at any of some views, (n, ) int64, rising."""
        needed = {
            index
            for meta in batch_img_metas
            for index in self._chosen(meta, self._settings(cfg))
        }
        return torch.tensor(sorted(needed), dtype=torch.long)

    def _chosen(self, meta: dict, cfg: ConfigDict) -> list[int]:
        return choose_templates(self.prior_generator.templates, cfg.templates,
                                meta)

    def predict_maps(self, x: Sequence[Tensor],
                     input_shape: tuple[int, int] | None,
                     templates: Tensor) -> tuple[Tensor, Tensor]:
        """``forward``, of what :meth:`predict_by_feat` needs alone.

        Args:
            x: See ``forward``.
            input_shape: See there.
            templates: Of :meth:`needed_templates`.
        """
        return self(x, input_shape, templates, self._settings().regress)

    def predict(self,
                x: Sequence[Tensor],
                batch_data_samples: SampleList,
                rescale: bool = False) -> InstanceList:
        """Detections of each picture, as of :meth:`predict_by_feat`.

        Args:
            x: Maps of the backbone.
            batch_data_samples: Tell of each picture.
            rescale: See there.
        """
        metas = [sample.metainfo for sample in batch_data_samples]
        templates = self.needed_templates(metas)
        maps = self.predict_maps(x, metas[0].get('batch_input_shape'),
                                 templates)
        return self.predict_by_feat(
            *maps, metas, rescale=rescale, templates=templates)

    def predict_by_feat(self,
                        logits: Tensor,
                        deltas: Tensor,
                        batch_img_metas: Sequence[dict],
                        cfg: ConfigDict | None = None,
                        rescale: bool = False,
                        with_nms: bool = True,
                        templates: Tensor | None = None) -> InstanceList:
        """Detections of each picture, in at least float32.

        Args:
            logits: Shape (B, n, H, W).
            deltas: Shape (B, 4n, H, W); not looked at without ``regress``.
            batch_img_metas: Have ``img_shape``, and ``scale_factor`` unless
                that is 1.
            cfg: Instead of ``test_cfg``.
            rescale: Whether boxes are in pixels of the original picture and
                not of the network's input.
            with_nms: Whether NMS and ``max_per_img`` apply.
            templates: Indices of those that the maps are of, (n, ) int64; all
                by default.

        Returns:
            list[InstanceData]: ``bboxes`` (m, 4) xyxy, ``scores`` (m, ),
            ``labels`` (m, ), 0, and ``templates`` (m, ) int64, by falling
            logit.
        """
        candidates = self.candidates_by_feat(logits, deltas, batch_img_metas,
                                             cfg, rescale, templates)
        return [self.finish(found, cfg, with_nms) for found in candidates]

    def candidates_by_feat(self,
                           logits: Tensor,
                           deltas: Tensor,
                           batch_img_metas: Sequence[dict],
                           cfg: ConfigDict | None = None,
                           rescale: bool = False,
                           templates: Tensor | None = None) -> InstanceList:
        """What :meth:`finish` makes detections of; ``scores`` are logits.

        Arguments are those of :meth:`predict_by_feat`.
        """
        cfg = self._settings(cfg)
        if templates is None:
            templates = torch.arange(self.num_templates)
        return [
            self._candidates(*each, templates, cfg, rescale)
            for each in zip(logits.detach(), deltas.detach(), batch_img_metas)
        ]

    def _candidates(self, logits: Tensor, deltas: Tensor, meta: dict,
                    templates: Tensor, cfg: ConfigDict,
                    rescale: bool) -> InstanceData:
        """Of one picture: maps of shape (n, H, W) and (4n, H, W)."""
        logits = self._within(at_least_float(logits), meta['img_shape'])
        looks = torch.isin(
            templates, torch.tensor(self._chosen(meta, cfg), dtype=torch.long))
        if not looks.all():  # they are for another picture of the batch
            others = ~looks[:, None, None].to(logits.device)
            logits = logits.masked_fill(others, -torch.inf)
        if cfg.border == 'drop':
            logits = logits.masked_fill(
                self._crossing(logits, templates, meta['img_shape']),
                -torch.inf)
        places = torch.nonzero(logits.flatten() > _logit(cfg.score_thr))
        places = places.squeeze(1)
        scores, order = logits.flatten()[places].sort(
            descending=True, stable=True)
        if cfg.nms_pre > 0:
            scores, order = scores[:cfg.nms_pre], order[:cfg.nms_pre]
        places = places[order]
        height, width = logits.shape[-2:]
        of = templates.to(places.device)[places // (height * width)]
        priors = self.priors_at(
            of * (height * width) + places % (height * width), (height, width))
        if cfg.regress:
            moves = at_least_float(deltas.reshape(4, -1)[:, places].T)
        else:
            moves = torch.zeros_like(priors)
        boxes = self.bbox_coder.decode(
            priors, moves, max_shape=meta['img_shape'] if cfg.clip else None)
        found = InstanceData(
            bboxes=get_box_tensor(boxes),
            scores=scores,
            labels=torch.zeros_like(of),
            templates=of)
        return self._bbox_post_process(
            found,
            cfg,
            rescale,
            with_nms=False,
            img_meta=dict(dict(scale_factor=(1., 1.)), **meta))

    def _within(self, logits: Tensor, shape: Sequence[int]) -> Tensor:
        """Logits without those of cells in the padding of a batch.

        Args:
            logits: Shape (n, H, W).
            shape: Height and width of the picture in pixels.

        Returns:
            Tensor: The same shape; -inf where a cell starts behind the
            picture. Alone, it would have no such cell.
        """
        height, width = logits.shape[-2:]
        rows, columns = (-(-side // self.out_stride) for side in shape[:2])
        if rows >= height and columns >= width:
            return logits
        logits = logits[:, :rows, :columns]
        return F.pad(
            logits, (0, width - logits.shape[2], 0, height - logits.shape[1]),
            value=-torch.inf)

    def _crossing(self, logits: Tensor, templates: Tensor,
                  shape: Sequence[int]) -> Tensor:
        """Windows that cross an edge of the picture, (n, H, W) bool.

        Args:
            logits: Shape (n, H, W).
            templates: (n, ) int64.
            shape: Height and width of the picture in pixels.
        """
        half = self.prior_generator.sizes[templates].to(logits.device) / 2
        outside = []
        for axis, (cells,
                   side) in enumerate(zip(logits.shape[:0:-1], shape[1::-1])):
            centers = self.prior_generator.offset + self.out_stride * (
                torch.arange(cells, device=logits.device))
            reach = half[:, axis, None]
            outside.append((centers - reach < 0) | (centers + reach > side))
        return outside[1][:, :, None] | outside[0][:, None, :]

    def finish(self,
               found: InstanceData,
               cfg: ConfigDict | None = None,
               with_nms: bool = True) -> InstanceData:
        """Detections of a picture's candidates.

        Args:
            found: Candidates, which stay as they are.
            cfg: Instead of ``test_cfg``.
            with_nms: See :meth:`predict_by_feat`.
        """
        cfg = self._settings(cfg)
        found = self._bbox_post_process(
            found[:], cfg, with_nms=with_nms and cfg.nms is not None)
        if cfg.score_type == 'probability':
            found.scores = found.scores.sigmoid()
        return found

    def finish_by_role(self, found: InstanceData) -> dict[str, InstanceData]:
        """Detections of each role alone, which no other role suppresses.

        Args:
            found: Candidates of a picture.

        Returns:
            dict[str, InstanceData]: Of ``'A'`` and ``'B'``.
        """
        roles = [each.role for each in self.prior_generator.templates]
        alone = {}
        for role in ROLES:
            own = torch.tensor([each == role for each in roles])
            own = own.to(found.templates.device)[found.templates]
            alone[role] = self.finish(found[own])
        return alone


def _logit(probability: float) -> float:
    return math.log(probability /
                    (1 - probability)) if probability > 0 else -math.inf
