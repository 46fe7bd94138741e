"""Results on AFW, PASCAL Face and MAFA as text and as JSON.

Both state the protocol, and what of it is inferred, beside the numbers.
"""
import json
import math
import os
from collections.abc import Mapping

from tinyfaces.utils.files import atomic_write
from .voc_face_result import VOCFaceResult

# Images named in the text; the JSON file has them all.
_NAMED = 20


def format_voc_face_table(results: Mapping[str, VOCFaceResult]) -> str:
    """A plain text report.

    Args:
        results: Name of the detector -> result; all scored alike.

    Returns:
        str: Protocol, inferred rules, one row of AP in percent per detector,
        and remarks.
    """
    sample = next(iter(results.values()))
    faces = ', '.join(f'{subset} {curve.num_faces:,}'
                      for subset, curve in sample.curves.items())
    lines = [sample.protocol, f'faces: {faces}; images: {sample.num_images:,}']
    if sample.inferred:
        lines += ['rules that no source states (inferred):']
        lines += [f'  - {rule}' for rule in sample.inferred]
    width = max([len('AP in % by detector'), *map(len, results)])
    head = ''.join(f'{subset:>11}' for subset in sample.curves)
    lines += ['', f'{"AP in % by detector":{width}}{head}']
    for name, result in results.items():
        values = ''.join(f'{100 * curve.ap:11.3f}'
                         for curve in result.curves.values())
        lines.append(f'{name:{width}}{values}')
    for name, result in results.items():
        lines += ['', *_remarks(name, result)]
    return '\n'.join(lines)


def voc_face_result_to_dict(result: VOCFaceResult) -> dict:
    """Everything but the curves, ready for JSON (NaN becomes None)."""
    return dict(
        protocol=result.protocol,
        inferred_rules=list(result.inferred),
        subsets={
            subset:
            dict(
                num_faces=curve.num_faces,
                ap=None if math.isnan(curve.ap) else curve.ap)
            for subset, curve in result.curves.items()
        },
        is_subset=result.is_subset,
        num_images=result.num_images,
        num_detections=result.num_detections,
        num_scored=result.num_scored,
        num_left_out=result.num_left_out,
        images_without_detections=list(result.missing),
        warnings=list(result.warnings),
        **result.details)


def write_voc_face_json(path: str | os.PathLike,
                        results: Mapping[str, VOCFaceResult],
                        **facts: object) -> None:
    """Write results as JSON.

    Args:
        path: The file to write.
        results: Name of the detector -> result.
        **facts: More of the protocol, e.g. ``test_resolution``.
    """
    content = dict(
        **facts,
        detectors={
            name: voc_face_result_to_dict(result)
            for name, result in results.items()
        })
    with atomic_write(path) as temporary:
        temporary.write_text(
            json.dumps(content, indent=2) + '\n', encoding='utf-8')


def _remarks(name: str, result: VOCFaceResult) -> list[str]:
    """What the user must know about one set of detections."""
    filtered = result.num_detections - result.num_scored
    lines = [
        f'{name}: {result.num_detections:,} detections' +
        (f', {filtered:,} of them too small to be scored' if filtered else '')
        + f'; {result.num_images - len(result.missing):,} of '
        f'{result.num_images:,} images have detections'
    ]
    if result.num_left_out:
        lines.append(f'  {result.num_left_out:,} detections in other images '
                     'left out')
    for number, step in enumerate(result.details.get('refinement', ()), 1):
        lines.append(f'  refinement {number}: centre moved by '
                     f'{step["dx"]:+.4f} widths, {step["dy"]:+.4f} heights; '
                     f'size times {step["sx"]:.4f}, {step["sy"]:.4f}')
    lines += [f'  warning: {text}' for text in result.warnings]
    if result.missing:
        named = ', '.join(result.missing[:_NAMED])
        more = len(result.missing) - _NAMED
        lines.append(f'  without detections: {named}' +
                     (f' and {more:,} more' if more > 0 else ''))
    return lines
