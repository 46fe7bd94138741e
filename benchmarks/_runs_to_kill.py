"""What kill_and_resume.py runs: how it is started, and how it must end."""
import json
import shutil
import time
import zipfile
from abc import ABC, abstractmethod
from pathlib import Path

import torch
from _forked import Job
from _kills import Moment, Witness

from tinyfaces.utils.checkpoint_files import read_checkpoint

# Parts of a checkpoint that a resumed training must end with.
STATE = ('state_dict', 'optimizer', 'param_schedulers')


def fresh(folder: Path, moment: Moment | None = None) -> Witness:
    """A witness of a folder that is made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return Witness(folder, moment)


class Work(ABC):
    """Something to kill: how it is started and what it must end with.

    Args:
        kind: For messages.
        tool: Script in ``tools/``.
        arguments: Its command line but for the work folder.
        ranks: Number of processes.
        folder: For all of its runs.
    """

    def __init__(self, kind: str, tool: str, arguments: list, ranks: int,
                 folder: Path) -> None:
        self.kind = kind
        self.tool = tool
        self.arguments = arguments
        self.ranks = ranks
        self.folder = folder
        self.whole = folder / 'whole'
        self.seconds = 0.
        self.events = 0

    def start(self, folder: Path, witness: Witness) -> Job:
        """Start or go on in a folder."""
        return Job(self.tool,
                   [*self.in_folder(folder), '--work-dir', folder, '--resume'],
                   self.folder / f'{folder.name}.log', self.ranks,
                   witness.install)

    def in_folder(self, folder: Path) -> list:
        """The command line for a run."""
        return self.arguments

    def run_whole(self) -> None:
        """The run that nothing stops, and what it takes."""
        witness = fresh(self.whole)
        begin = time.monotonic()
        self.start(self.whole, witness).wait()
        self.seconds = time.monotonic() - begin
        self.events = witness.count

    @abstractmethod
    def check_killed(self, folder: Path) -> str:
        """Read what a run that goes on may read; what there is of it."""

    @abstractmethod
    def differences(self, folder: Path) -> list[str]:
        """What of an ended run is not as the uninterrupted one's."""


class Training(Work):
    """A training, which ends with a checkpoint."""

    def check_killed(self, folder: Path) -> str:
        """Load all checkpoints; the name of the last one."""
        for path in folder.glob('[!.]*.pth'):
            read_checkpoint(path, 'cpu')
        return self._last(folder).name if self._last(folder) else 'nothing'

    def _last(self, folder: Path) -> Path | None:
        """The checkpoint to go on from, which must be there."""
        named = folder / 'last_checkpoint'
        if not named.is_file():
            return None
        path = Path(named.read_text().strip())
        if not path.is_file():
            raise ValueError(f'{named} names {path}, which is not there')
        return path

    def differences(self, folder: Path) -> list[str]:
        """Compare the last checkpoints, and the names of all others."""
        ours, theirs = (
            read_checkpoint(self._last(place), 'cpu')
            for place in (self.whole, folder))
        wrong = [key for key in STATE if not same(ours[key], theirs[key])]
        if ours['meta']['iter'] != theirs['meta']['iter']:
            wrong.append('iter')
        if _scores(ours) != _scores(theirs):
            wrong.append('scores of the last validation before it')
        for pattern in ('*.pth', '.*'):
            names = [{path.name
                      for path in place.glob(pattern)}
                     for place in (self.whole, folder)]
            wrong += sorted(names[0] ^ names[1])
        return wrong


class Test(Work):
    """A test, which ends with prediction files and scores."""

    def in_folder(self, folder: Path) -> list:
        """The prediction files lie in the work folder, too."""
        return [*self.arguments, '--wider-out', folder / 'predictions.zip']

    def check_killed(self, folder: Path) -> str:
        """Read the prediction files; whether they are there."""
        for path in folder.glob('[!.]*.json'):
            json.loads(path.read_text())
        path = folder / 'predictions.zip'
        if path.is_file():
            with zipfile.ZipFile(path) as archive:
                if archive.testzip() is not None:
                    raise ValueError(f'{path} is damaged')
            return path.name
        parts = [
            file for name in folder.glob('*.parts')
            for file in name.glob('*.jsonl')
        ]
        lines = sum(part.read_bytes().count(b'\n') for part in parts)
        return f'{lines} pictures'

    def differences(self, folder: Path) -> list[str]:
        """Compare the bytes of the files."""
        names = ('predictions.zip', 'predictions.json')
        return [
            name for name in names
            if (self.whole / name).read_bytes() != (folder /
                                                    name).read_bytes()
        ]


def _scores(checkpoint: dict) -> dict[str, float]:
    """Metrics of the last validation that a checkpoint knows of."""
    scalars = checkpoint.get('message_hub', {}).get('log_scalars', {})
    return {
        name: buffer.current()
        for name, buffer in scalars.items()
        if name.startswith('val/') and 'time' not in name
    }


def same(one: object, two: object) -> bool:
    """Whether nested parts of checkpoints are equal, bit for bit."""
    if isinstance(one, torch.Tensor):
        return (one.dtype, one.shape) == (two.dtype, two.shape) and bool(
            torch.equal(one.nan_to_num(), two.nan_to_num()))
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(
            same(one[key], two[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(two) and all(map(same, one, two))
    return one == two
