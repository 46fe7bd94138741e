"""WIDER FACE results as text, as JSON and as the official ``.mat`` curves.

Every form states the protocol beside the numbers.
"""
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import scipy.io

from tinyfaces.utils.files import atomic_write
from .wider import COCO_IOU_THRS
from .wider_result import WiderResult

# Missing images named in the text; the JSON file has them all.
_NAMED = 20


def format_table(results: Mapping[str, WiderResult]) -> str:
    """A plain text report.

    Args:
        results: Name of the detector -> result; all scored alike.

    Returns:
        str: The protocol, one row per detector and IoU threshold, false
        positives at recalls where they were asked for, and remarks.
    """
    sample = next(iter(results.values()))
    width = max([len('detector'), *map(len, results)])
    faces = ', '.join(f'{s} {sample.curves[s, sample.iou_thrs[0]].num_faces:,}'
                      for s in sample.settings)
    head = ''.join(f'{s:>9}' for s in sample.settings)
    lines = [
        sample.protocol(), f'faces: {faces}', '',
        f'{"AP by detector":{width}}  {"IoU":>8}{head}'
    ]
    for name, result in results.items():
        for thr in result.iou_thrs:
            values = ''.join(f'{result.ap(s, thr):9.5f}'
                             for s in result.settings)
            lines.append(f'{name:{width}}  {thr:8g}{values}')
        if result.iou_thrs == COCO_IOU_THRS:
            values = ''.join(f'{result.mean_ap(s):9.5f}'
                             for s in result.settings)
            lines.append(f'{name:{width}}  {".5:.95":>8}{values}')
    lines += _false_positives(results, width)
    for name, result in results.items():
        lines += [
            '', f'{name}: {result.num_detections:,} detections, '
            f'{result.num_images - len(result.missing):,} of '
            f'{result.num_images:,} images have predictions'
        ]
        lines += _remarks(result)
    return '\n'.join(lines)


def result_to_dict(result: WiderResult) -> dict:
    """Everything but the curves, ready for JSON (NaN becomes None)."""
    settings = {}
    for setting in result.settings:
        curves = {
            f'{thr:g}': result.curves[setting, thr]
            for thr in result.iou_thrs
        }
        entry = dict(
            num_faces=next(iter(curves.values())).num_faces,
            ap={
                thr: _number(curve.ap)
                for thr, curve in curves.items()
            })
        if result.iou_thrs == COCO_IOU_THRS:
            entry['ap_50_95'] = _number(result.mean_ap(setting))
        if next(iter(curves.values())).fp_at_recall:
            entry['fp_at_recall'] = {
                thr: {
                    f'{recall:g}': count
                    for recall, count in curve.fp_at_recall.items()
                }
                for thr, curve in curves.items()
            }
        settings[setting] = entry
    return dict(
        protocol=result.protocol(),
        images=result.images,
        is_subset=result.is_subset,
        num_images=result.num_images,
        num_detections=result.num_detections,
        settings=settings,
        missing=list(result.missing),
        num_unknown=result.num_unknown,
        warnings=list(result.warnings))


def write_json(path: str | os.PathLike,
               detectors: Mapping[str, WiderResult],
               groups: Mapping[str, WiderResult] | None = None,
               **facts: str | dict) -> None:
    """Write results of detectors, and of anchor-scale groups, as JSON.

    Args:
        path: The file to write.
        detectors: Name -> result.
        groups: Name of the group -> result of its own detections.
        **facts: More of the protocol, e.g. ``test_resolution``.
    """
    content = dict(
        **facts,
        detectors={
            k: result_to_dict(v)
            for k, v in detectors.items()
        },
        groups={
            k: result_to_dict(v)
            for k, v in (groups or {}).items()
        })
    with atomic_write(path) as temporary:
        temporary.write_text(
            json.dumps(content, indent=2) + '\n', encoding='utf-8')


def write_mat(folder: str | os.PathLike,
              name: str,
              result: WiderResult,
              iou_thr: float = 0.5) -> list[Path]:
    """Write one curve per setting in the form of the official toolbox.

    ``wider_pr_info_<name>_<setting>_val.mat`` holds ``pr_cruve`` (spelt so),
    1000 x 2 with precision first, and ``legend_name``.

    Args:
        folder: Where to; made when missing.
        name: Name of the detector in the legend and the file names.
        result: Its result.
        iou_thr: The IoU threshold whose curves are written.

    Returns:
        list[Path]: The files.

    Raises:
        ValueError: ``iou_thr`` was not evaluated.
    """
    if iou_thr not in result.iou_thrs:
        raise ValueError(f'official curves are those at IoU {iou_thr:g}, '
                         f'which was not evaluated: {result.iou_thrs}')
    paths = []
    for setting in result.settings:
        curve = result.curves[setting, iou_thr]
        path = Path(folder) / f'wider_pr_info_{name}_{setting}_val.mat'
        with atomic_write(path) as temporary:
            scipy.io.savemat(
                temporary,
                dict(
                    pr_cruve=np.stack([curve.precision, curve.recall], axis=1),
                    legend_name=name))
        paths.append(path)
    return paths


def _false_positives(results: Mapping[str, WiderResult],
                     width: int) -> list[str]:
    """Rows of the table of false positives at recalls."""
    sample = next(iter(results.values()))
    recalls = list(next(iter(sample.curves.values())).fp_at_recall)
    if not recalls:
        return []
    head = ''.join(f'{recall:>9g}' for recall in recalls)
    lines = ['', f'{"false positives at recall":{width + 19}}{head}']
    for name, result in results.items():
        for (setting, thr), curve in result.curves.items():
            counts = ''.join('        -' if count is None else f'{count:9,}'
                             for count in curve.fp_at_recall.values())
            lines.append(f'{name:{width}}  {setting:>6}  {thr:>8g}'
                         f' {counts}')
    return lines


def _remarks(result: WiderResult) -> list[str]:
    """What the user must know about one prediction set."""
    lines = [f'  warning: {text}' for text in result.warnings]
    if result.missing:
        lines.append('  no prediction file, counted as no detections:')
        lines += [f'    {key}' for key in result.missing[:_NAMED]]
        if len(result.missing) > _NAMED:
            lines.append(f'    and {len(result.missing) - _NAMED:,} more')
    if result.num_unknown:
        lines.append(f'  {result.num_unknown:,} prediction file(s) for '
                     'images that are not scored were left out')
    return lines


def _number(value: float) -> float | None:
    """JSON has no NaN."""
    return None if math.isnan(value) else value
