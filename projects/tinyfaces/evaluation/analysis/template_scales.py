"""At which scale faces of each size are found best: HR's Fig. 8.

HR (section 4) trains a model for each of a few resolutions sigma, with the
same target sizes, and takes for each size the sigma of the highest AP at it.
"""
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tinyfaces.templates import scale_for
from ..functional.wider_gt import WiderGroundTruth
from .target_sizes import target_size_ap


@dataclass(frozen=True)
class ScaleStudy:
    """AP of the models of several scales at several target sizes.

    Attributes:
        sizes: Height and width of each target, in pixels of the original.
        num_faces: Counted faces within 0.5 Jaccard distance of each.
        ap: Scale -> AP at each size; NaN without a face.
        best: Scale of each size.
    """

    sizes: list[tuple[float, float]]
    num_faces: list[int]
    ap: dict[float, list[float]]
    best: list[float]


def study_template_scales(predictions: Mapping[float, Mapping[str,
                                                              np.ndarray]],
                          truth: WiderGroundTruth, setting: str,
                          sizes: Sequence[tuple[float, float]]) -> ScaleStudy:
    """Compare the models of several scales at each target size.

    Args:
        predictions: Scale -> what its model finds, as for
            :func:`~..functional.evaluate_wider`, in pixels of the original
            pictures.
        truth: Loaded with ``setting``.
        setting: Of the faces it counts, those within 0.5 Jaccard distance of
            a target count there (see :func:`~.target_sizes.target_size_ap`).
        sizes: Height and width of each target, in pixels of the original.

    Returns:
        ScaleStudy: In the order of ``sizes``.

    Raises:
        ValueError: There are no predictions, a scale is not above 0, or as
            :func:`~.target_sizes.target_size_ap`.
    """
    if not predictions or not all(0 < s < math.inf for s in predictions):
        raise ValueError('predictions of at least one scale are needed, and '
                         f'scales above 0; got {list(predictions)}')
    results = {
        scale: target_size_ap(found, truth, setting, sizes)
        for scale, found in sorted(predictions.items())
    }
    ap = {scale: result['ap'] for scale, result in results.items()}
    return ScaleStudy(
        sizes=[(float(high), float(wide)) for high, wide in sizes],
        num_faces=next(iter(results.values()))['num_faces'],
        ap=ap,
        best=[
            best_scale(high, {
                scale: values[at]
                for scale, values in ap.items()
            }) for at, (high, _) in enumerate(sizes)
        ])


def best_scale(height: float, ap: Mapping[float, float]) -> float:
    """The scale with the highest AP.

    Args:
        height: Of the target in pixels. Where equal values, or NaN at all
            scales, leave several to choose from, the one nearest to HR's rule
            (:func:`tinyfaces.templates.scale_for`) is taken.
        ap: Scale -> AP.

    Returns:
        float: One of the scales.
    """
    highest = max((v for v in ap.values() if not math.isnan(v)), default=None)
    scales = [s for s, v in ap.items() if highest is None or v == highest]
    rule = scale_for(height)
    return min(scales, key=lambda scale: abs(math.log(scale / rule)))
