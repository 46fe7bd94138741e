"""Finding faces in many picture files, one JSON line for each."""
import glob
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from ..utils.file_names import path_inside
from ..utils.files import atomic_write
from ..visualization.draw import draw_detections
from .face_detector import FaceDetector
from .image_io import UnreadableImageError, load_image

# What is taken for a picture inside a folder; a file that is named by
# itself or by a pattern is tried whatever its name.
SUFFIXES = frozenset(
    '.avif .bmp .dib .gif .jfif .jp2 .jpe .jpeg .jpg .pbm .pgm .png .pnm '
    '.ppm .tga .tif .tiff .webp'.split())


class InputNotFoundError(ValueError):
    """An input that names no picture."""


class Picture(NamedTuple):
    """A picture file to look at.

    Attributes:
        file: Its path, relative where the input was.
        drawing: Relative path of its drawn copy, without the suffix and
            different for each picture of a list.
    """

    file: Path
    drawing: Path


def find_pictures(inputs: Sequence[str],
                  leave_out: str | os.PathLike | None = None) -> list[Picture]:
    """Find the picture files that files, folders and patterns stand for.

    Folders are searched with all their subfolders for names with one of
    :data:`SUFFIXES`, hidden files and folders excepted. A pattern may
    contain ``*``, ``?``, ``[...]`` and ``**``. A file that is found twice
    is listed once.

    Args:
        inputs: Paths and patterns.
        leave_out: A folder not to search, such as that of the results.

    Returns:
        list[Picture]: In the order of the inputs, each sorted by name.

    Raises:
        InputNotFoundError: An input that does not exist, matches nothing or
            is a folder without pictures; the message names all of them.
    """
    pictures, missing = [], []
    seen_files, seen_drawings = set(), set()
    leave_out = leave_out and os.path.realpath(leave_out)
    for text in inputs:
        found = list(_expand(text, leave_out))
        if not found:
            missing.append(text)
        for file, relative in found:
            real = os.path.realpath(file)
            if real not in seen_files:
                seen_files.add(real)
                drawing = _free_name(relative.with_suffix(''), seen_drawings)
                pictures.append(Picture(file, drawing))
    if missing:
        raise InputNotFoundError(
            'no pictures found: ' + ', '.join(missing) +
            '; check the spelling, and note that folders are searched for '
            'the suffixes ' + ' '.join(sorted(SUFFIXES)))
    return pictures


def _expand(text: str, leave_out: str | None) -> Iterator[tuple[Path, Path]]:
    """Files that one input stands for, with their relative paths."""
    # A name that exists is meant literally, even with [ ] in it.
    names = [text] if os.path.exists(text) else sorted(
        glob.glob(text, recursive=True))
    for name in names:
        path = Path(name)
        if not path.is_dir():
            yield path, Path(path.name)
            continue
        for file in _walk(path, leave_out):
            yield file, file.relative_to(path)


def _walk(folder: Path, leave_out: str | None) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(
            name for name in folders if not name.startswith('.')
            and os.path.realpath(os.path.join(root, name)) != leave_out)
        for name in sorted(names):
            if not name.startswith('.') and \
                    Path(name).suffix.lower() in SUFFIXES:
                yield Path(root, name)


def _free_name(path: Path, taken: set[str]) -> Path:
    """The path, or path-2, path-3, ...; compared as case-blind disks do."""
    number, free = 1, path
    while str(free).casefold() in taken:
        number += 1
        free = path.with_name(f'{path.name}-{number}')
    taken.add(str(free).casefold())
    return free


class DetectionJob:
    """Looks at pictures and writes what it finds into a folder.

    ``detections.jsonl`` has one line for each picture, written as soon as
    the picture is done: ``file``, ``width``, ``height`` and ``faces``, a
    list of ``{'box': [x1, y1, x2, y2], 'score': s}`` in pixels of the
    upright picture (with ``'ellipse'`` too from a model that gives them, see
    :class:`Detections`), and ``drawing`` where one was made; or ``file`` and
    ``error`` for a file that could not be read. ``images/`` has a copy of
    each picture with the faces drawn in.

    Args:
        detector: What looks at the pictures.
        out: Folder for the results, made when missing.
        draw: Draw the faces.
        drawing_side: Longest side of a drawn copy in pixels; larger ones
            are scaled down. ``None`` for no limit.
        resume: Keep the lines of an earlier run with the same settings and
            skip its pictures; failed ones are tried again. Otherwise the
            file is started afresh.

    Raises:
        ValueError: A line of the earlier run is damaged.
    """

    def __init__(self,
                 detector: FaceDetector,
                 out: str | os.PathLike,
                 draw: bool = True,
                 drawing_side: int | None = 4096,
                 resume: bool = False) -> None:
        self.detector = detector
        self.out = Path(out)
        self.draw = draw
        self.drawing_side = drawing_side
        self.lines = self.out / 'detections.jsonl'
        # Lines of the earlier run by file.
        self._done = {}
        if resume and self.lines.exists():
            for text, line in _read_lines(self.lines):
                if 'error' not in line:
                    self._done[line['file']] = text

    def run(self, pictures: Iterable[Picture]) -> int:
        """Look at all pictures.

        Args:
            pictures: From :func:`find_pictures`.

        Returns:
            int: How many files could not be read; each is reported on
            standard error.

        Raises:
            OSError: The results cannot be written.
        """
        with atomic_write(self.lines) as temporary:
            temporary.write_text(''.join(self._done.values()), 'utf-8')
        pictures = [p for p in pictures if str(p.file) not in self._done]
        failed = 0
        with open(self.lines, 'a', encoding='utf-8') as stream:
            for picture in tqdm(pictures, desc='detect', unit='picture'):
                line = dict(file=str(picture.file))
                try:
                    image = load_image(picture.file)
                except (UnreadableImageError, OSError) as error:
                    failed += 1
                    line['error'] = str(error)
                    tqdm.write(f'skipped: {error}', file=sys.stderr)
                else:
                    line.update(self._look_at(image, picture))
                stream.write(json.dumps(line) + '\n')
                stream.flush()
        return failed

    def _look_at(self, image: np.ndarray, picture: Picture) -> dict:
        """Find and draw the faces; what to write about the picture."""
        detections = self.detector(image)
        line = detections.to_dict()
        if self.draw:
            drawing = Path('images', f'{picture.drawing}.jpg')
            drawn = draw_detections(image, detections.boxes, detections.scores,
                                    self.drawing_side, detections.ellipses)
            with atomic_write(path_inside(self.out, drawing)) as temporary:
                drawn.save(temporary, quality=92)
            line['drawing'] = drawing.as_posix()
        return line


def _read_lines(path: Path) -> Iterator[tuple[str, dict]]:
    """Lines of a results file, less one that was cut off at the end."""
    with open(path, encoding='utf-8') as stream:
        for number, text in enumerate(stream, 1):
            # Only the last line of a killed run lacks its end.
            if not text.endswith('\n'):
                return
            try:
                line = json.loads(text)
                line['file']
            except (ValueError, TypeError, KeyError) as error:
                raise ValueError(
                    f'{path}:{number}: expected a JSON object with a file '
                    'name; delete the line to have the picture done again, '
                    'or start without resuming') from error
            yield text, line
