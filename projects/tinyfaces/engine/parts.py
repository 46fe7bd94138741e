"""What long work over pictures has done so far, on disk."""
import json
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from ..datasets.fddb_blocks import error_at
from ..utils.descriptions import differences, differences_in_words, write_json
from ..utils.files import explained_full_disk
from ..utils.locks import exclusive_lock

#: Pictures after which what is done is safe from a loss of power.
SYNC_EVERY = 100


class Part(NamedTuple):
    """One picture that is done.

    Attributes:
        path: File that has it.
        number: Its line there, from 1.
        record: What the line says.
    """
    path: Path
    number: int
    record: dict


class PartFile:
    """What one process has done: lines, added as pictures are finished.

    What is added is there if the process is killed, and after every
    ``SYNC_EVERY`` pictures also if the power fails.

    Args:
        path (Path): A new file.

    Raises:
        OSError: The disk is full: named with the file and the space that is
            left, here and by the methods. No half of a line stays.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._unsafe = 0
        with explained_full_disk(path):
            # A buffer would try again to write what the disk has refused.
            self._file = open(path, 'xb', buffering=0)

    def __enter__(self) -> 'PartFile':
        return self

    def __exit__(self, *error: object) -> None:
        with explained_full_disk(self.path):
            self._file.close()

    def append(self, lines: Sequence[str]) -> None:
        """Add pictures that are done.

        Args:
            lines: One each, with the line break.
        """
        before = self._file.tell()
        left = memoryview(''.join(lines).encode())
        with explained_full_disk(self.path):
            try:
                while left:
                    left = left[self._file.write(left):]
                self._unsafe += len(lines)
                if self._unsafe >= SYNC_EVERY:
                    os.fsync(self._file.fileno())
                    self._unsafe = 0
            except OSError:
                # Half a line would count as space in use.
                with suppress(OSError):
                    self._file.truncate(before)
                raise


class WorkParts:
    """A folder of pictures that are done.

    Each process writes the pictures that it has finished to a file of its
    own, a line of JSON each. What a killed run left can be gone on with by
    any number of processes; nobody writes to its files any more, but for a
    process of it that is still there.

    Args:
        folder (Path): The folder; made when work begins.
        name (str): Of the description in it, without suffix.
        what (str): The work, for messages: 'the harvest of ...'.
        other (str): What is said of parts of other work.
        remedy (str): What to do about these.
        elsewhere (str): What to do while another run is at the work.
    """

    def __init__(self, folder: Path, name: str, what: str, other: str,
                 remedy: str, elsewhere: str) -> None:
        self.folder = folder
        self._name = name
        self._what = what
        self._other = other
        self._remedy = remedy
        self._elsewhere = elsewhere
        self._description = folder / f'{name}.json'
        self._lock = folder / 'lock'

    def locked(self) -> AbstractContextManager[None]:
        """Keep other runs from this work, see :func:`exclusive_lock`.

        Raises:
            OSError: The disk is full.
        """
        with explained_full_disk(self._lock):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock.touch()
        return exclusive_lock(self._lock, self._what, self._elsewhere)

    def begin(self, description: dict, leftovers: str = 'resume') -> None:
        """Look what is there, and whether it can be gone on with.

        Args:
            description (dict): Of config, weights and options; JSON.
            leftovers (str): ``'resume'`` goes on with parts, and raises if
                they are of other work; ``'replace'`` drops them then;
                ``'discard'`` drops them in any case.

        Raises:
            ValueError: The parts are of other work, and ``leftovers`` is
                ``'resume'``.
        """
        if self._files():
            before = {}
            if self._description.is_file():
                before = json.loads(self._description.read_text())
            changed = differences(before, description)
            if changed and leftovers == 'resume':
                raise ValueError(f'{self.folder} holds what is done of '
                                 f'{self._other}:\n'
                                 f'{differences_in_words(changed)}'
                                 f'{self._remedy}')
            if changed or leftovers == 'discard':
                for path in self._files():
                    path.unlink()
        write_json(self._description, description)

    def new_file(self, rank: int) -> PartFile:
        """Open a new file for a process."""
        return PartFile(self.folder / f'rank-{rank}-{uuid.uuid4().hex}.jsonl')

    def lines(self) -> Iterator[Part]:
        """All that is done, without last lines that were not finished.

        Raises:
            ValueError: A line is broken.
        """
        for path in self._files():
            # A loss of power may leave anything.
            with open(path, encoding='utf-8', errors='replace') as file:
                broken = None
                for number, line in enumerate(file, 1):
                    if broken:
                        raise self.broken(path, *broken)
                    record = _from_json(line)
                    if record is None:
                        broken = number, line
                    else:
                        yield Part(path, number, record)

    def broken(self, path: Path, number: int, line: str) -> ValueError:
        """The error that names a line which is no picture that is done."""
        return error_at(path, number, 'a picture that is done',
                        line.strip()[:80],
                        f'remove {path} to have its pictures looked at again')

    def remove(self) -> None:
        """Remove the folder."""
        # A kill may have left a description that was being written.
        halves = self.folder.glob(f'.{self._name}-*.json')
        for path in (*self._files(), *halves, self._description, self._lock):
            path.unlink(missing_ok=True)
        with suppress(OSError):  # something else may have been put there
            self.folder.rmdir()

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob('rank-*.jsonl'))


def _from_json(line: str) -> Any:
    """The value of a line; None for half a line."""
    try:
        return json.loads(line)
    except ValueError:
        return None
