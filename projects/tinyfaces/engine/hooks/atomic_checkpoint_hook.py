"""Checkpoints that a killed run can always go on from."""
import os.path as osp
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Any

from mmdet.registry import HOOKS
from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend
from mmengine.hooks import CheckpointHook, EMAHook
from mmengine.runner import (BaseLoop, EpochBasedTrainLoop, IterBasedTrainLoop,
                             Runner)

from ...utils.files import atomic_write, remove_leftovers
from ..checkpoint_content import check_readable, plain_containers
from ..checkpoint_saving import AtomicRunner, LaterRemovals, save_atomically
from ..norm_statistics import average_norm_statistics

_VALIDATED = 'last_validated'


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """MMEngine's ``CheckpointHook``, safe against kills and full disks.

    A checkpoint appears as a whole or not at all, and so do
    ``last_checkpoint`` and the best ones: they are written to a temporary
    file in the same folder, flushed to the disk and renamed. An old one is
    removed after the new one and ``last_checkpoint`` are there, so that with
    ``max_keep_ckpts=1`` there is always one, and for a moment two. What a
    killed run has left of temporary files is removed when the next one
    starts. If a disk is full the run stops with an error, the checkpoint
    before stays, and ``last_checkpoint`` names it.

    A checkpoint of the end of an epoch is written before the epoch's
    validation. A run that is resumed from it does that validation first, as
    it may not have come to its end: best checkpoints, schedulers and hooks
    that look at metrics see what they would have seen.

    Before a checkpoint, and before a validation in training, all processes
    take the mean of their batch norms' running statistics
    (:func:`~tinyfaces.engine.norm_statistics.average_norm_statistics`), so
    that what is validated is what is saved, and what a resumed run has.

    What a checkpoint says of others (the best one, the last one, those to
    remove) holds for files of these names in this run's own folder: one that
    is resumed in a copy of its folder, or from elsewhere, removes nothing
    outside of it.

    Before a checkpoint is written it is checked that a run can be resumed
    from it. If a data set, a hook or a scheduler puts something into it that
    :func:`~tinyfaces.utils.checkpoint_files.read_checkpoint` refuses, the run
    stops and names it, at its first checkpoint and not after days.

    On other than local disks, or with a runner other than MMEngine's
    ``Runner``, all is as in MMEngine.

    Args:
        **kwargs: Of ``CheckpointHook``.
    """

    # Epoch and iteration of the checkpoint that the run goes on from, until
    # the training begins; a loop that changes weights before sets it to None.
    resumed_at: tuple[int | None, int | None] | None = None

    def before_train(self, runner: Runner) -> None:
        """Find the folder, clean it, and make up for a validation."""
        outdated = self._outdated(runner)
        super().before_train(runner)
        if isinstance(runner, Runner):
            self._keep_to_own_files(runner)
            self._remove(outdated)
        if not self._is_ours(runner):
            return
        if is_main_process():
            names = [self.filename_tmpl.format('*'), 'best_*.pth']
            removed = [
                *remove_leftovers(self.out_dir, names),
                *remove_leftovers(runner.work_dir, ['last_checkpoint'])
            ]
            for path in removed:
                runner.logger.info(
                    f'removed {path}, half written by a run that was killed')
        if self.resumed_at == (runner.epoch, runner.iter):
            self._validate(runner)
        self.resumed_at = None

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Note where a run that is resumed goes on."""
        meta = checkpoint.get('meta') or {}
        if getattr(runner, '_resume', False):
            self.resumed_at = meta.get('epoch'), meta.get('iter')

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Let it hold nothing that cannot be resumed from.

        Raises:
            CheckpointError: It does.
        """
        if isinstance(runner, Runner):
            for key, value in checkpoint.items():
                checkpoint[key] = plain_containers(value)
            check_readable(checkpoint)

    def after_val_epoch(self,
                        runner: Runner,
                        metrics: dict | None = None) -> None:
        """Save the best checkpoint, which knows that it is validated."""
        runner.message_hub.update_info(_VALIDATED, runner.iter)
        super().after_val_epoch(runner, metrics or {})

    def before_val_epoch(self, runner: Runner) -> None:
        """Let all processes validate the same model."""
        if isinstance(runner._train_loop, BaseLoop):
            _average(runner)

    def _save_checkpoint(self, runner: Runner) -> None:
        """Save the model that all processes have from now on."""
        _average(runner)
        super()._save_checkpoint(runner)

    def _is_ours(self, runner: Any) -> bool:
        return isinstance(runner, Runner) and isinstance(
            self.file_backend, (LocalBackend, LaterRemovals))

    def _outdated(self, runner: Runner) -> list[int]:
        """Take out of the noted checkpoints those that are too many.

        MMEngine would remove them, and folders of their names too.
        """
        noted = runner.message_hub.runtime_info
        if not isinstance(runner, Runner) or 'keep_ckpt_ids' not in noted:
            return []
        ids = noted['keep_ckpt_ids']
        if not isinstance(ids, list) or any(
                type(one) is not int for one in ids):
            runner.logger.warning(
                f'keep_ckpt_ids of the checkpoint, {ids!r:.80}, are not '
                'numbers of checkpoints; older ones are not removed')
            ids = []
        kept = ids[-self.max_keep_ckpts:] if self.max_keep_ckpts > 0 else ids
        noted['keep_ckpt_ids'] = kept
        return ids[:len(ids) - len(kept)]

    def _keep_to_own_files(self, runner: Runner) -> None:
        """Let what a checkpoint says of others be of this run's folder."""
        noted = runner.message_hub.runtime_info
        suffix = osp.splitext(self.filename_tmpl)[1]
        for key, named in list(noted.items()):
            is_last = key == 'last_ckpt'
            if not is_last and not str(key).startswith('best_ckpt'):
                continue
            name = osp.basename(named) if isinstance(named, str) else ''
            path = self.file_backend.join_path(self.out_dir, name)
            pattern = self.filename_tmpl.format(
                '*') if is_last else f'best_*{suffix}'
            if fnmatchcase(name, pattern) and self.file_backend.isfile(path):
                noted[key] = path
                continue
            del noted[key]
            if not is_last:
                runner.logger.info(
                    f'{named!r:.200}, the best checkpoint before, is not in '
                    f'{self.out_dir}; it is left alone')
        if self.save_best and len(self.key_indicators) == 1:
            self.best_ckpt_path = noted.get('best_ckpt')
        elif self.save_best:
            self.best_ckpt_path_dict = {
                key: noted.get(f'best_ckpt_{key}')
                for key in self.key_indicators
            }

    def _remove(self, steps: list[int]) -> None:
        """Remove checkpoints of these epochs or iterations."""
        for step in steps if is_main_process() else ():
            path = self.file_backend.join_path(self.out_dir,
                                               self.filename_tmpl.format(step))
            if self.file_backend.isfile(path):
                self.file_backend.remove(path)

    def _validate(self, runner: Runner) -> None:
        """Do the validation that was due at the checkpoint."""
        done = runner.message_hub.runtime_info.get(_VALIDATED)
        if done == runner.iter or not _validation_is_due(
                runner, self.by_epoch):
            return
        # Which is written again if it turns out to be the best.
        self.last_ckpt = osp.join(
            self.out_dir,
            self.filename_tmpl.format(
                runner.epoch if self.by_epoch else runner.iter))
        runner.logger.info('the checkpoint was written before the validation '
                           'that was due, which is done now')
        runner.val_loop.run()
        if not osp.isfile(self.last_ckpt):  # resumed from another folder
            self.last_ckpt = None

    def _save_checkpoint_with_step(self, runner: Runner, step: int,
                                   meta: dict) -> None:
        """Write one, then ``last_checkpoint``, then remove an old one."""
        if isinstance(runner, AtomicRunner):
            runner = runner.runner  # behind a new best checkpoint
        if not self._is_ours(runner):
            super()._save_checkpoint_with_step(runner, step, meta)
            return
        outdated = []
        if self.max_keep_ckpts > 0 and step not in self.keep_ckpt_ids:
            kept = [*self.keep_ckpt_ids, step]
            outdated = kept[:-self.max_keep_ckpts]
            # With those that are still there, which a run that is resumed
            # from this removes if this one could not.
            runner.message_hub.update_info('keep_ckpt_ids', kept)
            self.keep_ckpt_ids.append(step)  # a deque of that many
        name = self.filename_tmpl.format(step)
        self.last_ckpt = osp.join(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        save_atomically(
            runner,
            self.out_dir,
            name,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            **self.args)
        if is_main_process():
            pointer = osp.join(runner.work_dir, 'last_checkpoint')
            with atomic_write(pointer) as temporary:
                temporary.write_text(self.last_ckpt)
        self._remove(outdated)
        if outdated:
            runner.message_hub.update_info('keep_ckpt_ids',
                                           list(self.keep_ckpt_ids))

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        """As MMEngine, with the old one removed last."""
        if not self._is_ours(runner):
            super()._save_best_checkpoint(runner, metrics)
            return
        with self._removals_last() as written:
            super()._save_best_checkpoint(
                AtomicRunner(runner, written), metrics)

    @contextmanager
    def _removals_last(self) -> Iterator[set[str]]:
        """Let removals wait; gives a set for what is written meanwhile."""
        backend, written = self.file_backend, set()
        self.file_backend = later = LaterRemovals(backend)
        try:
            yield written
        finally:
            self.file_backend = backend
        for path in later.paths:
            if path not in written:
                backend.remove(path)


def _average(runner: Runner) -> None:
    """Let all processes have the same statistics, in averaged models too."""
    average_norm_statistics(
        runner.model,
        [hook.ema_model for hook in runner.hooks if isinstance(hook, EMAHook)])


def _validation_is_due(runner: Runner, by_epoch: bool) -> bool:
    """Whether the loop would validate at this point."""
    loop = runner.train_loop
    if runner.val_loop is None or by_epoch != isinstance(
            loop, EpochBasedTrainLoop):
        return False
    if isinstance(loop, EpochBasedTrainLoop):
        now, end = loop.epoch, loop.max_epochs
    elif isinstance(loop, IterBasedTrainLoop):
        now, end = loop.iter, loop.max_iters
    else:
        return False
    loop._decide_current_val_interval()
    return now >= loop.val_begin and (now % loop.val_interval == 0
                                      or now == end)
