"""FDDB results as text and as JSON, the protocol beside the numbers."""
import json
import os
from collections.abc import Mapping, Sequence

import numpy as np

from tinyfaces.utils.files import atomic_write
from .fddb_io import ROCPair
from .fddb_result import KINDS, FDDBResult, tpr_at

#: Numbers of false positives at which papers report.
FALSE_POSITIVES = (50, 100, 200, 500, 1000, 2000)
_TITLES = dict(disc='discrete ROC', cont='continuous ROC')


def format_fddb_table(results: Mapping[str, FDDBResult],
                      fps: Sequence[int] = FALSE_POSITIVES,
                      annotations: str = '',
                      published: Mapping[str, ROCPair] | None = None) -> str:
    """A plain text report.

    Args:
        results: Name of the detector -> result.
        fps: Numbers of false positives to report at.
        annotations: Which annotations and folds were used, for the heading.
        published: Name -> curves to list below them.

    Returns:
        str: True positive rates of both curves. Where a curve ends before a
        number of false positives, its largest rate stands with a star.
    """
    published = published or {}
    lines = [protocol(annotations)]
    lines += [
        f'{name}: {result.num_images:,} pictures, {result.num_faces:,} faces, '
        f'{result.num_detections:,} detections'
        for name, result in results.items()
    ]
    width = max(map(len, [*_TITLES.values(), *results, *published]))
    ended = False
    for kind in KINDS:
        head = ''.join(f'{fp:>9,}' for fp in fps)
        lines += ['', f'{_TITLES[kind]:{width}}{head}{"end":>9}{"last FP":>9}']
        for name, curve in curves(results, published, kind).items():
            row = summary(*curve, fps)
            line = f'{name:{width}}'
            for rate, has_ended in zip(row['tpr_at'].values(),
                                       row['ended'].values()):
                line += f'{rate:8.5f}' + ('*' if has_ended else ' ')
                ended |= has_ended
            lines.append(f'{line}{row["final"]:9.5f}{row["last_fp"]:9,}')
    if ended:
        lines += [
            '', '* the curve ends before this number of false positives: its '
            'largest rate'
        ]
    return '\n'.join(lines)


def write_fddb_json(path: str | os.PathLike,
                    results: Mapping[str, FDDBResult],
                    fps: Sequence[int] = FALSE_POSITIVES,
                    annotations: str = '',
                    published: Mapping[str, ROCPair] | None = None,
                    **facts: object) -> None:
    """Write what :func:`format_fddb_table` shows, in full precision.

    Args:
        path: The file to write.
        results: Name of the detector -> result.
        fps: Numbers of false positives to report at.
        annotations: Which annotations and folds were used.
        published: Name -> other curves.
        **facts: More to say, e.g. ``unreadable`` pictures.
    """
    detectors: dict[str, dict] = {
        name:
        dict(
            num_images=result.num_images,
            num_faces=result.num_faces,
            num_detections=result.num_detections)
        for name, result in results.items()
    }
    others: dict[str, dict] = {name: {} for name in published or {}}
    for kind in KINDS:
        for name, curve in curves(results, published or {}, kind).items():
            row = summary(*curve, fps)
            (detectors if name in detectors else others)[name][kind] = row
    content = dict(
        **facts,
        protocol=protocol(annotations),
        detectors=detectors,
        published=others)
    with atomic_write(path) as temporary:
        temporary.write_text(
            json.dumps(content, indent=2) + '\n', encoding='utf-8')


def protocol(annotations: str) -> str:
    """One line that must stand beside the numbers."""
    line = 'FDDB protocol, true positive rate at numbers of false positives'
    return f'{line}; {annotations}' if annotations else line


def curves(results: Mapping[str, FDDBResult], published: Mapping[str, ROCPair],
           kind: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Name -> false positives and rates of one kind, ours first.

    Raises:
        ValueError: A published curve has the name of a result.
    """
    for name in published:
        if name in results:
            raise ValueError(f'{name} is the name of a detector and of a '
                             'published curve; rename one of them')
    found = {
        name: (result.false_positives, result.tpr(kind))
        for name, result in results.items()
    }
    for name, pair in published.items():
        rows = pair[KINDS.index(kind)]
        if rows is not None:
            found[name] = rows[:, 1], rows[:, 0]
    return found


def summary(false_positives: np.ndarray, rates: np.ndarray,
            fps: Sequence[int]) -> dict:
    """What is reported of one curve, ready for JSON.

    Args:
        false_positives: (T,), ascending or descending.
        rates: (T,).
        fps: Numbers of false positives.

    Returns:
        dict: ``tpr_at`` and ``ended`` (whether the curve ends before), both
        by number; ``final``, the rate with all detections; and ``last_fp``,
        the most false positives.
    """
    end = 0 if false_positives[0] >= false_positives[-1] else -1
    last = int(false_positives.max())
    return dict(
        tpr_at={
            str(fp): rate
            for fp, rate in tpr_at(false_positives, rates, fps).items()
        },
        ended={str(fp): fp > last
               for fp in fps},
        final=float(rates[end]),
        last_fp=last)
