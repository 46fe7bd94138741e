"""What the losses of a batch are divided by, one rule for all heads.

A loss is a sum over samples divided by their number. Where a batch is spread
over ranks, or over micro-batches whose gradients are accumulated, dividing
each part by its own number is not the mean of the whole: a rank with a single
face would weigh as much as one with a hundred. All heads here ask
:func:`mean_avg_factor` instead.
"""
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmdet.utils import reduce_mean
from mmengine.dist import get_world_size
from torch import Tensor

from .precision import at_least_float


class StepCounts:
    """Counts of all micro-batches of one optimizer step.

    What the first micro-batch is to be divided by is known only when the last
    one has been looked at. So every micro-batch passes through the model
    twice: without gradients, within :meth:`recorded`, where the numbers that
    the heads ask with are written down, and then within :meth:`replayed`,
    where they are given the means. A head has to ask as often, with numbers
    of the same shape and in the same order, for every batch.
    """

    def __init__(self) -> None:
        self._own: list[list[Tensor]] = []  # of each micro-batch
        self._means: list[Tensor] | None = None
        self._asked: list[Tensor] | None = None  # in the present pass
        self._differences: list[Tensor] = []

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Write down what the heads ask with, for the next micro-batch."""
        self._asked = []
        with _answering(self._record):
            yield
        self._own.append(self._asked)

    @contextmanager
    def replayed(self, number: int) -> Iterator[None]:
        """Answer with the means.

        Args:
            number: Of the micro-batch, from 0 on, in the order in which they
                were recorded.

        Raises:
            RuntimeError: The heads ask more or less often than before, or in
                another order.
        """
        if self._means is None:
            self._means = self._all_means()
        self._asked = []
        with _answering(lambda count: self._answer(count, number)):
            yield
        if len(self._asked) != len(self._means):
            raise self._mismatch(f'{len(self._asked)} numbers')

    def differ(self) -> bool:
        """Whether any number was another one when it was asked with again."""
        return bool(self._differences) and bool(
            torch.stack(self._differences).any())

    def _record(self, count: Tensor) -> Tensor:
        self._asked.append(count.detach().clone())
        # Nobody trains with it.
        return count.clamp(min=1)

    def _answer(self, count: Tensor, number: int) -> Tensor:
        at = len(self._asked)
        if at >= len(self._means) or self._means[at].shape != count.shape:
            raise self._mismatch(f'as number {at + 1} one of shape '
                                 f'{tuple(count.shape)}')
        self._asked.append(count)
        self._differences.append((count != self._own[number][at]).any())
        return self._means[at]

    def _all_means(self) -> list[Tensor]:
        """Over all micro-batches of all ranks, in one reduction."""
        shapes = [[count.shape for count in counts] for counts in self._own]
        if any(each != shapes[0] for each in shapes):
            raise RuntimeError(
                'the micro-batches of one optimizer step have other numbers '
                f'to divide losses by, of the shapes {shapes}: a head must '
                'call mean_avg_factor for every batch, also for one without '
                'faces, and with numbers of the same shape')
        if not shapes[0]:
            return []
        means = [torch.stack(counts).mean(dim=0) for counts in zip(*self._own)]
        flat = reduce_mean(torch.cat([mean.flatten() for mean in means]))
        flat = flat.clamp(min=1 / (get_world_size() * len(self._own)))
        return [
            part.reshape(mean.shape).to(mean.dtype) for part, mean in zip(
                flat.split([mean.numel() for mean in means]), means)
        ]

    def _mismatch(self, asked: str) -> RuntimeError:
        return RuntimeError(
            f'the heads ask for {asked} to divide losses by, and asked for '
            f'the shapes {[tuple(m.shape) for m in self._means]} when the '
            'batch was looked at ahead: a head must call mean_avg_factor '
            'alike whenever it sees a batch')


# What StepCounts puts in place of the mean over ranks.
_stand_in: Callable[[Tensor], Tensor] | None = None


@contextmanager
def _answering(stand_in: Callable[[Tensor], Tensor]) -> Iterator[None]:
    global _stand_in
    if _stand_in is not None:
        raise RuntimeError('passes of StepCounts cannot be nested')
    _stand_in = stand_in
    try:
        yield
    finally:
        _stand_in = None


class SyncsAvgFactor:
    """For a head that divides losses, in front of it.

    Args:
        *args: Arguments of the head.
        sync_avg_factor: Whether the numbers that divide the losses are means
            over all ranks, and over the micro-batches whose gradients are
            accumulated (see :func:`mean_avg_factor`); otherwise each batch's
            own, as MMDetection has it.
        **kwargs: Arguments of the head.
    """

    def __init__(self,
                 *args: Any,
                 sync_avg_factor: bool = True,
                 **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sync_avg_factor = sync_avg_factor


def mean_avg_factor(count: Tensor, sync: bool = True) -> Tensor:
    """What to divide a sum of losses by.

    The mean of a number over all ranks, and over the micro-batches of an
    optimizer step within :class:`StepCounts`. Since gradients are averaged
    over ranks, and micro-batches are weighted alike, what trains is the sum
    over everything divided by the number of everything, which is never taken
    as less than 1: with two ranks the least mean is 1/2. So two ranks train
    as one process with twice the batch does, whoever has the faces.

    Every rank has to call it for every batch, also for one without samples.

    Args:
        count: Numbers of this rank's batch, of any shape and type.
        sync: False for this rank's and batch's own numbers, at least 1, as
            many heads of MMDetection have it.

    Returns:
        Tensor: Of the shape of ``count``, at least float32.
    """
    count = at_least_float(count)
    if not sync:
        return count.clamp(min=1)
    if _stand_in is not None:
        return _stand_in(count)
    return reduce_mean(count).clamp(min=1 / get_world_size())
