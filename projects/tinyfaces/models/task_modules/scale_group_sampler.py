"""The same number of training samples for every scale."""
import random
from collections.abc import Sequence

import torch
from mmdet.models.task_modules.assigners import AssignResult
from mmdet.models.task_modules.samplers import BaseSampler
from mmdet.registry import TASK_UTILS
from mmdet.structures.bbox import BaseBoxes
from torch import Tensor

from .image_seeded import ImageSeeded
from .scale_groups import group_edges, group_indices


@TASK_UTILS.register_module()
class ScaleGroupSampler(ImageSeeded, BaseSampler):
    """Group sampling ("Group Sampling for Scale Invariant Face Detection",
    section 4.2).

    Anchors, or in the second stage regions, are grouped by their scale (see
    :func:`~tinyfaces.models.task_modules.scale_groups.group_indices`), and of
    each group N are drawn uniformly without replacement, a quarter of them
    positives. Negatives fill a shortage of positives; where negatives are
    short, positives fill up, so that a group gives N samples whenever it has
    N that the assigner did not leave out, and all it has otherwise.

    It takes the place of any MMDetection sampler, as ``train_cfg.sampler`` of
    an anchor head, RPN or RoI head::

        sampler=dict(type='ScaleGroupSampler', num_per_group=2048)

    Args:
        num_per_group: The paper's N, per picture. It leaves the final value
            open; by its Figure 4 accuracy is saturated above 2,048.
        pos_fraction: Of positives in a group that has plenty of both. The
            paper's 1:3 is .25.
        group_scales: Scale of each group in pixels, ascending.
        add_gt_as_proposals: Add the faces to the regions, as is usual in the
            second stage; not with anchors.
        seed: None draws with the picture's own seed (see
            :class:`ImageSeeded`), or where it has none from PyTorch's global
            generator of the boxes' device. A number comes before both: it
            gives this sampler draws of its own, which are the same in every
            run, whatever else draws, and on every rank. Their state is in no
            checkpoint: a run that is resumed draws them from the beginning
            again, and so not what it would have drawn without the break.
        context: The head, which MMDetection passes to all samplers.

    Raises:
        ValueError: An argument is out of range.
    """

    def __init__(self,
                 num_per_group: int = 2048,
                 pos_fraction: float = .25,
                 group_scales: Sequence[float] = (16, 32, 64, 128),
                 add_gt_as_proposals: bool = False,
                 seed: int | None = None,
                 context: object = None) -> None:
        group_edges(group_scales)  # raises if there is no such grouping
        if num_per_group < 1:
            raise ValueError(
                f'num_per_group must be at least 1, not {num_per_group}')
        if not 0 <= pos_fraction <= 1:
            raise ValueError(
                f'pos_fraction must be from 0 to 1, not {pos_fraction}')
        super().__init__(
            num=num_per_group * len(group_scales),
            pos_fraction=pos_fraction,
            add_gt_as_proposals=add_gt_as_proposals,
            context=context)
        self.num_per_group = num_per_group
        self.group_scales = tuple(group_scales)
        if seed is not None:
            self._seeds = random.Random(seed)

    def _sample_pos(self, assign_result: AssignResult, num_expected: int,
                    bboxes: Tensor | BaseBoxes, **kwargs) -> Tensor:
        """Draw the positives of all groups.

        Args:
            assign_result: Of n boxes.
            num_expected: Not used: every group has its own number.
            bboxes: Shape (n, 4).
            **kwargs: Not used.

        Returns:
            Tensor: Indices of boxes.
        """
        positives = self._by_group(assign_result.gt_inds > 0, bboxes)
        numbers = [self._wanted_pos] * len(positives)
        if max(map(len, positives)) > self._wanted_pos:
            # Where negatives are short more are drawn.
            negatives = self._by_group(assign_result.gt_inds == 0, bboxes)
            numbers = [
                max(number, self.num_per_group - len(others))
                for number, others in zip(numbers, negatives)
            ]
        return self._draw(positives, numbers)

    def _sample_neg(self, assign_result: AssignResult, num_expected: int,
                    bboxes: Tensor | BaseBoxes, **kwargs) -> Tensor:
        """Draw the negatives of all groups, like :meth:`_sample_pos`."""
        positives = self._by_group(assign_result.gt_inds > 0, bboxes)
        # As many were drawn; or more, for want of negatives, which then all
        # are.
        numbers = [
            self.num_per_group - min(len(others), self._wanted_pos)
            for others in positives
        ]
        return self._draw(
            self._by_group(assign_result.gt_inds == 0, bboxes), numbers)

    @property
    def _wanted_pos(self) -> int:
        """Positives of a group that has plenty of both."""
        return int(self.num_per_group * self.pos_fraction)

    def _by_group(self, chosen: Tensor,
                  bboxes: Tensor | BaseBoxes) -> list[Tensor]:
        """Indices of the chosen boxes, (n, ) bool, of each group."""
        indices = torch.nonzero(chosen).squeeze(1)
        groups = group_indices(bboxes[indices], self.group_scales)
        return [
            indices[groups == group]
            for group in range(len(self.group_scales))
        ]

    def _draw(self, candidates: list[Tensor], numbers: list[int]) -> Tensor:
        """Draw a number of each group's candidates, or all if it has fewer."""
        generator = self._generator(candidates[0].device)
        drawn = []
        for indices, number in zip(candidates, numbers):
            if number < len(indices):
                order = torch.randperm(
                    len(indices), generator=generator, device=indices.device)
                indices = indices[order[:number]]
            drawn.append(indices)
        return torch.cat(drawn)
