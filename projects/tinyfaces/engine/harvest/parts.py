"""What a harvest has done so far, on disk."""
import json
import uuid
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import TextIO

import numpy as np

from ...datasets.fddb_blocks import error_at
from ...datasets.hard_negative_file import HardNegatives
from ...utils.descriptions import differences, differences_in_words, write_json
from ...utils.locks import exclusive_lock


class HarvestParts:
    """The folder ``<out>.parts`` beside the file that is harvested.

    Each process writes the pictures that it has finished to a file of its
    own, a line each, also those without hard negatives. What a killed run
    left can be gone on with by any number of processes; nobody writes to its
    files any more, but for a process of it that is still there.

    Args:
        out (Path): The file to be written in the end.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self.folder = out.parent / f'{out.name}.parts'
        self._description = self.folder / 'harvest.json'
        self._lock = self.folder / 'lock'

    def locked(self) -> AbstractContextManager[None]:
        """Keep other runs from this harvest, see :func:`exclusive_lock`."""
        return exclusive_lock(self._lock, f'the harvest of {self.out}',
                              'let it end, or write to another file')

    def begin(self, description: dict, leftovers: str) -> set:
        """Look what is there, and whether it can be gone on with.

        Args:
            description (dict): Of config, weights and options; JSON.
            leftovers (str): See :func:`~.harvesting.harvest`.

        Returns:
            set: ``img_id`` of the pictures that are done.

        Raises:
            ValueError: The parts are of another harvest, and ``leftovers`` is
                ``'resume'``; or a line is broken.
        """
        if self._files():
            before = {}
            if self._description.is_file():
                before = json.loads(self._description.read_text())
            changed = differences(before, description)
            if changed and leftovers == 'resume':
                raise ValueError(
                    f'{self.folder} holds what is done of a harvest with '
                    'another config, checkpoint or other options:\n'
                    f'{differences_in_words(changed)}'
                    'give the former ones to go on with it, remove the folder '
                    'or set --no-resume to begin again, or write to another '
                    'file')
            if changed or leftovers == 'discard':
                for path in self._files():
                    path.unlink()
        write_json(self._description, description)
        return set(self.read())

    def new_file(self, rank: int) -> TextIO:
        """Open a new file for a process."""
        name = f'rank-{rank}-{uuid.uuid4().hex}.jsonl'
        return open(self.folder / name, 'x', encoding='utf-8')

    def read(self) -> dict[str | int, HardNegatives]:
        """All that is done, without last lines that were not finished.

        Returns:
            dict: ``img_id`` -> what was found, which may be nothing.

        Raises:
            ValueError: A line is broken.
        """
        done = {}
        for path in self._files():
            # A loss of power may leave anything.
            text = path.read_text(encoding='utf-8', errors='replace')
            lines = text.splitlines()
            if lines and not _is_json(lines[-1]):
                lines.pop()
            for number, line in enumerate(lines, 1):
                try:
                    key, entry = _from_line(line)
                except (ValueError, KeyError, TypeError):
                    raise error_at(
                        path, number, 'a picture that is done', line.strip(),
                        f'remove {path} to harvest its pictures again'
                    ) from None
                done[key] = entry
        return done

    def remove(self) -> None:
        """Remove the folder."""
        # A kill may have left a description that was being written.
        halves = self.folder.glob('.harvest-*.json')
        for path in (*self._files(), *halves, self._description, self._lock):
            path.unlink(missing_ok=True)
        with suppress(OSError):  # something else may have been put there
            self.folder.rmdir()

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob('rank-*.jsonl'))


def to_line(key: str | int, entry: HardNegatives) -> str:
    """A picture that is done, as a line; float32 is kept exactly."""
    return json.dumps(
        dict(
            img_id=key,
            width=entry.width,
            height=entry.height,
            boxes=entry.boxes.tolist(),
            scores=entry.scores.tolist())) + '\n'


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _from_line(line: str) -> tuple[str | int, HardNegatives]:
    record = json.loads(line)
    return record['img_id'], HardNegatives(
        np.array(record['boxes'], np.float32).reshape(-1, 4),
        np.array(record['scores'], np.float32), record['width'],
        record['height'])
