"""How fast are WIDER FACE's annotations and picture sizes read?

Compares ``WiderFaceDataset`` with MMDetection's ``WIDERFaceDataset`` on the
same pictures; that one reads XML files, which are written to a temporary
folder first. Also prints the time that a picture's header takes and the time
in which the annotation file of the full train set is parsed.

    python benchmarks/wider_reader.py data/wider_face \\
        --ann-file wider_face_split/wider_face_train_bbx_gt.txt

Every time is the best of several runs, with files in the page cache.
"""
import argparse
import json
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

from mmdet.datasets import WIDERFaceDataset

import tinyfaces  # noqa: F401  (registers everything, ops first)
from tinyfaces.datasets import (WiderEntry, WiderFaceDataset,
                                parse_wider_annotations)
from tinyfaces.datasets.image_files import read_image_sizes

FULL_TRAIN = 'wider_face_split/wider_face_train_bbx_gt.txt'


def best_times(runs: dict[str, Callable[[], object]],
               repeats: int) -> dict[str, float]:
    """Seconds of the fastest call of each, in turns, so that a busy moment
    of the machine hits all alike."""
    best = dict.fromkeys(runs, float('inf'))
    for _ in range(repeats):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            best[name] = min(best[name], time.perf_counter() - start)
    return best


def write_voc(root: Path, entries: list[WiderEntry],
              sizes: list[list[int]]) -> Path:
    """Write XML files and their list as MMDetection's reader expects them.

    Args:
        root: An empty folder.
        entries: The pictures' faces.
        sizes: Width and height of each picture.

    Returns:
        Path: The list, which is the reader's ``ann_file``.
    """
    folder = root / 'Annotations'
    folder.mkdir()
    stems = []
    for entry, (width, height) in zip(entries, sizes):
        event, stem = entry.key.split('/')
        stems.append(stem)
        tree = ET.Element('annotation')
        ET.SubElement(tree, 'folder').text = event
        _add(tree, 'size', dict(width=width, height=height, depth=3))
        for x, y, w, h in entry.boxes.astype(int).tolist():
            face = ET.SubElement(tree, 'object')
            ET.SubElement(face, 'name').text = 'face'
            ET.SubElement(face, 'difficult').text = '0'
            _add(face, 'bndbox', dict(xmin=x, ymin=y, xmax=x + w, ymax=y + h))
        ET.ElementTree(tree).write(folder / f'{stem}.xml')
    names = root / 'list.txt'
    names.write_text('\n'.join(stems))
    return names


def _add(parent: ET.Element, name: str, values: dict[str, int]) -> None:
    """Add an element with one child per value."""
    child = ET.SubElement(parent, name)
    for key, value in values.items():
        ET.SubElement(child, key).text = str(value)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('data_root', type=Path, help='official layout')
    parser.add_argument(
        '--ann-file',
        default=FULL_TRAIN,
        help='annotations of the pictures to read, all of which must be there')
    parser.add_argument('--prefix', default='WIDER_train/images')
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--json', action='store_true')
    args = parser.parse_args()

    ann_file = args.data_root / args.ann_file
    entries = parse_wider_annotations(ann_file)
    images = args.data_root / args.prefix
    paths = [str(images / entry.file_name) for entry in entries]
    sizes = read_image_sizes(paths).tolist()
    full = args.data_root / FULL_TRAIN

    def ours(read_sizes: bool) -> WiderFaceDataset:
        return WiderFaceDataset(
            ann_file=str(ann_file),
            data_prefix=dict(img=str(images)),
            read_sizes=read_sizes,
            serialize_data=False)

    # Ranks other than the first show no progress bars; drawing is not reading.
    with tempfile.TemporaryDirectory() as folder, patch(
            'mmdet.datasets.wider_face.is_main_process',
            return_value=False), patch(
                'tinyfaces.datasets.wider_face.is_main_process',
                return_value=False):
        names = write_voc(Path(folder), entries, sizes)
        best = best_times(
            dict(
                mmdet_xml=lambda: WIDERFaceDataset(
                    ann_file=str(names),
                    data_prefix=dict(img=folder),
                    serialize_data=False),
                ours=lambda: ours(True),
                ours_without_sizes=lambda: ours(False),
                header=lambda: read_image_sizes(paths)), args.repeats)
    result = dict(
        pictures=len(entries), faces=sum(len(e.boxes) for e in entries))
    for name, seconds in best.items():
        result[f'{name}_us_per_picture'] = seconds / len(entries) * 1e6
    result['ratio'] = best['mmdet_xml'] / best['ours']
    result['ratio_without_sizes'] = (
        best['mmdet_xml'] / best['ours_without_sizes'])
    if full.is_file():
        result['full_train_pictures'] = len(parse_wider_annotations(full))
        result['full_train_parse_seconds'] = best_times(
            dict(parse=lambda: parse_wider_annotations(full)),
            args.repeats)['parse']
    if args.json:
        print(json.dumps(result))
        return
    for key, value in result.items():
        text = f'{value:.3g}' if isinstance(value, float) else str(value)
        print(f'{key:36}{text:>10}')


if __name__ == '__main__':
    main()
