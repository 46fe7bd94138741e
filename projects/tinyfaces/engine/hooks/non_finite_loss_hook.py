"""What happens when a loss is infinite or not a number."""
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from mmdet.registry import HOOKS
from mmengine.dist import all_gather_object, all_reduce, get_rank
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapperDict
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from torch import Tensor

from ...utils.checkpoint_files import write_checkpoint
from ...utils.files import atomic_write, remove_leftovers

_SKIPPED = 'non_finite_losses'


@HOOKS.register_module()
class NonFiniteLossHook(Hook):
    """Stop, or leave out the step, when a loss is not finite.

    Before the gradients of a batch are computed, all processes agree on
    whether the loss of any is infinite or not a number. If so, the pictures
    of all batches are named, and each process writes its batch to
    ``<work_dir>/non_finite``: ``iter_N_rank_R.pth`` with ``inputs`` and
    ``data_samples`` as the data loader gave them (of own files only:
    ``torch.load(path, weights_only=False)``), and ``iter_N_rank_R.json``
    with the losses by name and the pictures. Then the run stops, with the
    weights of the step before, or the step is skipped: weights and optimizer
    stay as they are, in all processes. With accumulated gradients the whole
    step is, not only the one batch.

    Steps that were skipped are warned about, kept in checkpoints, and listed
    at the end of the training. Infinite gradients of a finite loss are not
    looked at: with ``AmpOptimWrapper`` its loss scaler skips these steps
    itself, and lowers the scale.

    The check waits for the device once per step, between the forward and
    the backward pass, and for the slowest process; MMEngine waits once more,
    when it takes the losses for the log. On a GPU that is kept busy only by
    many steps in its queue (small models and batches) this costs time:
    ``default_hooks.non_finite_loss.action=off`` switches the check off.

    Args:
        action: ``stop``, ``skip``, or ``off``: nothing is checked.
        max_skips: Steps that may be skipped one after the other; one more
            stops the run, since weights that give nothing finite any more do
            not recover.
        max_saved: Steps whose batches are written, for the disk's sake.

    Raises:
        ValueError: An argument is none of these.
    """

    priority = 'VERY_HIGH'

    def __init__(self,
                 action: str = 'stop',
                 max_skips: int = 10,
                 max_saved: int = 20) -> None:
        if action not in ('stop', 'skip', 'off'):
            raise ValueError(
                f"action must be 'stop', 'skip' or 'off', not {action}")
        if max_skips < 1 or max_saved < 1:
            raise ValueError('max_skips and max_saved must be at least 1, not '
                             f'{max_skips} and {max_saved}')
        self.action = action
        self.max_skips = max_skips
        self.max_saved = max_saved
        self._in_a_row = 0
        self._drop_group = False
        self._batch: Any = None
        self._losses: dict[str, Tensor] = {}
        self._put_back: list[Callable[[], None]] = []

    def before_train(self, runner: Runner) -> None:
        """Begin to watch the optimizer's steps.

        Raises:
            TypeError: The run has several optimizers.
        """
        self._unwatch()
        if self.action == 'off':
            return
        optim_wrapper = runner.optim_wrapper
        if isinstance(optim_wrapper, OptimWrapperDict):
            raise TypeError(
                'NonFiniteLossHook watches one optimizer, and the run has '
                f'{type(optim_wrapper).__name__}; set '
                "default_hooks.non_finite_loss.action='off'")
        self._folder = Path(runner.work_dir, 'non_finite')
        remove_leftovers(self._folder, [
            f'iter_*_rank_{get_rank()}.{suffix}' for suffix in ('pth', 'json')
        ])
        self._watch(optim_wrapper, 'update_params',
                    lambda update: self._guard(runner, update))
        model = runner.model
        self._watch(
            model.module if is_model_wrapper(model) else model, 'parse_losses',
            self._note_losses)

    def before_train_iter(self,
                          runner: Runner,
                          batch_idx: int,
                          data_batch: Any = None) -> None:
        """Keep the batch until its step is done."""
        self._batch = data_batch

    def after_train_iter(self,
                         runner: Runner,
                         batch_idx: int,
                         data_batch: Any = None,
                         outputs: dict | None = None) -> None:
        """Let go of the batch."""
        self._batch = None
        self._losses = {}

    def after_train(self, runner: Runner) -> None:
        """List the steps that were skipped."""
        self._unwatch()
        skipped = runner.message_hub.runtime_info.get(_SKIPPED) or []
        if skipped:
            runner.logger.warning(
                f'{len(skipped)} steps were skipped, as their losses were not '
                f'finite: iterations {", ".join(map(str, skipped))}; batches '
                f'in {self._folder}')

    def _watch(self, owner: Any, name: str, wrap: Callable[[Callable],
                                                           Callable]) -> None:
        """Put a function of our own in a method's place."""
        kept = vars(owner).get(name)  # another hook's
        setattr(owner, name, wrap(getattr(owner, name)))
        self._put_back.append(lambda: setattr(owner, name, kept)
                              if kept else delattr(owner, name))

    def _unwatch(self) -> None:
        while self._put_back:
            self._put_back.pop()()

    def _note_losses(self, parse: Callable) -> Callable:
        """``parse_losses`` that keeps the losses by name."""

        def parse_losses(losses: dict) -> tuple[Tensor, dict[str, Tensor]]:
            total, self._losses = parse(losses)
            return total, self._losses

        return parse_losses

    def _guard(self, runner: Runner, update: Callable) -> Callable:
        """``update_params`` that does nothing for a bad step."""
        optim_wrapper = runner.optim_wrapper

        def update_params(loss: Tensor, *args, **kwargs) -> None:
            bad = (~torch.isfinite(loss.detach())).any().float().reshape(1)
            all_reduce(bad, 'max')
            if bad.item():
                self._report(runner, loss)
                self._drop_group = True
            if not self._drop_group:
                update(loss, *args, **kwargs)
                if optim_wrapper.should_update():
                    self._in_a_row = 0
                return
            # As update() would count; the step ends where it would end.
            optim_wrapper._inner_count += 1
            optim_wrapper.zero_grad()
            if optim_wrapper.should_update():
                self._drop_group = False

        return update_params

    def _report(self, runner: Runner, loss: Tensor) -> None:
        """Name and write the batches; stop the run if that is asked for.

        Raises:
            FloatingPointError: The run is to stop.
        """
        rank, iteration = get_rank(), runner.iter + 1
        hub = runner.message_hub
        skipped = list(hub.runtime_info.get(_SKIPPED) or [])
        again = self._drop_group  # another batch of the same step
        if not again:
            skipped.append(iteration)
            self._in_a_row += 1
        report = dict(
            iteration=iteration,
            epoch=runner.epoch + 1,
            rank=rank,
            losses={
                name: _number(value)
                for name, value in {
                    **self._losses, 'loss': loss
                }.items()
            },
            pictures=_pictures(self._batch))
        report = json.loads(json.dumps(report, default=str))
        where = 'are not written, as enough of them are'
        if len(skipped) <= self.max_saved:
            where = self._save(report)
        lines = []
        for one, saved in all_gather_object((report, where)):
            bad = {
                name: value
                for name, value in one['losses'].items()
                if isinstance(value, str)
            }
            lines.append(f'  rank {one["rank"]}: ' +
                         (f'{bad}' if bad else 'all losses finite') +
                         f'; batch {saved}')
            lines += [f'    {picture}' for picture in one['pictures']]
        text = '\n'.join([
            f'loss is not finite at iteration {iteration} (epoch '
            f'{runner.epoch + 1}); pictures of the batches:', *lines
        ])
        if self.action == 'stop':
            raise FloatingPointError(
                f'{text}\nThe weights are those before this step. Look at the '
                'boxes of these pictures and at the losses before; lower the '
                'learning rate, warm up longer, or clip gradients '
                '(optim_wrapper.clip_grad); or leave such steps out with '
                "default_hooks.non_finite_loss.action='skip'")
        if self._in_a_row > self.max_skips:
            raise FloatingPointError(
                f'{text}\n{self._in_a_row} steps in a row, which is more than '
                f'max_skips={self.max_skips}: the weights themselves have '
                'gone wrong; go on from an earlier checkpoint with a lower '
                'learning rate')
        hub.update_info(_SKIPPED, skipped)
        runner.logger.warning(f'{text}\nThe step is skipped')

    def _save(self, report: dict[str, Any]) -> str:
        """Write the batch of this process; says where, or why not."""
        stem = f'iter_{report["iteration"]}_rank_{report["rank"]}'
        path = self._folder / f'{stem}.json'
        try:
            with atomic_write(path) as temporary:
                temporary.write_text(json.dumps(report, indent=2) + '\n')
            if self._batch is not None:
                path = path.with_suffix('.pth')
                write_checkpoint(self._batch, path)
        # Of a full disk or memory, or a batch that cannot be pickled: the
        # report matters more, and other processes wait for it.
        except Exception as error:
            return f'not written: {type(error).__name__}: {error}'
        return f'in {path}'


def _number(value: Tensor | float) -> float | str:
    """A loss for JSON, which knows no infinite numbers."""
    number = float(torch.as_tensor(value).detach().float().mean())
    return number if torch.isfinite(torch.tensor(number)) else str(number)


def _pictures(batch: Any) -> list[dict[str, Any]]:
    """What is known of the pictures of a batch."""
    samples = batch.get('data_samples') if isinstance(batch, dict) else None
    found = []
    for sample in samples if isinstance(samples, Sequence) else ():
        if not isinstance(sample, (BaseDataElement, dict)):
            continue
        one = {
            key: sample.get(key)
            for key in ('img_path', 'img_id') if key in sample
        }
        faces = sample.get('gt_instances')
        if isinstance(
                faces,
                BaseDataElement) and 'draw_seed' in faces.metainfo_keys():
            one['draw_seed'] = faces.draw_seed
        found.append(one)
    return found
