"""Samplers that take harvested false positives first."""
import copy
import warnings

import torch
from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from mmdet.models.task_modules.assigners import AssignResult
from mmdet.models.task_modules.samplers import SamplingResult
from mmdet.registry import TASK_UTILS
from mmdet.structures.bbox import (BaseBoxes, HorizontalBoxes, bbox_overlaps,
                                   cat_boxes, get_box_tensor)
from mmengine.structures import InstanceData
from torch import Tensor

from ..precision import at_least_float
from .anchors_on_boxes import anchors_on_boxes
from .image_seeded import SeededRandomSampler
from .scale_group_sampler import ScaleGroupSampler
from .scale_groups import group_indices

#: From this IoU with a face on, a box is a detection of it and never a hard
#: negative (section 3.2).
MAX_FACE_IOU = .5


class TakesHardNegatives:
    """What the samplers of hard negatives have in common.

    "Bootstrapping Face Detection with Hard Negative Examples", section 3.2:
    the ratio of negatives to positives stays the base sampler's, "while
    ensuring that the hard negatives harvested by the previously trained model
    are selected". What they leave of the negatives' number is drawn as the
    base sampler does, and without any the draws are the base sampler's own.

    Hard negatives come with ``LoadHardNegatives`` and
    ``PackHardNegativeInputs``. One that overlaps a face at an IoU of
    :data:`MAX_FACE_IOU` or more, or has no area left, does not count.

    A subclass is derived from this first and the sampler second, which is an
    :class:`ImageSeeded` one: the order at random is the picture's own, too.

    Args:
        join: How they become samples. ``'proposals'``, for the second stage:
            each is added to the proposals as a negative, also where the
            assigner leaves proposals out for overlapping no face (background
            at an IoU of .1 to .5). ``'anchors'``, for RPN and one-stage
            detectors, whose boxes are fixed: negative anchors that overlap
            one at ``iou_thr`` or more, or more than any other negative anchor
            does, are taken first; those the assigner left out only for being
            under its lower limit (``neg_iou_thr`` of the head's assigner, if
            it has two) count as negatives then. A positive anchor stays one.
            The anchor of each hard negative that overlaps it most comes
            first, then the second one of each, and so on: a large hard
            negative, with hundreds of anchors on it, leaves the others
            theirs.
        order: Which hard negatives come first, if there are more, or more
            anchors on them, than negatives to draw: ``'score'``, those with
            the highest score of the harvest; or ``'random'``, drawn at each
            sampling.
        iou_thr: See ``join``; above 0 and at most 1.
        max_anchors: With ``join='anchors'``, how many anchors of one hard
            negative are taken first; the others may be drawn like any. It
            keeps the rest of the background in the training: of a picture's
            256 anchors in Faster R-CNN up to 16 hard negatives leave some.
            None for no limit.
        context: The head, which MMDetection passes to all samplers.
        *args: Of the base sampler.
        **kwargs: Of the base sampler.

    Raises:
        ValueError: An argument is out of range, or ``join='proposals'`` in a
            head of anchors.
    """

    def __init__(self,
                 *args,
                 join: str = 'proposals',
                 order: str = 'score',
                 iou_thr: float = .5,
                 max_anchors: int | None = 16,
                 context: object = None,
                 **kwargs) -> None:
        if join not in ('proposals', 'anchors'):
            raise ValueError(
                f"join must be 'proposals' or 'anchors', not {join!r}")
        if order not in ('score', 'random'):
            raise ValueError(
                f"order must be 'score' or 'random', not {order!r}")
        if not 0 < iou_thr <= 1:
            raise ValueError(
                f'iou_thr must be above 0 and at most 1, not {iou_thr}')
        if max_anchors is not None and max_anchors < 1:
            raise ValueError(
                f'max_anchors must be at least 1, or None, not {max_anchors}')
        if join == 'proposals' and isinstance(context, BaseDenseHead):
            raise ValueError(
                f'{type(context).__name__} has fixed anchors, which no hard '
                "negatives can be added to: set join='anchors' in its "
                f'{type(self).__name__}')
        super().__init__(*args, context=context, **kwargs)
        self.join = join
        self.order = order
        self.iou_thr = iou_thr
        self.max_anchors = max_anchors
        # of an anchor head, or of a RoI head
        assigner = getattr(context, 'assigner',
                           getattr(context, 'bbox_assigner', None))
        limits = getattr(assigner, 'neg_iou_thr', None)
        self._lower_limit = limits[0] if isinstance(limits, tuple) else 0.

    def sample(self, assign_result: AssignResult, pred_instances: InstanceData,
               gt_instances: InstanceData, **kwargs) -> SamplingResult:
        """Sample positives and negatives, hard ones first.

        Args:
            assign_result: Of n boxes. Not changed, except that the base
                sampler adds faces to it in place if it adds them to the
                boxes and there are no hard negatives.
            pred_instances: Has ``priors``, shape (n, 4).
            gt_instances: Has ``bboxes``, shape (k, 4), ``labels``, (k, ),
                and, in its meta information, ``hard_negatives``, (m, 4), and
                ``hard_negative_scores``, (m, ).

        Returns:
            SamplingResult: With ``join='proposals'`` its indices are those of
            faces (if added), proposals and hard negatives, in this order.
        """
        with self._drawing_for(gt_instances):
            return self._sample(assign_result, pred_instances, gt_instances,
                                **kwargs)

    def _sample(self, assign_result: AssignResult,
                pred_instances: InstanceData, gt_instances: InstanceData,
                **kwargs) -> SamplingResult:
        """As :meth:`sample`."""
        priors = pred_instances.priors
        boxes, overlaps = self._hard_negatives(gt_instances, priors.device)
        if len(boxes):
            order = torch.arange(len(boxes), device=boxes.device)
            if self.order == 'random':
                order = self._shuffle(order)
            if self.join == 'proposals':
                assign_result, priors, hard = _add_proposals(
                    assign_result, priors, boxes, overlaps)
                hard = hard[order]
            else:
                assign_result, hard = self._find_anchors(
                    assign_result, get_box_tensor(priors), boxes[order])
            pred_instances = InstanceData(priors=priors)
            # From the end, as the base sampler may put faces at the start.
            kwargs['hard'] = hard - len(priors)
        return super().sample(assign_result, pred_instances, gt_instances,
                              **kwargs)

    def _sample_neg(self,
                    assign_result: AssignResult,
                    num_expected: int,
                    hard: Tensor | None = None,
                    **kwargs) -> Tensor:
        """Take hard negatives, then draw the rest.

        Args:
            assign_result: Of the joined boxes.
            num_expected: How many to take.
            hard: Indices from the end of hard negatives, the first one to
                take first; None without any.

        Returns:
            Tensor: Indices of boxes.
        """
        if hard is None:
            return super()._sample_neg(assign_result, num_expected, **kwargs)
        taken = hard[:num_expected] + len(assign_result.gt_inds)
        rest = super()._sample_neg(
            _without(assign_result, taken), num_expected - len(taken),
            **kwargs)
        return torch.cat([taken, rest.flatten()])

    def _hard_negatives(self, gt_instances: InstanceData,
                        device: torch.device) -> tuple[Tensor, Tensor]:
        """Boxes (m, 4), by falling score, and their IoU with a face (m, )."""
        boxes = gt_instances.get('hard_negatives')
        if boxes is None:
            warnings.warn(
                f'{type(self).__name__} draws as its base sampler: the '
                'pipeline loads no hard negatives. So it should be in the '
                'first round, before there are any; in later ones it lacks '
                'LoadHardNegatives and PackHardNegativeInputs')
            return torch.empty((0, 4)), torch.empty(0)
        boxes = at_least_float(boxes.to(device))
        scores = gt_instances.hard_negative_scores.to(device)
        boxes = boxes[scores.argsort(descending=True, stable=True)]
        faces = at_least_float(get_box_tensor(gt_instances.bboxes))
        # A column of zeros: there may be no face.
        overlaps = torch.cat(
            [boxes.new_zeros((len(boxes), 1)),
             bbox_overlaps(boxes, faces)], 1).amax(dim=1)
        usable = (boxes[:, 2:] > boxes[:, :2]).all(1) & (
            overlaps < MAX_FACE_IOU)
        return boxes[usable], overlaps[usable]

    def _find_anchors(self, assign_result: AssignResult, anchors: Tensor,
                      boxes: Tensor) -> tuple[AssignResult, Tensor]:
        """The negative anchors (k, ) on hard negatives, best first."""
        gt_inds, best = assign_result.gt_inds, assign_result.max_overlaps
        # Anchors in ignored faces have an overlap of -1.
        negative = (gt_inds == 0) | ((gt_inds < 0) & (best >= 0) &
                                     (best < self._lower_limit))
        negative = torch.nonzero(negative).squeeze(1)
        if len(negative):
            negative = negative[anchors_on_boxes(
                at_least_float(anchors[negative]), boxes, self.iou_thr,
                self.max_anchors)]
        assign_result = copy.copy(assign_result)
        assign_result.gt_inds = gt_inds.index_fill(0, negative, 0)
        return assign_result, negative


@TASK_UTILS.register_module()
class HardNegativeSampler(TakesHardNegatives, SeededRandomSampler):
    """:class:`SeededRandomSampler` that takes hard negatives first.

    In place of it or of ``RandomSampler`` in the ``train_cfg`` of a two-stage
    detector::

        rpn=dict(sampler=dict(
            type='HardNegativeSampler', join='anchors', num=256,
            pos_fraction=.5, add_gt_as_proposals=False)),
        rcnn=dict(sampler=dict(
            type='HardNegativeSampler', num=128, pos_fraction=.25))

    Args and errors: see :class:`TakesHardNegatives` and
    :class:`SeededRandomSampler`.
    """

    def _shuffle(self, indices: Tensor) -> Tensor:
        return self.random_choice(indices, len(indices))


@TASK_UTILS.register_module()
class HardNegativeScaleGroupSampler(TakesHardNegatives, ScaleGroupSampler):
    """:class:`ScaleGroupSampler` that takes hard negatives first.

    In each group, and no more than the group has room for.

    Args and errors: see :class:`TakesHardNegatives` and
    :class:`ScaleGroupSampler`.
    """

    def _sample_neg(self,
                    assign_result: AssignResult,
                    num_expected: int,
                    bboxes: Tensor | BaseBoxes,
                    hard: Tensor | None = None,
                    **kwargs) -> Tensor:
        """Take each group's hard negatives, then draw the rest of each."""
        if hard is None:
            return super()._sample_neg(
                assign_result, num_expected, bboxes=bboxes, **kwargs)
        hard = hard + len(assign_result.gt_inds)
        groups = group_indices(bboxes[hard], self.group_scales)
        positives = self._by_group(assign_result.gt_inds > 0, bboxes)
        numbers = [
            self.num_per_group - min(len(others), self._wanted_pos)
            for others in positives
        ]
        taken = [
            hard[groups == group][:number]
            for group, number in enumerate(numbers)
        ]
        others = _without(assign_result, torch.cat(taken)).gt_inds == 0
        return torch.cat([
            *taken,
            self._draw(
                self._by_group(others, bboxes),
                [n - len(some) for n, some in zip(numbers, taken)])
        ])

    def _shuffle(self, indices: Tensor) -> Tensor:
        generator = self._generator(indices.device)
        return indices[torch.randperm(
            len(indices), generator=generator, device=indices.device)]


def _add_proposals(
        assign_result: AssignResult, priors: Tensor | BaseBoxes, boxes: Tensor,
        overlaps: Tensor) -> tuple[AssignResult, Tensor | BaseBoxes, Tensor]:
    """Boxes (m, 4) behind the proposals as negatives, and their indices."""
    assign_result = copy.copy(assign_result)
    for name, values in (('gt_inds', 0), ('labels', -1)):
        old = getattr(assign_result, name)
        setattr(assign_result, name,
                torch.cat([old, old.new_full((len(boxes), ), values)]))
    assign_result.max_overlaps = torch.cat(
        [assign_result.max_overlaps, overlaps])
    hard = torch.arange(len(boxes), device=boxes.device) + len(priors)
    if isinstance(priors, BaseBoxes):
        boxes = HorizontalBoxes(boxes).convert_to(type(priors))
    return assign_result, cat_boxes([priors, boxes]), hard


def _without(assign_result: AssignResult, indices: Tensor) -> AssignResult:
    """The assignment with these boxes left out."""
    assign_result = copy.copy(assign_result)
    assign_result.gt_inds = assign_result.gt_inds.index_fill(0, indices, -1)
    return assign_result
