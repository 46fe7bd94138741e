"""Training with accumulated gradients that equals a larger batch."""
import copy
import logging
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import torch
from mmdet.registry import LOOPS
from mmengine.logging import print_log
from mmengine.optim import OptimWrapperDict
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from ...models.avg_factor import StepCounts
from ...utils.generator_states import GeneratorStates, own_generators


class Lookahead:
    """An iterator whose next items can be seen before they are taken.

    Args:
        iterator: What it takes its items from.
    """

    def __init__(self, iterator: Iterator) -> None:
        self._source = iterator
        self._seen = deque()

    def __iter__(self) -> 'Lookahead':
        return self

    def __next__(self) -> Any:
        return self._seen.popleft() if self._seen else next(self._source)

    def peek(self, number: int) -> list:
        """The next items, fewer if there are no more."""
        while len(self._seen) < number:
            try:
                self._seen.append(next(self._source))
            except StopIteration:
                break
        return list(islice(self._seen, number))


class OptimizerStep:
    """The micro-batches of one optimizer step.

    All of them go through the model without gradients first, which leaves
    behind the numbers that its heads divide losses by, and no other trace:
    running statistics of norms and generators of random numbers are put back.
    Then they train one by one, with the means of these numbers and the random
    numbers that they had.

    Args:
        runner: The runner.
        batches: Data of all micro-batches.
    """

    def __init__(self, runner: Runner, batches: list) -> None:
        self._model, self._wrapper = runner.model, runner.optim_wrapper
        self._total, self._trained = len(batches), 0
        # The step is due behind these micro-batches, whatever was before; the
        # model is only asked for batch norms, to warn of them once more.
        self._wrapper.initialize_count_status(nn.Identity(), 0, self._total)
        self._counts = StepCounts()
        self._draws: list[GeneratorStates] = []
        generators = own_generators(self._bare_model)
        with _unchanged(self._bare_model):
            for batch in batches:
                self._draws.append(GeneratorStates(generators))
                self._record(batch)

    @property
    def finished(self) -> bool:
        """Whether all micro-batches have trained."""
        return self._trained == self._total

    def counts_differ(self) -> bool:
        """Whether a micro-batch has trained with other numbers than seen."""
        return self._counts.differ()

    @property
    def _bare_model(self) -> nn.Module:
        """Without DistributedDataParallel, which expects a backward pass."""
        if isinstance(self._model, DistributedDataParallel):
            return self._model.module
        return self._model

    def _record(self, batch: Any) -> None:
        """Let the heads say what they divide by."""
        model = self._bare_model
        with torch.no_grad(), self._counts.recorded(), \
                self._wrapper.optim_context(model):
            # A preprocessor may resize boxes in place.
            data = model.data_preprocessor(copy.deepcopy(batch), True)
            model(**data, mode='loss')

    def train(self, batch: Any) -> dict[str, torch.Tensor]:
        """Train with the next micro-batch.

        Returns:
            dict[str, torch.Tensor]: Losses for the log.
        """
        self._draws[self._trained].restore()
        with self._counts.replayed(self._trained):
            logged = self._model.train_step(batch, optim_wrapper=self._wrapper)
        self._trained += 1
        return logged


class AccumulatingMixin:
    """What both loops have in common; in front of a loop of MMEngine."""

    _step: OptimizerStep | None = None
    _said_that_counts_differ = False

    @property
    def accumulative_counts(self) -> int:
        """Micro-batches of an optimizer step, as the config has it.

        Raises:
            TypeError: There are several optimizers.
        """
        wrapper = self.runner.optim_wrapper
        if isinstance(wrapper, OptimWrapperDict):
            raise TypeError(
                f'{type(self).__name__} goes with one optimizer, not with '
                f'{type(wrapper).__name__}; take a loop of MMEngine')
        return wrapper._accumulative_counts

    def _run_micro_batch(self, index: int, data_batch: Any, number: int,
                         ahead: Lookahead) -> None:
        """Train with one of the micro-batches.

        Args:
            index: That hooks see.
            data_batch: Its data.
            number: How many the optimizer step has, at most, if this is the
                first.
            ahead: The data that follow.
        """
        self.runner.call_hook(
            'before_train_iter', batch_idx=index, data_batch=data_batch)
        if self._step is None:
            # Behind the hook, which may have seeded generators.
            self._step = OptimizerStep(self.runner,
                                       [data_batch, *ahead.peek(number - 1)])
        step = self._step
        outputs = step.train(data_batch)
        if step.finished:
            self._step = None
            self._say_whether_counts_differ(step)
        self.runner.call_hook(
            'after_train_iter',
            batch_idx=index,
            data_batch=data_batch,
            outputs=outputs)
        self._iter += 1

    def _say_whether_counts_differ(self, step: OptimizerStep) -> None:
        """Once in a training."""
        if not self._said_that_counts_differ and step.counts_differ():
            self._said_that_counts_differ = True
            print_log(
                'numbers that losses are divided by were others when training '
                'than when looking ahead: something in the model draws with a '
                'generator of its own, or computes differently each time. '
                'Gradients differ slightly from those of one large batch.',
                logger='current',
                level=logging.WARNING)


@LOOPS.register_module()
class AccumulatingEpochBasedTrainLoop(AccumulatingMixin, EpochBasedTrainLoop):
    """EpochBasedTrainLoop whose accumulated gradients are those of one batch.

    With ``optim_wrapper.accumulative_counts=k`` MMEngine averages the
    gradients of k micro-batches. But heads divide their losses by the number
    of faces, or of samples, in the micro-batch that they see, so that one
    with a single face weighs as much as one with a hundred. Here all k are
    divided by the mean of these numbers, over the ranks too, which gives the
    losses and gradients of one batch of k times the size::

        train_cfg = dict(type='AccumulatingEpochBasedTrainLoop', max_epochs=12)
        optim_wrapper = dict(accumulative_counts=4)

    For this each micro-batch goes through the model twice, once without
    gradients, and the k micro-batches are kept in the memory of the CPU.
    With k = 1 this is EpochBasedTrainLoop.

    An epoch ends with an optimizer step: where its length is no multiple of
    k, the last step is of the micro-batches that are left, as the last batch
    of an epoch would be smaller. (MMEngine goes on accumulating in the next
    epoch, and loses these gradients if it is resumed there. Its warning of
    that at the start of a resumed run has no meaning here.)

    The numbers are known of heads that ask
    :func:`~tinyfaces.models.avg_factor.mean_avg_factor`: all those here, and
    ``SyncedRPNHead`` and the like in place of MMDetection's, unless they have
    ``sync_avg_factor=False``. Other heads divide by their own numbers. Batch
    norm that is trained takes the statistics of each micro-batch.

    As in MMEngine, iterations are micro-batches, for hooks, logs and
    schedules, and what is logged is of a micro-batch.
    """

    def run_epoch(self) -> None:
        """Train for an epoch."""
        number = self.accumulative_counts
        if number == 1:
            super().run_epoch()
            return
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        ahead = Lookahead(iter(self.dataloader))
        for index, data_batch in enumerate(ahead):
            self._run_micro_batch(index, data_batch, number, ahead)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1


@LOOPS.register_module()
class AccumulatingIterBasedTrainLoop(AccumulatingMixin, IterBasedTrainLoop):
    """IterBasedTrainLoop whose accumulated gradients are those of one batch.

    See :class:`AccumulatingEpochBasedTrainLoop`. Optimizer steps are due at
    iterations that are multiples of k, and at the last one. Checkpoints in
    between lose the gradients so far when they are resumed, so take intervals
    that are multiples of k.
    """

    def run_iter(self, data_batch: Any) -> None:
        """Train with one micro-batch.

        Args:
            data_batch: Its data.
        """
        number = self.accumulative_counts
        if number == 1:
            super().run_iter(data_batch)
            return
        # Not before training begins: what has been trained of a run that is
        # resumed is skipped in the iterator itself.
        if not isinstance(self.dataloader_iterator, Lookahead):
            self.dataloader_iterator = Lookahead(self.dataloader_iterator)
        number = min(number - self._iter % number,
                     self._max_iters - self._iter)
        self._run_micro_batch(self._iter, data_batch, number,
                              self.dataloader_iterator)


@contextmanager
def _unchanged(model: nn.Module) -> Iterator[None]:
    """Put all buffers back, such as the statistics of norms."""
    before = [(buffer, buffer.clone()) for buffer in model.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, values in before:
                buffer.copy_(values)
