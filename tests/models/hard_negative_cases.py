"""Pictures with hard negatives for the tests of their samplers."""
import copy

import torch
from mmdet.registry import TASK_UTILS
from mmengine.structures import InstanceData

ASSIGNERS = ('MaxIoUAssigner', 'StreamingMaxIoUAssigner')
# Section 3.1: foreground from .5 on, background in [.1, .5).
RCNN = dict(
    pos_iou_thr=.5,
    neg_iou_thr=(.1, .5),
    min_pos_iou=.5,
    match_low_quality=False)


class Head:
    """What a sampler is told of the head that it samples for."""

    def __init__(self, kind='StreamingMaxIoUAssigner', **options):
        self.assigner = TASK_UTILS.build(dict(type=kind, **options))


def tensor(boxes):
    return torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)


def truth(faces, hard=None, scores=None):
    """Faces, and hard negatives, if not None, as they are packed."""
    result = InstanceData(
        bboxes=tensor(faces), labels=torch.zeros(len(faces), dtype=torch.long))
    if hard is not None:
        result.set_metainfo(
            dict(
                hard_negatives=tensor(hard),
                hard_negative_scores=torch.tensor([.5] * len(hard) if scores is
                                                  None else scores)))
    return result


def run(sampler, head, priors, gt, seed=0):
    """(result, assignment before) of one sampling."""
    torch.manual_seed(seed)
    given = InstanceData(priors=tensor(priors))
    assigned = head.assigner.assign(given, gt)
    return sampler.sample(copy.copy(assigned), given, gt), assigned
