"""Pictures that cannot be read: counted, listed, and not too many."""
import atexit
import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmdet.registry import HOOKS
from mmengine.dist import all_gather_object, get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmengine.runner import Runner

from ...datasets.picture_faults import UNREADABLE
from ...utils.files import atomic_write
from ..harvest import on_main_process

# Of the message hub, which checkpoints hold.
_COUNTS = 'unreadable_pictures'
# How many are named in a log at a time; the file names all.
_NAMED = 50
TRAINING, VALIDATION, TEST, START = ('training', 'validation', 'test',
                                     'left out at the start')


@HOOKS.register_module()
class UnreadablePicturesHook(Hook):
    """Say which pictures could not be read, and stop if they are many.

    :class:`~tinyfaces.datasets.FaceDataset` puts another picture in the place
    of one that cannot be loaded, and a grey one in tests. This hook warns of
    each such picture once, keeps ``<work_dir>/unreadable_pictures.json`` up
    to date while training, and lists all of them when training or a test
    ends; in training also if an error or Ctrl-C ends it. The file holds
    ``asked``, the pictures that training asked for so far, ``unreadable``,
    how many of these could not be loaded, and ``pictures``: ``path``,
    ``reason``, ``where`` and ``times`` of each. There is none as long as all
    pictures can be loaded.

    All processes put together what they saw every ``interval`` iterations
    and at the end of each epoch, validation and test. If a training of
    several processes ends otherwise, only the main process adds what it saw
    since, and the file says ``partial``. A training that is resumed goes on
    with the file of its work folder, or else with the counts in the
    checkpoint; iterations that it repeats count again.

    Args:
        max_fraction: Stop if more than this part of the pictures that
            training asked for cannot be loaded.
        min_asked: Only once so many were asked for.
        interval: Iterations between two looks.

    Raises:
        ValueError: An argument is out of range.
    """

    # Before CheckpointHook.
    priority = 'NORMAL'
    file_name = 'unreadable_pictures.json'

    def __init__(self,
                 max_fraction: float = .1,
                 min_asked: int = 200,
                 interval: int = 50) -> None:
        if not 0 <= max_fraction <= 1:
            raise ValueError(
                f'max_fraction must be in [0, 1], not {max_fraction}')
        if min_asked < 1 or interval < 1:
            raise ValueError('min_asked and interval must be at least 1, not '
                             f'{min_asked} and {interval}')
        self.max_fraction = max_fraction
        self.min_asked = min_asked
        self.interval = interval
        self.asked = self.unreadable = 0
        self.pictures: dict[tuple[str, str], dict] = {}
        self._begun = False
        # What this process saw since the last look.
        self._new_asked = 0
        self._new: list[tuple[str, str, str]] = []

    def before_train(self, runner: Runner) -> None:
        """Go on with the file of a resumed run."""
        if not self._begun:  # a loop may begin a training in rounds anew
            self._begun = True
            self.asked, self.unreadable, self.pictures = on_main_process(
                lambda: self._take_up(runner))
            if is_main_process():
                atexit.register(self._end, self._file(runner),
                                get_world_size() > 1)
        dataset = runner.train_dataloader.dataset
        if is_main_process():
            self._new += [(path, reason, START)
                          for path, reason in _left_out(dataset)]
        self._look(runner)

    def after_train_iter(self,
                         runner: Runner,
                         batch_idx: int,
                         data_batch: Any = None,
                         outputs: dict | None = None) -> None:
        """Note the substitutes of a batch; look every ``interval``."""
        samples = list(_samples(data_batch))
        self._new_asked += len(samples)
        self._note(samples, TRAINING)
        if self.every_n_train_iters(runner, self.interval):
            self._look(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Look, before a checkpoint is written."""
        self._look(runner)

    def after_train(self, runner: Runner) -> None:
        """List what was found."""
        self._look(runner)
        self._begun = False  # in all processes: the next round begins alike
        if is_main_process():
            atexit.unregister(self._end)
            self._list(TRAINING)

    def after_val_iter(self,
                       runner: Runner,
                       batch_idx: int,
                       data_batch: Any = None,
                       outputs: Any = None) -> None:
        """Note the grey pictures of a validation."""
        self._note(outputs or (), VALIDATION)

    def after_val_epoch(self,
                        runner: Runner,
                        metrics: dict | None = None) -> None:
        """Look."""
        self._look(runner)

    def after_test_iter(self,
                        runner: Runner,
                        batch_idx: int,
                        data_batch: Any = None,
                        outputs: Any = None) -> None:
        """Note the grey pictures of a test."""
        self._note(outputs or (), TEST)

    def after_test(self, runner: Runner) -> None:
        """List them, as the last thing that a test says."""
        self._add(self._gather())
        if is_main_process():
            self._list(TEST)

    def _note(self, samples: Iterable[Any], where: str) -> None:
        """Keep what samples say of unreadable pictures."""
        for sample in samples:
            if not hasattr(sample, 'get'):
                continue
            faults = sample.get(UNREADABLE) or ()
            self._new += [(path, reason, where) for path, reason in faults]
            if where == TRAINING:
                self._new_asked += len(faults)

    def _look(self, runner: Runner) -> None:
        """Merge, warn, write, and stop if too many were unreadable.

        Raises:
            RuntimeError: Too many; in all processes.
        """
        fresh = self._add(self._gather())
        runner.message_hub.update_info(_COUNTS, [self.asked, self.unreadable])
        if fresh and is_main_process():
            MMLogger.get_current_instance().warning(
                '\n'.join([f'{len(fresh):,} pictures cannot be read:'] +
                          _lines(fresh)))
        if is_main_process():
            self._write(self._file(runner))
        if (self.asked >= self.min_asked
                and self.unreadable > self.max_fraction * self.asked):
            raise RuntimeError(
                f'{self.unreadable:,} of {self.asked:,} pictures that '
                'training asked for could not be read, more than '
                f'max_fraction={self.max_fraction:g} of '
                f'UnreadablePicturesHook; see {self._file(runner)}')

    def _gather(self) -> list[tuple]:
        """What each process saw since the last look."""
        seen = all_gather_object((self._new_asked, self._new))
        self._new_asked, self._new = 0, []
        return seen

    def _add(self, seen: list[tuple]) -> list[dict]:
        """Put together what processes saw; the pictures new to all."""
        fresh = []
        for asked, faults in seen:
            self.asked += asked
            for path, reason, where in faults:
                entry = self.pictures.get((path, where))
                if entry is None:
                    entry = dict(
                        path=path, reason=reason, where=where, times=0)
                    self.pictures[path, where] = entry
                    fresh.append(entry)
                entry['times'] += where != START
                self.unreadable += where == TRAINING
        return fresh

    def _take_up(self, runner: Runner) -> tuple[int, int, dict[tuple, dict]]:
        """What was counted in a run that goes on; another's is removed."""
        file = self._file(runner)
        if not runner.iter:
            file.unlink(missing_ok=True)
            return 0, 0, {}
        if not file.exists():
            asked, unreadable = runner.message_hub.runtime_info.get(
                _COUNTS, (0, 0))
            return asked, unreadable, self.pictures
        try:
            content = json.loads(file.read_text('utf-8'))
            pictures = {
                (entry['path'], entry['where']): entry
                for entry in content['pictures']
            }
            return int(content['asked']), int(content['unreadable']), pictures
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f'{file}: no list of unreadable pictures of a training '
                f'({error}); delete it to begin a new one') from error

    def _write(self, file: Path, **more: Any) -> None:
        """Write the list if there is something on it; never raises."""
        if not self.pictures:
            return
        content = dict(
            asked=self.asked,
            unreadable=self.unreadable,
            **more,
            pictures=[self.pictures[key] for key in sorted(self.pictures)])
        try:
            with atomic_write(file) as temporary:
                temporary.write_text(
                    json.dumps(content, indent=2) + '\n', encoding='utf-8')
        except OSError as error:  # must not end a training
            MMLogger.get_current_instance().error(
                f'the unreadable pictures are not listed: {error}')

    def _end(self, file: Path, partial: bool) -> None:
        """Write and list what is known when an error ends a training.

        The other processes cannot be asked any more.
        """
        seen = self._new_asked, self._new
        self._new_asked, self._new = 0, []
        self._add([seen])
        self._write(file, **(dict(partial=True) if partial else {}))
        self._list(TRAINING)

    def _list(self, when: str) -> None:
        """Say, at the end, what could not be read."""
        entries = [self.pictures[key] for key in sorted(self.pictures)]
        if when == TEST:
            entries = [entry for entry in entries if entry['where'] == TEST]
        if not entries:
            return
        head = (f'WARNING: {len(entries):,} pictures could not be read in '
                'this test; they count as pictures without detections:')
        if when == TRAINING:
            head = (f'WARNING: {len(entries):,} pictures could not be read; '
                    f'of {self.asked:,} that training asked for '
                    f'{self.unreadable:,} were replaced:')
        MMLogger.get_current_instance().log(
            logging.WARNING, '\n'.join([head] + _lines(entries)))

    def _file(self, runner: Runner) -> Path:
        """Where the list is."""
        return Path(runner.work_dir, self.file_name)


def _samples(data_batch: Any) -> Iterator[Any]:
    """The data samples of a batch, as collated."""
    if isinstance(data_batch, Mapping):
        samples = data_batch.get('data_samples')
        if isinstance(samples, Sequence):
            yield from samples


def _left_out(dataset: Any) -> Iterator[tuple[str, str]]:
    """What the datasets inside of wrappers left out at the start."""
    yield from getattr(dataset, 'left_out', ())
    inner = getattr(dataset, 'datasets',
                    None) or [getattr(dataset, 'dataset', None)]
    for part in inner:
        if part is not None:
            yield from _left_out(part)


def _lines(entries: list[dict]) -> list[str]:
    """One line each, up to a limit."""
    lines = []
    for entry in entries[:_NAMED]:
        times = f', {entry["times"]:,} times' if entry['times'] > 1 else ''
        lines.append(
            f'  {entry["path"]}: {entry["reason"]} ({entry["where"]}{times})')
    if len(entries) > _NAMED:
        lines.append(f'  and {len(entries) - _NAMED:,} more')
    return lines
