"""The proposals of a picture that feature supervision learns from."""
import random

import torch
from mmcv.ops import nms
from mmengine.structures import InstanceData
from torch import Tensor

from ..task_modules.image_seeded import next_generator


def select_proposals(proposals: InstanceData,
                     faces: InstanceData,
                     num_samples: int,
                     nms_pre: int,
                     nms_iou_thr: float,
                     selection: str = 'top',
                     seeds: random.Random | None = None) -> InstanceData:
    """Faces first, then proposals that survive NMS (RefineFace, 3.4).

    Boxes without area are left out: there are no features in them. Faces go
    before proposals, however many there are: with 400 of them 112 of 512
    boxes are proposals, and where there are ``num_samples`` faces or more, a
    random part of them is all that is selected.

    Args:
        proposals: Has ``bboxes`` (n, 4), ``scores`` (n, ) and ``levels``
            (n, ), of all levels together.
        faces: Has ``bboxes`` (k, 4) and ``levels`` (k, ).
        num_samples: Boxes to select, at most.
        nms_pre: Proposals of the highest scores that NMS sees, at most.
        nms_iou_thr: NMS drops overlaps above it.
        selection: Which of the survivors: ``'top'``, those of the highest
            scores, or ``'random'``.
        seeds: Of the picture, see
            :func:`~tinyfaces.models.task_modules.picture_seeds`; None draws
            from PyTorch's global generator of the CPU.

    Returns:
        InstanceData: ``bboxes`` (m, 4), at least float32, and ``levels``
        (m, ), m at most ``num_samples``.
    """
    faces = _with_area(faces)
    if len(faces) > num_samples:
        faces = faces[_shuffled(len(faces), seeds)[:num_samples]]
    proposals = _with_area(proposals)
    if len(proposals) > nms_pre:
        proposals = proposals[proposals.scores.topk(nms_pre)[1]]
    # The compiled op does not know half types.
    keep = nms(proposals.bboxes.float(), proposals.scores.float(),
               nms_iou_thr)[1]
    if selection == 'random':
        keep = keep[_shuffled(len(keep), seeds)]
    proposals = proposals[keep[:num_samples - len(faces)]]
    dtype = torch.promote_types(faces.bboxes.dtype, torch.float32)
    return InstanceData(
        bboxes=torch.cat([faces.bboxes.to(dtype),
                          proposals.bboxes.to(dtype)]),
        levels=torch.cat([faces.levels, proposals.levels]))


def _shuffled(count: int, seeds: random.Random | None) -> Tensor:
    """0 to count - 1 in any order."""
    return torch.randperm(count, generator=next_generator(seeds))


def _with_area(instances: InstanceData) -> InstanceData:
    """Those whose boxes have a positive width and height."""
    boxes = instances.bboxes
    return instances[(boxes[:, 2:] > boxes[:, :2]).all(dim=1)]
