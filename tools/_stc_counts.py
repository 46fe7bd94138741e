"""Counting the positives and negatives that STC leaves."""
from collections.abc import Sequence

import numpy as np
import torch
from mmdet.models.utils import unpack_gt_instances
from mmdet.structures import SampleList
from mmdet.structures.bbox import get_box_tensor
from mmengine.structures import InstanceData
from torch import Tensor

from tinyfaces.models.dense_heads import SelectiveRefineHead
from tinyfaces.models.dense_heads.anchor_rows import anchor_rows
from tinyfaces.models.dense_heads.face_matching import BACKGROUND, match_faces

MATCHINGS = ('first', 'second')
STAGES = ('before', 'after')
KINDS = ('positives', 'negatives')


def blank_maps(head: SelectiveRefineHead, height: int,
               width: int) -> list[Tensor]:
    """Maps of the shapes that a network would give for a picture."""
    return [
        torch.empty(1, 1, -(-height // y), -(-width // x))
        for x, y in head.prior_generator.strides
    ]


@torch.no_grad()
def count_samples(
        head: SelectiveRefineHead,
        batch_data_samples: SampleList,
        maps: Sequence[Tensor],
        first: tuple[list[Tensor], list[Tensor]] | None = None) -> np.ndarray:
    """Positives and negatives of each picture and level.

    Anchors that are neither are not counted, nor are those on the padding.
    As in the losses, a step's matching is that of the anchors it starts from:
    tiled ones, and for the second step those that STR has refined.

    Args:
        head: With both assigners, so with its ``train_cfg``.
        batch_data_samples: With faces, of each picture.
        maps: Of each level, for their shapes.
        first: First-step logits on ``stc_levels`` and first-step deltas on
            ``str_levels``. Without them, all anchors are tiled ones and STC
            leaves all.

    Returns:
        np.ndarray: int64 (pictures, :data:`MATCHINGS`, :data:`STAGES`,
        :data:`KINDS`, levels).
    """
    faces, ignored, metas = unpack_gt_instances(batch_data_samples)
    tiled, valid, levels = head._tiled_anchors(maps, metas)
    passed, refined = torch.ones_like(valid), tiled
    if first is not None:
        logits, deltas = first
        if head.stc_levels:
            on = torch.isin(levels, levels.new_tensor(head.stc_levels))
            passed[:, on] = head._passes(
                anchor_rows(logits, head.cls_out_channels))
        if head.str_levels:
            on = torch.isin(levels, levels.new_tensor(head.str_levels))
            refined = tiled.clone()
            refined[:, on] = head._refined(tiled[:, on],
                                           anchor_rows(deltas, 4))
    counts = np.zeros((len(metas), 2, 2, 2, head.num_levels), np.int64)
    steps = (head.first_assigner, tiled), (head.assigner, refined)
    # Refined anchors may lie anywhere.
    near = valid if first is not None else _near(head, tiled[0], maps, faces,
                                                 ignored, valid)
    for row, (assigner, anchors) in enumerate(steps):
        matched = match_faces(assigner, anchors, near, faces, ignored, metas,
                              head.train_cfg['allowed_border'])
        # Those that overlap no face at all need no matching.
        matched[valid & ~near] = BACKGROUND
        for column, kind in enumerate((matched >= 0, matched == BACKGROUND)):
            for stage, chosen in enumerate((kind, kind & passed)):
                for picture, flags in enumerate(chosen):
                    counts[picture, row, stage, column] = torch.bincount(
                        levels[flags], minlength=head.num_levels).cpu()
    return counts


def _near(head: SelectiveRefineHead, tiled: Tensor, maps: Sequence[Tensor],
          faces: Sequence[InstanceData], ignored: Sequence[InstanceData],
          valid: Tensor) -> Tensor:
    """Valid anchors that a face or an ignored face overlaps, (N, A), bool.

    All valid ones of a picture without either, since something must be there
    to be matched. On a grid this takes columns and rows, no pairs.
    """
    near, start = torch.zeros_like(valid), 0
    for level, count in zip(maps, head.prior_generator.num_base_priors):
        height, width = level.shape[-2:]
        stop = start + height * width * count
        x1, y1, x2, y2 = tiled[start:stop].view(height, width, count,
                                                4).unbind(-1)
        for row, boxes in zip(near, zip(faces, ignored)):
            left, top, right, bottom = torch.cat(
                [get_box_tensor(part.bboxes) for part in boxes]).T[..., None,
                                                                   None]
            columns = (x1[0] < right) & (x2[0] > left)
            rows = (y1[:, 0] < bottom) & (y2[:, 0] > top)
            row[start:stop] = torch.einsum('nha,nwa->hwa', rows.float(),
                                           columns.float()).flatten() > 0
        start = stop
    near &= valid
    near[~near.any(dim=1)] = valid[~near.any(dim=1)]
    return near


def ratio(counts: np.ndarray) -> float | None:
    """Negatives per positive of (:data:`KINDS`, ...); None for no positive."""
    positives, negatives = counts.reshape(2, -1).sum(axis=1).tolist()
    return negatives / positives if positives else None


def summary(counts: np.ndarray, stc_levels: Sequence[int],
            with_after: bool) -> dict:
    """What the counts of many pictures say.

    Args:
        counts: (pictures, ...), as :func:`count_samples` returns it.
        stc_levels: Levels of two-step classification.
        with_after: Whether there was a model, so that STC did something.

    Returns:
        dict: By matching and stage: ``positives`` and ``negatives`` of each
        level, summed over pictures; ``ratio_stc_levels`` and
        ``ratio_all_levels``, negatives per positive, of these sums;
        ``ratio_per_level``; and ``mean_ratio_stc_levels``, the mean over the
        pictures with positives on these levels of their own ratios.
    """
    stc = list(stc_levels)
    result = {}
    for row, matching in enumerate(MATCHINGS):
        result[matching] = {}
        for column, stage in enumerate(STAGES[:1 + with_after]):
            part = counts[:, row, column]
            total = part.sum(axis=0)
            own = [ratio(picture) for picture in part[..., stc]]
            own = [value for value in own if value is not None]
            result[matching][stage] = dict(
                zip(KINDS, total.tolist()),
                ratio_stc_levels=ratio(total[:, stc]),
                ratio_all_levels=ratio(total),
                ratio_per_level=[ratio(level) for level in total.T],
                mean_ratio_stc_levels=float(np.mean(own)) if own else None)
    return result
