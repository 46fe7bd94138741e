"""Which face of a batch each anchor is matched with."""
from collections.abc import Sequence

import torch
from mmdet.models.task_modules.assigners import BaseAssigner
from mmdet.models.task_modules.prior_generators import anchor_inside_flags
from mmdet.models.utils import unmap
from mmengine.structures import InstanceData
from torch import Tensor

BACKGROUND = -1
UNUSED = -2


def match_faces(assigner: BaseAssigner,
                anchors: Tensor,
                valid: Tensor,
                batch_gt_instances: Sequence[InstanceData],
                batch_gt_instances_ignore: Sequence[InstanceData | None]
                | None,
                batch_img_metas: Sequence[dict],
                allowed_border: int = -1) -> Tensor:
    """Match the anchors of each picture with its faces.

    Like the first part of MMDetection's ``AnchorHead.get_targets``, without
    the targets: 8 bytes per anchor.

    Args:
        assigner: Decides by overlap, as StreamingMaxIoUAssigner does.
        anchors: Shape (N, A, 4), xyxy in pixels; may differ by picture.
        valid: Whether an anchor lies on the picture and not on the padding of
            the batch, shape (N, A), bool.
        batch_gt_instances: Faces of each picture.
        batch_gt_instances_ignore: Ignored faces of each picture, or None.
        batch_img_metas: Have ``img_shape``.
        allowed_border: Anchors further than this outside of the picture are
            not used, in pixels; -1 uses all.

    Returns:
        Tensor: Shape (N, A), int64: index of the matched face among all faces
        of the batch, :data:`BACKGROUND` or :data:`UNUSED`.

    Raises:
        ValueError: A picture has no anchor that may be used.
    """
    if batch_gt_instances_ignore is None:
        batch_gt_instances_ignore = [None] * len(batch_gt_instances)
    rows, seen = [], 0
    for boxes, flags, faces, ignored, meta in zip(anchors, valid,
                                                  batch_gt_instances,
                                                  batch_gt_instances_ignore,
                                                  batch_img_metas):
        used = anchor_inside_flags(boxes, flags, meta['img_shape'][:2],
                                   allowed_border)
        if not used.any():
            raise ValueError(
                'no anchor lies inside the picture of '
                f"{tuple(meta['img_shape'][:2])} pixels (height, width): "
                'check its size, or set train_cfg.allowed_border to -1')
        result = assigner.assign(
            InstanceData(priors=boxes[used]), faces, ignored)
        # 0 is background and -1 nothing there
        matched = result.gt_inds - 1
        matched = torch.where(matched >= 0, matched + seen, matched)
        rows.append(unmap(matched, len(boxes), used, fill=UNUSED))
        seen += len(faces)
    return torch.stack(rows)
