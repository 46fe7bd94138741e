"""One list of detections from those of several views of a picture."""
from collections.abc import Mapping, Sequence

import torch
from mmcv.ops import batched_nms
from mmengine.structures import InstanceData

from .box_voting import box_voting

# What a box keeps in every way of joining, and what it keeps if it stays one
# box of one view. Other fields may be in pixels of the view.
JOINED = ('bboxes', 'scores', 'labels')
JOINED_BY_NMS = ('groups', 'templates', 'features')


def joined_fields(tta_cfg: Mapping) -> tuple[str, ...]:
    """The fields of detections that views can be joined with."""
    return JOINED + (JOINED_BY_NMS if 'nms' in tta_cfg else ())


def check_joining(tta_cfg: Mapping) -> None:
    """Fail now, not at the first picture: join two equal boxes.

    Args:
        tta_cfg: See :class:`~.multi_scale_test.MultiScaleTestModel`.

    Raises:
        ValueError: It says not one way to join views, not how many boxes to
            keep, or something that this way does not take.
    """
    ways = set(tta_cfg) - {'max_per_img'}
    limit = tta_cfg.get('max_per_img', 0)
    if ways not in ({'voting'}, {'nms'}) or limit is not None and limit < 1:
        raise ValueError(
            'tta_cfg of a MultiScaleTestModel must be dict(voting='
            'dict(...), max_per_img=...) or dict(nms=dict(...), '
            'max_per_img=...), with at least 1 or None for all boxes, but is '
            f'{dict(tta_cfg)}; a config that replaces tta_cfg of its base '
            'needs _delete_=True')
    boxes = InstanceData(
        bboxes=torch.tensor([[0., 0., 1., 1.]] * 2),
        scores=torch.ones(2),
        labels=torch.zeros(2, dtype=torch.long))
    try:
        join_views([boxes], tta_cfg)
    # mmcv evaluates the type of an NMS, as a name.
    except (AttributeError, NameError, TypeError, ValueError) as error:
        raise ValueError('boxes cannot be joined by tta_cfg of a '
                         f'MultiScaleTestModel, {dict(tta_cfg)}: '
                         f'{error}') from error


def join_views(views: Sequence[InstanceData],
               tta_cfg: Mapping) -> InstanceData:
    """Detections of all views, joined, the best ones first.

    Args:
        views: Of one picture: ``bboxes`` in its pixels, ``scores``, which may
            be logits unless they are weights of a vote or of a soft NMS,
            ``labels``, and further fields, the same ones in every view that
            has detections.
        tta_cfg: See :class:`~.multi_scale_test.MultiScaleTestModel`.

    Returns:
        InstanceData: In the order of falling score. With the fields of the
        views after an NMS, and none but boxes, scores and labels after
        voting.

    Raises:
        ValueError: Scores are negative where they are weights.
    """
    # What a head gives for nothing found may lack fields of the others.
    found = InstanceData.cat([view for view in views if len(view)]
                             or list(views[:1]))
    if len(found) == 0:
        return found
    if 'nms' in tta_cfg:
        return _suppress(found, tta_cfg['nms'], tta_cfg['max_per_img'])
    return _vote(found, tta_cfg['voting'], tta_cfg['max_per_img'])


def _suppress(found: InstanceData, nms: Mapping,
              limit: int | None) -> InstanceData:
    """Non-maximum suppression, class by class."""
    boxes, scores = found.bboxes.float(), found.scores.float()
    if nms.get('type', 'nms') == 'soft_nms' and scores.min() < 0:
        raise ValueError('a score is negative, and soft NMS multiplies them; '
                         "take type='nms', or let the detector give "
                         'probabilities')
    dets, kept = batched_nms(boxes, scores, found.labels, nms)
    joined = found[kept[:limit]]
    # Some kinds of NMS change boxes or scores.
    joined.bboxes = dets[:limit, :4]
    joined.scores = dets[:limit, 4]
    return joined


def _vote(found: InstanceData, voting: Mapping,
          limit: int | None) -> InstanceData:
    """Box voting, class by class."""
    voted = []
    for label in found.labels.unique():
        one = found.labels == label
        boxes, scores = box_voting(
            found.bboxes[one].float(),
            found.scores[one].float(),
            max_num=limit,
            **voting)
        voted.append(
            InstanceData(
                bboxes=boxes, scores=scores, labels=label.repeat(len(scores))))
    joined = InstanceData.cat(voted)
    order = joined.scores.sort(descending=True, stable=True)[1]
    return joined[order[:limit]]
