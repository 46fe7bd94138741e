"""Harvested false positives as a text file, one picture a line.

Needs nothing but NumPy. The file is JSON Lines. Its first line says how the
boxes were harvested and how many there are, so that a file cut off is known
for one::

    {"format": "tinyfaces hard negatives", "version": 1, "score_thr": 0.5,
     "iou_thr": 0.5, "max_per_img": 100, "images": 1, "boxes": 2}
    {"img_id": "0--Parade/a.jpg", "width": 1024, "height": 768,
     "boxes": [[3.5, 10, 47, 61.25], [7, 7, 19, 21]], "scores": [0.97, 0.5]}

(each on one line). Boxes are xyxy in pixels of the picture as it is loaded.
"""
import json
import os
from collections.abc import Mapping
from typing import Any, NamedTuple, TextIO

import numpy as np

from tinyfaces.utils.files import atomic_write
from .fddb_blocks import error_at

FORMAT = 'tinyfaces hard negatives'
VERSION = 1
_REMEDY = 'harvest again with tools/harvest_hard_negatives.py'
_OWN_KEYS = ('format', 'version', 'images', 'boxes')
_KEYS = ('img_id', 'width', 'height', 'boxes', 'scores')


class HardNegatives(NamedTuple):
    """The false positives of one picture.

    Attributes:
        boxes: float32 (n, 4), xyxy in pixels of the picture as loaded.
        scores: float32 (n, ), of the detector that harvested them.
        width: Of the picture, in pixels.
        height: Of the picture, in pixels.
    """
    boxes: np.ndarray
    scores: np.ndarray
    width: int
    height: int


def write_hard_negatives(path: str | os.PathLike,
                         entries: Mapping[str | int, HardNegatives],
                         header: Mapping[str, Any]) -> None:
    """Write a file, as a whole or not at all.

    The same entries give the same bytes: pictures are sorted by ``img_id``
    (numbers before names), the boxes of one by falling score and then by
    x1, y1, x2, y2. Pictures without boxes are left out. float32 numbers are
    read back exactly.

    Args:
        path: The file to write.
        entries: ``img_id`` -> false positives.
        header: What to keep of the harvest, of JSON's types: ``score_thr``,
            ``iou_thr``, ``max_per_img``. Format, version and counts are
            added here; those of a header read are replaced.

    Raises:
        ValueError: Boxes or scores of a picture have another shape, are not
            finite, or a box ends before it begins; or a size is not a whole
            number over 0.
        OSError: As :func:`~tinyfaces.utils.files.atomic_write`.
    """
    entries = {key: entry for key, entry in entries.items() if len(entry[0])}
    lines = []
    for key in sorted(entries, key=lambda key: (isinstance(key, str), key)):
        record = _to_record(key, entries[key])
        complaint = _complaint(record)
        if complaint:
            raise ValueError(
                f'{path}: cannot write the hard negatives of picture {key!r}: '
                f'expected {complaint}; correct what harvested them')
        lines.append(json.dumps(record))
    first = dict(format=FORMAT, version=VERSION)
    first.update((k, v) for k, v in header.items() if k not in _OWN_KEYS)
    first.update(
        images=len(lines),
        boxes=sum(len(entry.boxes) for entry in entries.values()))
    with atomic_write(path) as temporary:
        temporary.write_text(
            '\n'.join([json.dumps(first), *lines, '']), encoding='utf-8')


def read_hard_negatives(
        path: str | os.PathLike) -> dict[str | int, HardNegatives]:
    """Read a file of :func:`write_hard_negatives`.

    Args:
        path: The file.

    Returns:
        dict[str | int, HardNegatives]: ``img_id`` -> false positives, in the
        order of the file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A line is malformed, a picture is listed twice, or the
            file is cut off. The message names file, line and remedy.
    """
    header = read_header(path)
    entries: dict[str | int, HardNegatives] = {}
    with _open(path) as file:
        next(file)
        for number, line in enumerate(file, 2):
            record = _parse(line)
            complaint = _complaint(record)
            if complaint is None and record['img_id'] in entries:
                complaint = 'a picture not listed before'
            if complaint:
                raise error_at(path, number, complaint, line.strip(), _REMEDY)
            entries[record['img_id']] = HardNegatives(
                np.array(record['boxes'], np.float32).reshape(-1, 4),
                np.array(record['scores'], np.float32), record['width'],
                record['height'])
    boxes = sum(len(entry.boxes) for entry in entries.values())
    if (len(entries), boxes) != (header['images'], header['boxes']):
        raise error_at(
            path, 1,
            f'{len(entries)} images and {boxes} boxes, as the file holds',
            f'{header["images"]} and {header["boxes"]}',
            f'the file is cut off or was edited: {_REMEDY}')
    return entries


def read_header(path: str | os.PathLike) -> dict[str, Any]:
    """The first line of a file of :func:`write_hard_negatives`.

    Args:
        path: The file.

    Returns:
        dict: ``format``, ``version``, the counts ``images`` (with at least
        one box) and ``boxes``, and what the harvest added.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no such file, or of another version.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f'{path}: there is no such file of hard negatives; make one with '
            'tools/harvest_hard_negatives.py, or correct the path')
    with _open(path) as file:
        line = file.readline()
    header = _parse(line)
    found = line.strip() or None
    if not isinstance(header, dict) or header.get('format') != FORMAT:
        raise error_at(path, 1, f'{{"format": "{FORMAT}", ...}}', found,
                       f'give a file of hard negatives, or {_REMEDY}')
    if header.get('version') != VERSION:
        raise error_at(path, 1, f'version {VERSION}', found, _REMEDY)
    if not all(_is_whole(header.get(key), 0) for key in ('images', 'boxes')):
        raise error_at(path, 1, 'the numbers "images" and "boxes"', found,
                       _REMEDY)
    return header


def _to_record(key: str | int, entry: HardNegatives) -> dict:
    """One line as JSON's types, boxes in canonical order."""
    boxes = np.asarray(entry.boxes, np.float32)
    scores = np.asarray(entry.scores, np.float32)
    if boxes.shape == (len(scores), 4):  # else let _complaint say so
        order = np.lexsort((*boxes.T[::-1], -scores))
        boxes, scores = boxes[order], scores[order]
    return dict(
        img_id=key,
        width=entry.width,
        height=entry.height,
        boxes=_shortest(boxes),
        scores=_shortest(scores))


def _shortest(values: np.ndarray) -> list:
    """float32 numbers as floats of few digits that round back to them."""
    short = values.astype(str).astype(np.float64)
    return np.where(short.astype(np.float32) == values, short, values).tolist()


def _open(path: str | os.PathLike) -> TextIO:
    """The file as text; names in another encoding as Python has them."""
    return open(path, encoding='utf-8', errors='surrogateescape')


def _parse(line: str) -> Any:
    """JSON of a line; None if it is none."""
    try:
        return json.loads(line)
    except ValueError:
        return None


def _complaint(record: Any) -> str | None:
    """What should have been there, of the record of one picture; or None."""
    if not isinstance(record, dict) or not all(key in record for key in _KEYS):
        return f'a JSON object with {", ".join(_KEYS)}'
    key = record['img_id']
    if not isinstance(key, str) and not _is_whole(key, -np.inf):
        return 'a text or a whole number as img_id'
    if not (_is_whole(record['width'], 1) and _is_whole(record['height'], 1)):
        return 'whole numbers over 0 as width and height'
    boxes, scores = _numbers(record['boxes']), _numbers(record['scores'])
    if boxes is None or scores is None or scores.ndim != 1 or (
            boxes.shape != (len(scores), 4) and boxes.size + scores.size):
        return 'boxes [[x1, y1, x2, y2], ...] and as many scores, all finite'
    if boxes.size and (boxes[:, 2:] < boxes[:, :2]).any():
        return 'boxes [[x1, y1, x2, y2], ...] with x1 <= x2 and y1 <= y2'
    return None


def _numbers(values: Any) -> np.ndarray | None:
    """A list (of lists) of finite float32 numbers as array, or None."""
    try:
        array = np.array(values)
    except ValueError:  # rows of different lengths
        return None
    if array.dtype.kind not in 'if':
        return None
    with np.errstate(over='ignore'):
        array = array.astype(np.float32)
    if not np.isfinite(array).all():
        return None
    return array


def _is_whole(value: Any, least: float) -> bool:
    return isinstance(value,
                      int) and not isinstance(value, bool) and value >= least
