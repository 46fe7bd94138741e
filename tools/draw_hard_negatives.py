"""Draw the hard negatives with the highest scores of a harvest:

    python tools/draw_hard_negatives.py hard_negatives.jsonl \
        --images data/wider_face/WIDER_train/images --out hardest.png

Each is cut out of its picture. Those of pictures that are not at hand are left
out, and how many they are is said.
"""
import argparse
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

# Only NumPy, matplotlib and Pillow are needed: do not load torch and
# MMDetection.
os.environ['TINYFACES_REGISTER'] = '0'

from _picture_files import picture_finder
from PIL import Image

from tinyfaces.datasets.hard_negative_file import (HardNegatives,
                                                   read_hard_negatives)
from tinyfaces.utils.console import run_and_print
from tinyfaces.utils.files import atomic_write, check_writable


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Draw the hard negatives with the highest scores.')
    parser.add_argument(
        'file',
        metavar='FILE',
        help='of tools/harvest_hard_negatives.py or of a round')
    parser.add_argument(
        '--images',
        required=True,
        metavar='DIR',
        help='folder that the names of the pictures are relative to, such as '
        'WIDER_train/images; may lack pictures')
    parser.add_argument(
        '--num',
        type=_positive,
        default=20,
        metavar='N',
        help='how many to draw (default: %(default)s)')
    parser.add_argument(
        '--out', required=True, metavar='PNG', help='picture to write')
    return parser.parse_args(argv)


def hardest(
        entries: Mapping[str | int, HardNegatives], number: int,
        find_picture: Callable[[str], str | None]) -> tuple[list[dict], int]:
    """The boxes with the highest scores, of the pictures at hand.

    Args:
        entries: Of the file.
        number: How many at most.
        find_picture: From image key to its picture, or None.

    Returns:
        tuple[list[dict], int]: By falling score: ``rank`` among the boxes of
        all pictures, from 1; ``image``; ``box``, x y w h; ``score``. And how
        many boxes were passed over, as their picture is not at hand.
    """
    keys = list(entries)
    counts = [len(entries[key].scores) for key in keys]
    image = np.repeat(np.arange(len(keys)), counts)
    inside = np.concatenate([np.arange(n) for n in counts] or [[]]).astype(int)
    scores = np.concatenate([entries[key].scores for key in keys] or [[]])
    rows, missing = [], 0
    # Equal scores: in the order of the file.
    for rank, at in enumerate(np.argsort(-scores, kind='stable'), 1):
        if len(rows) == number:
            break
        key = keys[image[at]]
        if find_picture(str(key)) is None:
            missing += 1
            continue
        x1, y1, x2, y2 = entries[key].boxes[inside[at]].tolist()
        rows.append(
            dict(
                rank=rank,
                image=str(key),
                box=[x1, y1, x2 - x1, y2 - y1],
                score=float(scores[at])))
    return rows, missing


def run(args: argparse.Namespace) -> str:
    """Read, draw and write; gives the report."""
    check_writable(args.out)
    entries = read_hard_negatives(args.file)
    find_picture = picture_finder(args.images)
    rows, missing = hardest(entries, args.num, find_picture)
    absent = sum(find_picture(str(key)) is None for key in entries)
    if not rows:
        raise ValueError(
            f'{args.file}: none of its {len(entries)} pictures is in '
            f'{args.images}; give the folder that their names are relative to'
            if entries else f'{args.file} holds no hard negatives')

    # Matplotlib takes a while to load: not before the input was found good.
    from tinyfaces.visualization.analysis import (check_pictures,
                                                  plot_hard_negatives)
    paths = {row['image']: find_picture(row['image']) for row in rows}
    check_pictures(paths.values())
    _check_sizes(args.file, entries, paths)
    total = sum(len(entry.scores) for entry in entries.values())
    note = f'the {len(rows)} hardest of {total:,} hard negatives'
    if missing:
        note += (f' whose pictures are at hand ({missing:,} of the top '
                 f'{len(rows) + missing:,} have no picture here)')
    figure = plot_hard_negatives(rows, paths,
                                 f'{Path(args.file).name}: {note}')
    with atomic_write(args.out) as temporary:
        figure.savefig(temporary, dpi=100, format='png')
    report = f'{args.out}: {note}'
    if absent:
        report += (f'\npictures missing in {args.images}: {absent:,} of '
                   f'{len(entries):,}')
    return report


def _check_sizes(file: str, entries: Mapping[str | int, HardNegatives],
                 paths: Mapping[str, str]) -> None:
    """Raise unless the pictures are those that were harvested."""
    for key, entry in entries.items():
        path = paths.get(str(key))
        if path is None:
            continue
        with Image.open(path) as picture:
            size = picture.size
        if size != (entry.width, entry.height):
            raise ValueError(
                f'{path} has {size[0]}x{size[1]} pixels, and had '
                f'{entry.width}x{entry.height} when {file} was harvested; '
                'give the pictures of the harvest')


def _positive(text: str) -> int:
    """A whole number above 0."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(
            f'{text} is not a whole number above 0')
    return int(text)


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0; 1 after one line that says what is wrong; 141 for a pipe
    that nobody reads."""
    args = parse_args(argv)
    return run_and_print(lambda: run(args))


if __name__ == '__main__':
    sys.exit(main())
