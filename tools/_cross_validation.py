"""What a cross-validation keeps on disk, and the processes it runs."""
import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mmengine.config import Config, ConfigDict

from tinyfaces.datasets.fddb_annotations import ellipses_by_name, load_fddb
from tinyfaces.evaluation.functional import (evaluate_fddb,
                                             read_fddb_detections,
                                             read_image_sizes_file,
                                             write_fddb_detections, write_roc)
from tinyfaces.evaluation.functional.fddb_io import (read_published_rocs,
                                                     write_image_sizes_file)
from tinyfaces.evaluation.functional.fddb_output import SIZES_FILE
from tinyfaces.evaluation.functional.fddb_report import (FALSE_POSITIVES,
                                                         format_fddb_table,
                                                         write_fddb_json)
from tinyfaces.utils.files import atomic_write
from tinyfaces.visualization.roc_curve import plot_roc_curves

# Lines of a log that an error shows, and differences of two configs.
_TAIL = 15
_SHOWN = 8
# What ends a run: kill, and the loss of its terminal.
_STOPS = (signal.SIGTERM, signal.SIGHUP)


class Fold:
    """The folder of one fold.

    Markers are written as a whole, when what they stand for is complete.

    Args:
        folder (Path): Holds ``train/``, ``test/``, ``detections/``, two
            logs, two markers and a lock.
        number (int): The fold held out, 1 to 10.
    """

    def __init__(self, folder: Path, number: int) -> None:
        self.number = number
        self.train_dir = folder / 'train'
        self.test_dir = folder / 'test'
        self.detections_dir = folder / 'detections'
        self.train_log = folder / 'train.log'
        self.test_log = folder / 'test.log'
        self._trained = folder / 'trained.json'
        self._done = folder / 'done.json'
        self._lock = folder / 'lock'

    @property
    def detections(self) -> Path:
        """The official detection file of the fold."""
        return self.detections_dir / f'fold-{self.number:02d}-out.txt'

    @property
    def image_sizes(self) -> Path:
        """Sizes of the pictures, which pooling needs too."""
        return self.detections_dir / SIZES_FILE

    @property
    def checkpoint(self) -> Path | None:
        """The last checkpoint, wherever the folder lies now."""
        pointer = self.train_dir / 'last_checkpoint'
        if not pointer.is_file():
            return None
        path = self.train_dir / Path(pointer.read_text().strip()).name
        return path if path.is_file() else None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs, also those of other machines, from this fold.

        Raises:
            BlockingIOError: Another run has it.
        """
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        with open(self._lock, 'ab') as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BlockingIOError(
                    f'fold {self.number} is being done by another run, which '
                    f'holds {self._lock}; let it end, or choose other '
                    '--folds') from None
            except OSError as error:
                # Some network file systems know no locks.
                print(
                    f'fold {self.number}: cannot lock {self._lock} ({error}); '
                    'take care that no other run does this fold',
                    flush=True)
            yield

    def is_started(self) -> bool:
        """Whether anything was trained, or a run is at it."""
        marks = (self.train_dir / 'last_checkpoint', self._trained, self._done)
        if any(mark.is_file() for mark in marks):
            return True
        if self._lock.is_file():
            try:
                with self.locked():
                    return False
            except BlockingIOError:
                return True
        return False

    def is_trained(self) -> bool:
        """Whether the training has come to its end."""
        return self._trained.is_file() and self.checkpoint is not None

    def is_done(self) -> bool:
        """Whether there are detections of the whole fold."""
        return all(path.is_file()
                   for path in (self._done, self.detections, self.image_sizes))

    def mark_trained(self, seconds: float) -> None:
        """Note that the training has ended; ``seconds`` since it last began.

        Raises:
            SystemExit: It left no checkpoint.
        """
        if self.checkpoint is None:
            raise SystemExit(
                f'error: training of fold {self.number} left no checkpoint in '
                f'{self.train_dir}; set default_hooks.checkpoint.save_last')
        _write_json(self._trained, dict(seconds=round(seconds, 1)))

    def mark_done(self, seconds: float) -> None:
        """Note that the test has ended; ``seconds`` are its own."""
        _write_json(self._done, dict(seconds=round(seconds, 1)))

    def summary(self) -> str:
        """Times and the rates of this fold by itself."""
        times = [
            json.loads(path.read_text())['seconds']
            for path in (self._trained, self._done)
        ]
        text = f'trained in {times[0]:.0f} s, tested in {times[1]:.0f} s'
        path = self.detections_dir / 'results.json'
        if not path.is_file():  # the metric is told to write files only
            return text
        detector, = json.loads(path.read_text())['detectors'].values()
        return (f'{text}; by itself {detector["num_images"]} pictures, at the '
                f'end of the curves {detector["disc"]["final"]:.4f} discrete, '
                f'{detector["cont"]["final"]:.4f} continuous')


def describe(cfg: Config, gpus: int) -> dict:
    """What two runs must have in common for their folds to be pooled.

    Args:
        cfg (Config): Config with all overrides.
        gpus (int): Processes of a run; they multiply the batch.

    Returns:
        dict: As JSON gives it back: the config, ``gpus``, and a hash of the
        file that training starts from.
    """
    start = cfg.get('load_from')
    digest = None
    if start and Path(start).is_file():
        digest = hashlib.sha256(Path(start).read_bytes()).hexdigest()
    content = dict(config=cfg.to_dict(), gpus=gpus, load_from_sha256=digest)
    return json.loads(json.dumps(content, default=str))


def check_unchanged(work_dir: Path, folds: Sequence[Fold],
                    description: dict) -> None:
    """Refuse a folder whose folds are of another config.

    Until one of them is started there are none: the command may be mended.

    Args:
        work_dir (Path): Folder of the cross-validation; a new one is made.
        folds (Sequence[Fold]): All ten.
        description (dict): See :func:`describe`; kept in the folder.

    Raises:
        SystemExit: The folder's description is another one; says what
            differs.
    """
    path = work_dir / 'cross_validation.json'
    if not path.is_file():
        _write_json(path, description)
        return
    changed = _differences(json.loads(path.read_text()), description)
    if changed and not any(fold.is_started() for fold in folds):
        _write_json(path, description)
    elif changed:
        shown = ''.join(f'  {line}\n' for line in changed[:_SHOWN])
        more = len(changed) - _SHOWN
        raise SystemExit(
            f'error: the folds in {work_dir} are of another config:\n{shown}' +
            (f'  and {more} more\n' if more > 0 else '') +
            'give another --work-dir, or remove that folder')


def run_logged(command: Sequence[str], log: Path, what: str) -> None:
    """Run a command to its end, its output appended to a file.

    The command and all that it started are stopped with this process, also
    when its terminal is lost (but not under ``nohup``).

    Args:
        command (Sequence[str]): Program and arguments.
        log (Path): The file.
        what (str): What the command does, for the message.

    Raises:
        SystemExit: It failed; shows the end of the log.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    before = {
        number: signal.signal(number, lambda got, _: sys.exit(128 + got))
        for number in _STOPS if signal.getsignal(number) != signal.SIG_IGN
    }
    try:
        with open(log, 'ab') as file:
            process = subprocess.Popen(
                command,
                stdout=file,
                stderr=subprocess.STDOUT,
                env={
                    **os.environ, 'PYTHON': sys.executable
                },
                start_new_session=True)
            try:
                code = process.wait()
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGTERM)
                    process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if code:
        lines = log.read_text(errors='replace').splitlines()[-_TAIL:]
        tail = ''.join(f'  {line}\n' for line in lines)
        raise SystemExit(f'error: {what} failed with exit code {code}:\n'
                         f'{tail}whole log: {log}; the same command goes on '
                         'there once the cause is mended')


def pool(folds: Sequence[Fold], metric: ConfigDict, folder: Path) -> str:
    """Score the detections of all folds as one set.

    Args:
        folds (Sequence[Fold]): Folds that are done.
        metric (ConfigDict): Config of the ``FDDBMetric`` that tested them:
            annotations, false positives to report at, published curves.
        folder (Path): Where to write.

    Returns:
        str: Table of the rates.
    """
    detections, sizes = {}, {}
    for fold in folds:
        detections.update(read_fddb_detections(fold.detections))
        sizes.update(read_image_sizes_file(fold.image_sizes))
    ann_file = metric.get('ann_file')
    truth = ellipses_by_name(load_fddb(metric.folds_dir, ann_file=ann_file))
    results = {
        metric.get('name', 'detector'):
        evaluate_fddb(detections, truth, sizes, only_given=True)
    }
    published = read_published_rocs(metric.get('published') or ())
    options = dict(
        fps=metric.get('false_positives', FALSE_POSITIVES),
        annotations=f'annotations {ann_file or metric.folds_dir}; ten-fold '
        f'cross-validation on {len(detections):,} of {len(truth):,} pictures',
        published=published)
    write_fddb_detections(detections, folder / 'detections.txt')
    write_image_sizes_file(sizes, folder / SIZES_FILE)
    for name, result in results.items():
        write_roc(result, f'{folder}/')
    plot_roc_curves(results, folder / 'roc.png', published=published)
    write_fddb_json(folder / 'results.json', results, **options)
    return format_fddb_table(results, **options)


def _differences(before: object, now: object, key: str = '') -> list[str]:
    """Every place where two JSON values differ, as ``key: old -> new``."""
    if isinstance(before, dict) and isinstance(now, dict):
        pairs = [(name, before.get(name), now.get(name))
                 for name in dict.fromkeys([*before, *now])]
    elif isinstance(before, list) and isinstance(
            now, list) and len(before) == len(now):
        pairs = list(zip(range(len(now)), before, now))
    else:
        return [] if before == now else [f'{key}: {before} -> {now}']
    return [
        line for name, old, new in pairs for line in _differences(
            old, new, f'{key}.{name}' if key else str(name))
    ]


def _write_json(path: Path, content: dict) -> None:
    """Write a JSON file as a whole."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + '\n')
