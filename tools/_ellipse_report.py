"""What ``fit_ellipse_regressor.py`` prints, writes and draws."""
import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tinyfaces.ellipses import (CrossValidation, match_detections,
                                rectangles_to_boxes)
from tinyfaces.evaluation.functional import FDDBResult
from tinyfaces.evaluation.functional.fddb_report import (FALSE_POSITIVES,
                                                         curves, protocol,
                                                         summary)
from tinyfaces.evaluation.functional.fddb_result import KINDS
from tinyfaces.utils.files import atomic_write


def fit_facts(cross_validation: CrossValidation) -> dict:
    """What is worth knowing of a cross-validated fit, ready for JSON."""
    final = cross_validation.final
    return dict(
        num_images=final.num_images,
        num_pairs=final.num_pairs,
        num_clamped=final.num_clamped,
        num_features=final.num_features,
        iou_thr=final.iou_thr,
        alpha=final.alpha,
        alpha_of_folds={
            str(fold): regressor.alpha
            for fold, regressor in cross_validation.regressors.items()
        })


def format_facts(name: str, facts: Mapping) -> str:
    """One line about a fit."""
    alphas = sorted(set(facts['alpha_of_folds'].values()))
    return (f'{name}: {facts["num_pairs"]:,} pairs in {facts["num_images"]:,} '
            f'pictures, {facts["num_features"]} features; '
            f'{facts["num_clamped"]:,} pairs with a clamped cot(theta); alpha '
            f'{", ".join(f"{alpha:g}" for alpha in alphas)} in the folds, '
            f'{facts["alpha"]:g} on all')


def write_json(path: str | os.PathLike, results: Mapping[str, FDDBResult],
               facts: Mapping[str, Mapping], annotations: str) -> None:
    """Write the table and the facts of the fits."""
    scores: dict[str, dict] = {name: {} for name in results}
    for kind in KINDS:
        for name, curve in curves(results, {}, kind).items():
            scores[name][kind] = summary(*curve, FALSE_POSITIVES)
    content = dict(
        protocol=protocol(annotations), results=scores, fits=dict(facts))
    with atomic_write(path) as temporary:
        temporary.write_text(
            json.dumps(content, indent=2) + '\n', encoding='utf-8')


def draw_fit(path: str | os.PathLike, images: str | os.PathLike,
             truth: Mapping[str, np.ndarray], before: Mapping[str, np.ndarray],
             after: Mapping[str, np.ndarray], number: int) -> int:
    """Draw detections that match a face, before and after.

    Args:
        path: PNG to write.
        images: ``originalPics``; pictures that are not there are left out.
        truth: Name -> (m, 5) ellipses.
        before: Name -> (n, 5), x y w h score.
        after: Name -> (n, 6), ra rb theta cx cy score.
        number: At most so many pictures, evenly spaced over those that have
            a matched detection.

    Returns:
        int: How many pictures were drawn; 0 writes nothing.
    """
    # Matplotlib and Pillow take a while to load.
    from PIL import Image

    from tinyfaces.visualization.ellipse_fit import (FittedPicture,
                                                     plot_ellipse_fit)
    pairs = {}
    for name, ellipses in truth.items():
        boxes = rectangles_to_boxes(before[name])
        matched = match_detections(boxes, ellipses)[:, 0]
        if len(matched) and Path(images, f'{name}.jpg').is_file():
            pairs[name] = boxes[matched], after[name][matched, :5]
    names = list(pairs)
    chosen = np.unique(
        np.linspace(0, len(names) - 1, min(number, len(names)), dtype=int))
    pictures = []
    for name in (names[i] for i in chosen):
        with Image.open(Path(images, f'{name}.jpg')) as image:
            pixels = np.asarray(image.convert('RGB'))
        pictures.append(FittedPicture(pixels, truth[name], *pairs[name], name))
    if pictures:
        plot_ellipse_fit(pictures, path)
    return len(pictures)
