"""Training in rounds, with a harvest of hard negatives in between."""
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmdet.registry import LOOPS
from mmengine.dist import barrier, is_main_process
from mmengine.hooks import CheckpointHook, EarlyStoppingHook, EMAHook, Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from ...datasets.hard_negative_file import read_header
from ...utils.checkpoint_files import read_checkpoint, write_checkpoint
from ...utils.config_parts import class_name
from ..checkpoint_saving import save_atomically
from ..harvest import (HarvestOptions, harvest, harvest_header,
                       merge_hard_negatives, on_main_process,
                       training_datasets, with_hard_negatives)
from ..hooks.atomic_checkpoint_hook import AtomicCheckpointHook
from .accumulation import AccumulatingEpochBasedTrainLoop


@LOOPS.register_module()
class BootstrapTrainLoop(AccumulatingEpochBasedTrainLoop):
    """Train, harvest, train again ("Bootstrapping Face Detection with Hard
    Negative Examples", section 3.2), in one process.

    Every round is a training of ``max_epochs`` with learning rates and
    optimizer as at the start. After each but the last, all processes harvest
    the training pictures with the weights they have (averaged ones with
    ``EMAHook``), and the next round trains with the hard negatives of all
    rounds so far. Epochs are counted through: round two of twelve epochs is
    epochs 13 to 24, in logs and names of checkpoints.

    The samplers of the model must take hard negatives from the first round
    on, where they draw as those that they replace; the pipeline of later
    rounds is derived by
    :func:`~tinyfaces.engine.harvest.with_hard_negatives`::

        train_cfg = dict(type='BootstrapTrainLoop', max_epochs=12, rounds=2)

    ``<work_dir>/bootstrap`` holds the state at the start and, of each round,
    what was harvested (``round_1_harvested.jsonl``) and the union up to there
    (``round_1_hard_negatives.jsonl``). A run that is resumed, from a
    checkpoint of this work folder, goes on in its round, or with the harvest
    if that is where it stopped. ``default_hooks.checkpoint.save_last``, which
    is on by default, keeps a checkpoint of each round's end, so that a
    harvest can go on with it; the weights of each round that was harvested
    stay in ``round_1.pth``. Checkpoints must be by epochs.

    A hook that stops training early ends the run, not the round. Best scores
    and the patience of ``EarlyStoppingHook`` begin anew with each round;
    hooks that look at the number of an epoch, such as ``EMAHook`` with
    ``begin_epoch``, see it counted through.

    Args:
        runner: The runner.
        dataloader: The training dataloader, or its config.
        max_epochs: Epochs of one round.
        rounds: How many rounds; the paper trains two.
        from_previous: Begin each round with the weights of the one before,
            instead of those of the start. The paper does not say which it
            does.
        harvest: Options of
            :class:`~tinyfaces.engine.harvest.HarvestOptions`.
        rpn: Whether the RPN of a two-stage detector takes hard negatives
            too.
        **kwargs: Of ``EpochBasedTrainLoop``. Accumulated gradients are those
            of :class:`AccumulatingEpochBasedTrainLoop`.

    Raises:
        ValueError: An argument is out of range, checkpoints are by
            iterations, or the config has samplers or pipelines that cannot
            take hard negatives.
    """

    def __init__(self,
                 runner: Runner,
                 dataloader: DataLoader | dict,
                 max_epochs: int,
                 rounds: int = 2,
                 from_previous: bool = False,
                 harvest: dict | None = None,
                 rpn: bool = True,
                 **kwargs) -> None:
        if rounds < 1:
            raise ValueError(f'rounds must be at least 1, not {rounds}')
        self.rounds = rounds
        self.from_previous = from_previous
        self.options = HarvestOptions(**(harvest or {}))
        self.rpn = rpn
        _check_config(runner, rpn)
        # The schedulers, which are built after this, see one round.
        super().__init__(runner, dataloader, max_epochs, **kwargs)
        self.epochs_per_round = self._max_epochs
        self.folder = Path(runner.work_dir, 'bootstrap')
        self._out_dirs = [(hook, hook.out_dir)
                          for hook in _hooks(runner, CheckpointHook)]

    def run(self) -> nn.Module:
        """Train and harvest, from wherever a checkpoint has left off.

        Returns:
            nn.Module: The model after the last round.

        Raises:
            FileNotFoundError: The run is resumed, but not in the work folder
                where it was begun.
        """
        if self._iter == 0:
            self._keep_start()
        finished, into = divmod(self._epoch, self.epochs_per_round)
        number = min(finished + 1, self.rounds)
        if number > 1:
            if into == 0 and finished < self.rounds:
                self._harvest(number - 1)
                self._return_to_start()
            self._train_with(self._file(number - 1, 'hard_negatives'))
        while True:
            self._extend_to(number)
            if self._epoch < self._max_epochs:
                self.runner.logger.info(
                    f'round {number} of {self.rounds}: epochs '
                    f'{self._epoch + 1} to {self._max_epochs}')
            model = super().run()
            if number == self.rounds or self.stop_training:
                return model
            self._harvest(number)
            self._return_to_start()
            self._train_with(self._file(number, 'hard_negatives'))
            number += 1

    def _file(self, number: int, name: str) -> Path:
        """A file of a round."""
        return self.folder / f'round_{number}_{name}.jsonl'

    @property
    def _start(self) -> Path:
        """The state before the first round."""
        return self.folder / 'start.pth'

    def _extend_to(self, number: int) -> None:
        """Let training end with a round."""
        self._max_epochs = number * self.epochs_per_round
        self._max_iters = self._max_epochs * len(self.dataloader)
        # Which gradients are the last to be accumulated.
        self.runner.optim_wrapper.initialize_count_status(
            self.runner.model, self._iter, self._max_iters)

    def _harvest(self, number: int) -> None:
        """Write the files of a round, as far as they are not there."""
        harvested = self._file(number, 'harvested')
        # CheckpointHook may remove its own as it goes on.
        save_atomically(
            self.runner,
            str(self.folder),
            f'round_{number}.pth',
            save_optimizer=False,
            save_param_scheduler=False,
            meta=dict(epoch=self._epoch, iter=self._iter))
        with _averaged_weights(self.runner):
            if not on_main_process(lambda: self._is_current(harvested)):
                summary = harvest(
                    self.runner.cfg,
                    self.runner.model,
                    harvested,
                    self.options,
                    leftovers='replace')
                self.runner.logger.info(f'round {number}: {summary}')
        paths = [self._file(n, 'harvested') for n in range(1, number + 1)]
        on_main_process(lambda: merge_hard_negatives(
            paths, self._file(number, 'hard_negatives')))

    def _is_current(self, harvested: Path) -> bool:
        """Whether a file is of these weights and options."""
        if not harvested.is_file():
            return False
        wanted = harvest_header(self.runner.model, self.options)
        return wanted.items() <= read_header(harvested).items()

    def _train_with(self, file: Path) -> None:
        """Take a dataloader that loads these hard negatives."""
        cfg = with_hard_negatives(self.runner.cfg, file, self.rpn)
        self.dataloader = self.runner.build_dataloader(
            cfg.train_dataloader,
            seed=self.runner.seed,
            diff_rank_seed=self.runner._randomness_cfg.get(
                'diff_rank_seed', False))

    def _keep_start(self) -> None:
        """Write the state that each round begins with."""
        if is_main_process():
            state = dict(
                optimizer=self.runner.optim_wrapper.state_dict(),
                param_schedulers=[s.state_dict() for s in self._schedulers()])
            if not self.from_previous:
                state['model'] = _bare(self.runner.model).state_dict()
            write_checkpoint(state, self._start)
        barrier()

    def _return_to_start(self) -> None:
        """Begin a round: weights, optimizer and schedules as at first."""
        if not self._start.is_file():
            raise FileNotFoundError(
                f'{self._start}: the state before the first round is not '
                'there; resume in the work folder where the run was begun, or '
                'train from the beginning')
        state = read_checkpoint(self._start, 'cpu')
        if not self.from_previous:
            if 'model' not in state:
                raise ValueError(
                    f'{self._start} has no weights, as the run was begun with '
                    'from_previous=True; go on with that, or train from the '
                    'beginning')
            _bare(self.runner.model).load_state_dict(state['model'])
        self.runner.optim_wrapper.load_state_dict(state['optimizer'])
        for scheduler, values in zip(self._schedulers(),
                                     state['param_schedulers']):
            scheduler.load_state_dict(values)
        for hook in _hooks(self.runner, EMAHook):
            hook.before_run(self.runner)  # a new average
        for hook in _hooks(self.runner, EarlyStoppingHook):
            hook.wait_count = 0
            hook.best_score = -math.inf if hook.rule == 'greater' else math.inf
        noted = self.runner.message_hub.runtime_info
        for key in list(noted):
            if key.startswith(('best_score', 'best_ckpt')):
                del noted[key]
        for hook, out_dir in self._out_dirs:
            hook.out_dir = out_dir  # which it extends at each beginning
        for hook in _hooks(self.runner, AtomicCheckpointHook):
            hook.resumed_at = None  # its weights are no longer these

    def _schedulers(self) -> list[Any]:
        """All parameter schedulers."""
        schedulers = self.runner.param_schedulers or []
        if isinstance(schedulers, dict):
            return [one for some in schedulers.values() for one in some]
        return schedulers


def _check_config(runner: Runner, rpn: bool) -> None:
    """Raise now for what would fail after the first round."""
    training_datasets(runner.cfg)
    if not all(hook.by_epoch for hook in _hooks(runner, CheckpointHook)):
        raise ValueError(
            'BootstrapTrainLoop goes on at the beginning of an epoch, and '
            'CheckpointHook has by_epoch=False; set '
            'default_hooks.checkpoint.by_epoch=True')
    hooks = [class_name(hook) for hook in runner.cfg.get('custom_hooks') or []]
    if 'PipelineSwitchHook' in hooks:
        raise ValueError('PipelineSwitchHook would switch to a pipeline '
                         'without hard negatives; take it out of custom_hooks '
                         'or train with tools/bootstrap_train.py')
    # The file is not read before the pipeline is built.
    cfg = with_hard_negatives(runner.cfg, 'hard_negatives.jsonl', rpn)
    if cfg.model != runner.cfg.model:
        raise ValueError(
            'BootstrapTrainLoop needs samplers that take hard negatives, '
            'since the model stays the same over the rounds: take the config '
            'that tinyfaces.engine.with_hard_negatives(cfg, None) gives, or '
            "set type='HardNegativeSampler' (join='proposals' in a RoI head, "
            "join='anchors' in an RPN or one-stage head) in place of "
            'SeededRandomSampler or RandomSampler')


def _bare(model: nn.Module) -> nn.Module:
    """The model inside of a wrapper for distributed training."""
    return model.module if is_model_wrapper(model) else model


def _hooks(runner: Runner, kind: type[Hook]) -> list[Any]:
    return [hook for hook in runner.hooks if isinstance(hook, kind)]


@contextmanager
def _averaged_weights(runner: Runner) -> Iterator[None]:
    """Let the model have the weights that a test of it would have."""
    hooks = _hooks(runner, EMAHook)
    for hook in hooks:
        hook.before_test_epoch(runner)
    try:
        yield
    finally:
        for hook in hooks:
            hook.after_test_epoch(runner)
