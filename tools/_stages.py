"""Long work in stages that are processes: folders, markers, commands."""
import ctypes
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from mmengine.config import Config

from tinyfaces.utils.descriptions import (as_json, differences,
                                          differences_in_words, write_json)
from tinyfaces.utils.locks import exclusive_lock

TOOLS = Path(__file__).resolve().parent
# Lines of a log that an error shows.
_TAIL = 15
# Of MMEngine's CheckpointHook.
_CHECKPOINT = re.compile(r'(?:epoch|iter)_(\d+)\.pth')
# What ends a run: kill, and the loss of its terminal.
_STOPS = (signal.SIGTERM, signal.SIGHUP)
_LINUX = sys.platform == 'linux'
_LIBC = ctypes.CDLL(None) if _LINUX else None
_PR_SET_PDEATHSIG = 1


class TrainingFolder:
    """The folder of one training, and of what is done with its result.

    Markers are written as a whole, when what they stand for is complete.

    Args:
        folder (Path): Holds ``train/``, its log, a marker and a lock.
        title (str): Such as ``fold 3``, for messages.
    """

    def __init__(self, folder: Path, title: str) -> None:
        self.folder = folder
        self.title = title
        self.train_dir = folder / 'train'
        self.train_log = folder / 'train.log'
        self._trained = folder / 'trained.json'
        self._lock = folder / 'lock'

    @property
    def checkpoint(self) -> Path | None:
        """The last checkpoint, wherever the folder lies now."""
        pointer = self.train_dir / 'last_checkpoint'
        if not pointer.is_file():
            return None
        path = self.train_dir / Path(pointer.read_text().strip()).name
        return path if path.is_file() else None

    @property
    def resumable(self) -> Path | None:
        """What training goes on with: the last complete checkpoint.

        A kill while ``last_checkpoint`` is written leaves that file empty.
        """
        if self.checkpoint:
            return self.checkpoint
        # What a killed process has written of one is no zip file.
        found = [(int(match[1]), path)
                 for path in self.train_dir.glob('*_*.pth')
                 if (match := _CHECKPOINT.fullmatch(path.name))
                 and zipfile.is_zipfile(path)]
        return max(found)[1] if found else None

    def locked(self, remedy: str) -> AbstractContextManager[None]:
        """Keep other runs from this folder, see :func:`exclusive_lock`."""
        return exclusive_lock(self._lock, self.title, remedy)

    def is_started(self) -> bool:
        """Whether anything was trained, or a run is at it."""
        marks = (self.train_dir / 'last_checkpoint', self._trained)
        if any(mark.is_file() for mark in marks) or self.resumable:
            return True
        if self._lock.is_file():
            try:
                with self.locked(''):
                    return False
            except BlockingIOError:
                return True
        return False

    def is_trained(self) -> bool:
        """Whether the training has come to its end."""
        return self._trained.is_file() and self.checkpoint is not None

    def mark_trained(self, seconds: float) -> None:
        """Note that the training has ended; ``seconds`` since it last began.

        Raises:
            SystemExit: It left no checkpoint.
        """
        if self.checkpoint is None:
            raise SystemExit(
                f'error: training of {self.title} left no checkpoint in '
                f'{self.train_dir}; set default_hooks.checkpoint.save_last')
        write_json(self._trained, dict(seconds=round(seconds, 1)))

    def train_arguments(self) -> list[str]:
        """Arguments of ``train.py``, to train or to go on with it."""
        # By its path, as last_checkpoint may be empty.
        start = self.resumable
        resume = ['--resume', str(start)] if start else []
        return ['--work-dir', str(self.train_dir), *resume]


def file_digest(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def describe(cfg: Config, gpus: int) -> dict:
    """What two runs must have in common for their stages to fit together.

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
        digest = file_digest(Path(start))
    return as_json(
        dict(config=cfg.to_dict(), gpus=gpus, load_from_sha256=digest))


def check_unchanged(path: Path, description: dict, what: str,
                    started: Callable[[], bool]) -> None:
    """Refuse a work folder whose stages are of another config.

    Until one of them is started there are none: the command may be mended.

    Args:
        path (Path): Description in the work folder; a new one is made.
        description (dict): See :func:`describe`.
        what (str): The stages, such as ``folds``, for the message.
        started (Callable): Whether one of them is started.

    Raises:
        SystemExit: The folder's description is another one; says what
            differs.
    """
    if path.is_file():
        changed = differences(json.loads(path.read_text()), description)
        if not changed:
            return
        if started():
            raise SystemExit(
                f'error: the {what} in {path.parent} are of another config:\n'
                f'{differences_in_words(changed)}'
                'give another --work-dir, or remove that folder')
    write_json(path, description)


def tool_command(name: str, files: Sequence[str], gpus: int,
                 arguments: Sequence[str]) -> list[str]:
    """The command of a tool, such as ``train``.

    Args:
        name (str): Stem of the script.
        files (Sequence[str]): Config and, where it needs one, checkpoint.
        gpus (int): 0 for one process without a launcher.
        arguments (Sequence[str]): What follows.
    """
    if gpus:
        short = {'harvest_hard_negatives': 'harvest'}.get(name, name)
        start = ['bash', str(TOOLS / f'dist_{short}.sh'), *files, str(gpus)]
    else:
        start = [sys.executable, str(TOOLS / f'{name}.py'), *files]
    return [*start, *arguments]


def run_logged(command: Sequence[str], log: Path, what: str) -> None:
    """Run a command to its end, its output appended to a file.

    The command and all that it started are stopped with this process, also
    when its terminal is lost (but not under ``nohup``), and on Linux when it
    is killed.

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
                start_new_session=True,
                preexec_fn=partial(_end_with_parent, os.getpid())
                if _LINUX else None)
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


def _end_with_parent(parent: int) -> None:
    """Ask Linux to end this process when its parent is killed.

    Otherwise a run that is started again would train in the same folder as
    what the killed one left behind.
    """
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # killed before that
        os.kill(os.getpid(), signal.SIGTERM)
