"""All analyses of one prediction set, as plain numbers ready for JSON."""
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from ..functional.wider_gt import WiderGroundTruth
from .by_height import by_height
from .characteristics import characteristics
from .error_modes import error_modes
from .localisation import evaluate_ious, localisation
from .matching import Kind, label_detections, match_detections
from .score_by_scale import score_by_scale
from .target_sizes import TARGET_SIZES, target_size_ap
from .top_false_positives import top_false_positives

#: What the keys of ``analysis.json`` mean; written into it.
DOCUMENTATION = {
    'protocol':
    'how detections are matched and scored',
    'images':
    'which images are scored',
    'warnings':
    'what the reader must know',
    'settings':
    'setting -> num_faces, and detectors: name -> the analyses below',
    'counts':
    'detections that are true, background, localisation, duplicate (the '
    'three kinds of false positives) and ignored (on a face that does not '
    'count); num_detections is their sum',
    'error_modes':
    'among the "top" k false positives with the highest scores, how many are '
    'of each kind: "counts" is cumulative over ranks; "table_top" lists the '
    'k = 25, 50, 100, ... of Hoiem et al.',
    'target_sizes':
    'AP at IoU .5 where only faces within .5 Jaccard distance of "height" x '
    '"width" pixels count, and "num_faces", how many those are',
    'localisation':
    'AP at each "iou", "mean_ap" over the ten; "false_positives" at '
    '"recall_levels" (IoU .5, null where not reached); "curves": IoU -> '
    'precision and recall',
    'score_by_scale':
    'logits by scale sqrt(w h) of the detection, classes from '
    '"scale_edges"; "positives" are true, "negatives" false positives: '
    '"count", "score_quantiles" (at "quantiles") and a "sample" of [scale, '
    'logit]; "separation": share of pairs where the positive scores higher; '
    '"clipped": scores of 0 or 1 (nearer than 2^-24), moved to +-16.6',
    'characteristics':
    'normalised AP with the constant "n"; per value "ap_n" with standard '
    'error, "num_faces" and plain "ap" of the same ranking; "limits" are the '
    'largest values of each class but the last; sensitivity = max - min, '
    'impact = max - overall',
    'by_height':
    'classes of height from "height_edges"; "points": operating points with '
    'recall by height of the face, false positives by height of the '
    'detection',
    'top_false_positives':
    '"ranked": those with the highest scores; "drawn": those of the images '
    'at hand; "without_picture": of "ranked", those whose image is not; box '
    'and (best or nearest) face x y w h in pixels; percent_below: detections '
    'with a lower score, in percent',
}


@dataclass(frozen=True)
class AnalysisOptions:
    """What :func:`analyze` is to do.

    Attributes:
        constant: N of the normalised AP.
        attributes: Attribute -> (G,) values, or None.
        target_sizes: Heights and widths in pixels.
        score_thrs: Scores at which recall by height is read as well.
        is_logit: The scores are logits, not probabilities.
        has_picture: Image key -> whether its picture can be drawn.
        number: How many of the top false positives to list.
    """

    constant: float
    attributes: Mapping[str, np.ndarray] | None = None
    target_sizes: Sequence[tuple[float, float]] = TARGET_SIZES
    score_thrs: Sequence[float] = ()
    is_logit: bool = False
    has_picture: Callable[[str], bool] = lambda key: False
    number: int = 20


def analyze(predictions: Mapping[str, np.ndarray], truth: WiderGroundTruth,
            options: AnalysisOptions) -> tuple[dict[str, dict], list[str]]:
    """Do all analyses of one prediction set.

    Args:
        predictions: As for :func:`~..functional.evaluate_wider`.
        truth: Loaded with the settings wanted.
        options: See there.

    Returns:
        tuple[dict[str, dict], list[str]]: Setting -> the analyses, with the
        keys explained in ``DOCUMENTATION``; and warnings.

    Raises:
        ValueError: As ``evaluate_wider``.
        NotProbabilities: Scores lie outside [0, 1] and ``is_logit`` is not
            set.
    """
    result = evaluate_ious(predictions, truth)
    matched = match_detections(predictions, truth)
    warnings = list(result.warnings)
    if result.missing:
        warnings.append(
            f'{len(result.missing):,} of {result.num_images:,} images have no '
            'predictions, counted as no detections')
    if result.num_unknown:
        warnings.append(f'{result.num_unknown:,} image(s) with predictions '
                        'are not scored')
    settings = {}
    for setting, keep in tqdm(
            truth.keep.items(), 'analysing', delay=2, leave=False,
            disable=None):
        labels = label_detections(matched, keep)
        ranked = top_false_positives(matched, labels, truth, keep,
                                     options.number)
        settings[setting] = dict(
            counts={
                'num_detections': len(matched.scores),
                **{
                    kind.name.lower(): int(
                        np.count_nonzero(labels.kind == kind))
                    for kind in Kind
                }
            },
            error_modes=error_modes(matched, labels),
            target_sizes=target_size_ap(predictions, truth, setting,
                                        options.target_sizes),
            localisation=localisation(result, setting),
            score_by_scale=score_by_scale(matched, labels, options.is_logit),
            characteristics=characteristics(matched, labels, truth.boxes, keep,
                                            options.constant,
                                            options.attributes),
            by_height=by_height(matched, labels, truth.boxes, keep,
                                options.score_thrs),
            top_false_positives=dict(
                ranked=ranked,
                drawn=top_false_positives(matched, labels, truth, keep,
                                          options.number, options.has_picture),
                without_picture=sum(not options.has_picture(row['image'])
                                    for row in ranked)))
    return settings, warnings


def finite(content: object) -> object:
    """The same content with None for NaN and infinity: JSON has neither."""
    if isinstance(content, dict):
        return {key: finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [finite(value) for value in content]
    if isinstance(content, float) and not math.isfinite(content):
        return None
    return content
