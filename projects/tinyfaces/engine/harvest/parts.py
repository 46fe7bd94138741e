"""What a harvest has done so far, on disk."""
import json
from pathlib import Path

import numpy as np

from ...datasets.hard_negative_file import HardNegatives
from ..parts import WorkParts


class HarvestParts(WorkParts):
    """The folder ``<out>.parts`` beside the file that is harvested.

    Pictures without hard negatives have a line too.

    Args:
        out (Path): The file to be written in the end.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        super().__init__(
            out.parent / f'{out.name}.parts', 'harvest',
            f'the harvest of {out}',
            'a harvest with another config, checkpoint or other options',
            'give the former ones to go on with it, remove the folder or set '
            '--no-resume to begin again, or write to another file',
            'let it end, or write to another file')

    def read(self) -> dict[str | int, HardNegatives]:
        """All that is done.

        Returns:
            dict: ``img_id`` -> what was found, which may be nothing.

        Raises:
            ValueError: A line is broken.
        """
        done = {}
        for part in self.lines():
            try:
                key, entry = _from_record(part.record)
            except (ValueError, KeyError, TypeError):
                raise self.broken(part.path, part.number,
                                  json.dumps(part.record)) from None
            done[key] = entry
        return done


def to_line(key: str | int, entry: HardNegatives) -> str:
    """A picture that is done, as a line; float32 is kept exactly."""
    return json.dumps(
        dict(
            img_id=key,
            width=entry.width,
            height=entry.height,
            boxes=entry.boxes.tolist(),
            scores=entry.scores.tolist())) + '\n'


def _from_record(record: dict) -> tuple[str | int, HardNegatives]:
    return record['img_id'], HardNegatives(
        np.array(record['boxes'], np.float32).reshape(-1, 4),
        np.array(record['scores'], np.float32), record['width'],
        record['height'])
