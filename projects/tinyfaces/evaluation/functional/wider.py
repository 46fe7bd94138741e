"""Average precision by the protocol of the official WIDER FACE toolbox.

Per image, detections are taken in descending order of score. Each is compared
with the one box it overlaps best (of all boxes, counted or not, the first on
ties). At IoU >= 0.5 it is a true positive when the box counts and has not been
found before, neither right nor wrong when the box does not count, and else a
false positive. Scores of the whole set are stretched to [0, 1] and cut at
1,000 equidistant thresholds; counts are summed over the images; AP is the area
under the monotone envelope of precision over recall. An image without any box
or without any detection is left out. NumPy and SciPy only.
"""
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from .wider_gt import WiderGroundTruth
from .wider_matching import best_boxes
from .wider_result import NUM_THRESHOLDS, PRCurve, WiderResult

COCO_IOU_THRS = tuple((np.arange(50, 100, 5) / 100).tolist())
# Where the official search for the largest and smallest score starts.
_SMALLEST_MAX = float(np.finfo(np.float32).tiny)
_LARGEST_MIN = float(np.finfo(np.float32).max)


def evaluate_wider(
    predictions: Mapping[str, np.ndarray],
    ground_truth: WiderGroundTruth,
    settings: Sequence[str] | None = None,
    iou_thrs: Sequence[float] = (0.5, ),
    matlab_int32: bool = False,
    fp_recalls: Iterable[float] = ()) -> WiderResult:
    """Score one prediction set.

    Args:
        predictions: Image key -> (n, 5) of x, y, w, h in pixels and score, in
            any order. Images without a key have no detections; images that
            are not in ``ground_truth`` are left out and counted.
        ground_truth: From :func:`~.wider_gt.load_wider_gt`.
        settings: Those of ``ground_truth`` to score; None for all it has.
        iou_thrs: IoU thresholds in (0, 1].
        matlab_int32: Compute IoU as the official MATLAB code does, in int32:
            it becomes 0 or 1, so that the first box with IoU >= 0.5 wins
            instead of the best one. Only with ``iou_thrs=(0.5,)``: any other
            threshold would give the same numbers under a wrong name.
        fp_recalls: Recalls in (0, 1] at which false positives are counted.

    Returns:
        WiderResult: One curve per setting and IoU threshold.

    Raises:
        ValueError: A prediction array has another shape, a NaN or infinite
            value or a negative size; an argument is out of range; or
            predictions are given but for none of the images.
    """
    settings = tuple(settings or ground_truth.keep)
    for setting in settings:
        if setting not in ground_truth.keep:
            raise ValueError(f'the ground truth was loaded without {setting}')
    iou_thrs, fp_recalls = tuple(iou_thrs), tuple(fp_recalls)
    _check_ranges(iou_thrs, fp_recalls, matlab_int32)
    known = sum(key in ground_truth.key_set for key in predictions)
    if predictions and not known:
        raise ValueError(
            'no prediction is for an image of the ground truth: predictions '
            f'have {next(iter(predictions))!r}, the ground truth '
            f'{ground_truth.keys[0]!r}')

    matched = _match(predictions, ground_truth, matlab_int32)
    first = _first_threshold(matched.scores, matched.low, matched.high)
    curves = {}
    for iou_thr in iou_thrs:
        curves.update(
            _curves(matched, first, ground_truth, settings, iou_thr,
                    fp_recalls))
    warnings = []
    if matched.low == matched.high:
        warnings.append(
            f'all scores are {matched.low:g}: the official normalisation is '
            '0 / 0 then, no detection is ever counted and AP is 0')
    if ground_truth.is_subset:
        warnings.append(f'{ground_truth.describe()}: not comparable with '
                        'published numbers')
    return WiderResult(
        curves,
        settings,
        iou_thrs,
        matlab_int32,
        images=ground_truth.describe(),
        is_subset=ground_truth.is_subset,
        num_images=len(ground_truth.keys),
        num_detections=matched.num_detections,
        missing=tuple(k for k in ground_truth.keys if k not in predictions),
        num_unknown=len(predictions) - known,
        warnings=tuple(warnings))


def evaluate_wider_groups(groups: Mapping[str, Mapping[str, np.ndarray]],
                          ground_truth: WiderGroundTruth,
                          settings: Sequence[str] = ('all', ),
                          **kwargs) -> dict[str, WiderResult]:
    """Score each sub-detector's own detections, e.g. AP @16 ... @128.

    Group Sampling, section 6.1: the detections of one anchor scale alone are
    scored on all faces. NMS and the maximum per image were done within the
    group, so a group is a prediction set like any other, with its own score
    range.

    Args:
        groups: Name of the group, e.g. ``16`` -> its prediction set.
        ground_truth: As in :func:`evaluate_wider`.
        settings: As in :func:`evaluate_wider`.
        **kwargs: Passed to :func:`evaluate_wider`.

    Returns:
        dict[str, WiderResult]: One result per group.
    """
    return {
        name: evaluate_wider(predictions, ground_truth, settings, **kwargs)
        for name, predictions in groups.items()
    }


def average_precision(recall: np.ndarray, precision: np.ndarray) -> float:
    """Area under the monotone envelope (VOC 2010 and later).

    Args:
        recall: (n,), not decreasing.
        precision: (n,); NaN counts as absent, as MATLAB's max has it.

    Returns:
        float: In [0, 1]; NaN when recall is (no face to find).
    """
    if np.isnan(recall).any():
        return math.nan
    recall = np.concatenate([[0], recall, [1]])
    precision = np.concatenate([[0], precision, [0]])
    envelope = np.fmax.accumulate(precision[::-1])[::-1]
    at = np.flatnonzero(recall[1:] != recall[:-1]) + 1
    return float(np.sum((recall[at] - recall[at - 1]) * envelope[at]))


@dataclass(frozen=True)
class _Matched:
    """Detections of all images, image after image, scores descending.

    Images without boxes are left out of the three arrays, not of the rest.
    """

    scores: np.ndarray  # (N,) float64
    best: np.ndarray  # (N,) int32, index into the boxes of all images
    overlap: np.ndarray  # (N,) float64, IoU with that box
    low: float
    high: float
    num_detections: int


def _match(predictions: Mapping[str, np.ndarray], truth: WiderGroundTruth,
           matlab_int32: bool) -> _Matched:
    """Compare every detection with its best box, once for all settings."""
    offsets = truth.offsets
    room = sum(
        len(predictions[key]) for at, key in enumerate(truth.keys)
        if key in predictions and offsets[at] < offsets[at + 1])
    scores, overlap = np.empty(room), np.empty(room)
    best = np.empty(room, np.int32)
    low, high, end, num_detections = _LARGEST_MIN, _SMALLEST_MAX, 0, 0
    # A second of work shows nothing; a long one shows a bar.
    for at, key in enumerate(
            tqdm(truth.keys, 'matching', delay=2, leave=False, disable=None)):
        if key not in predictions or not len(predictions[key]):
            continue
        found = check_wider_array(key, predictions[key])
        num_detections += len(found)
        low = min(low, found[:, 4].min())
        high = max(high, found[:, 4].max())
        boxes = truth.boxes[offsets[at]:offsets[at + 1]]
        if not len(boxes):
            continue
        found = found[np.argsort(-found[:, 4], kind='stable')]
        part = slice(end, end + len(found))
        index, overlap[part] = best_boxes(found[:, :4], boxes, matlab_int32)
        best[part] = index + offsets[at]
        scores[part] = found[:, 4]
        end = part.stop
    return _Matched(scores, best, overlap, low, high, num_detections)


def _first_threshold(scores: np.ndarray, low: float,
                     high: float) -> np.ndarray:
    """(N,) int16: first of the thresholds that each detection passes.

    ``NUM_THRESHOLDS`` means none, which is what 0 / 0 leads to.
    """
    thresholds = 1 - np.arange(1, NUM_THRESHOLDS + 1) / NUM_THRESHOLDS
    with np.errstate(invalid='ignore'):
        normal = (scores - low) / np.float64(high - low)
    passed = np.searchsorted(thresholds[::-1], normal, side='right')
    passed[np.isnan(normal)] = 0
    return (NUM_THRESHOLDS - passed).astype(np.int16)


def _curves(matched: _Matched, first: np.ndarray, truth: WiderGroundTruth,
            settings: Sequence[str], iou_thr: float,
            fp_recalls: Sequence[float]) -> dict[tuple[str, float], PRCurve]:
    """The curves of all settings at one IoU threshold."""
    hits = np.flatnonzero(matched.overlap >= iou_thr)
    boxes = matched.best[hits]
    # The first hit of each box: with repeated indices the last value stays.
    finder = np.full(len(truth.boxes), -1, np.int64)
    finder[boxes[::-1]] = hits[::-1]
    found = finder >= 0
    everything = _histogram(first)
    curves = {}
    for setting in settings:
        keep = truth.keep[setting]
        neither = hits[~keep[boxes]]
        right = finder[found & keep]
        proposals = np.cumsum(everything - _histogram(first[neither]))
        recalled = np.cumsum(_histogram(first[right]))
        num_faces = int(keep.sum())
        with np.errstate(divide='ignore', invalid='ignore'):
            precision = recalled / proposals
            recall = recalled / np.float64(num_faces)
        curves[setting, iou_thr] = PRCurve(
            precision, recall, average_precision(recall, precision), num_faces,
            _fp_at_recall(matched.scores, right, neither, num_faces,
                          fp_recalls))
    return curves


def _histogram(first: np.ndarray) -> np.ndarray:
    """(1000,) detections that pass each threshold as their first one."""
    return np.bincount(first, minlength=NUM_THRESHOLDS)[:NUM_THRESHOLDS]


def _fp_at_recall(scores: np.ndarray, right: np.ndarray, neither: np.ndarray,
                  num_faces: int,
                  recalls: Sequence[float]) -> dict[float, int | None]:
    """False positives at the highest score that reaches each recall."""
    counts: dict[float, int | None] = {}
    ranked = np.sort(scores[right])[::-1] if recalls else scores[:0]
    for recall in recalls:
        # 0.55 * 100 is a little more than 55 in floating point.
        needed = math.ceil(recall * num_faces - 1e-9)
        if not 0 < needed <= len(ranked):
            counts[recall] = None
            continue
        score = ranked[needed - 1]
        counts[recall] = int(
            np.count_nonzero(scores >= score) -
            np.count_nonzero(scores[neither] >= score) -
            np.count_nonzero(ranked >= score))
    return counts


def check_wider_array(key: str, found: np.ndarray) -> np.ndarray:
    """Look for what cannot be scored, nor read from a prediction file.

    Args:
        key: The image, for the message.
        found: Its detections, (n, 5) of x y w h and score.

    Returns:
        np.ndarray: The same as float64.

    Raises:
        ValueError: The array has another shape, a NaN or infinite value or a
            negative size.
    """
    found = np.asarray(found, np.float64)
    if found.ndim != 2 or found.shape[1] != 5:
        raise ValueError(f'predictions of {key}: expected an array (n, 5) of '
                         f'x y w h score, got {found.shape}')
    if not np.isfinite(found).all():
        raise ValueError(f'predictions of {key}: NaN or infinite value')
    if found[:, 2:4].min(initial=0) < 0:
        raise ValueError(f'predictions of {key}: negative width or height')
    return found


def _check_ranges(iou_thrs: Sequence[float], fp_recalls: Sequence[float],
                  matlab_int32: bool) -> None:
    """Raise ValueError unless the evaluation can be done as asked."""
    if not iou_thrs or not all(0 < t <= 1 for t in iou_thrs):
        raise ValueError(f'IoU thresholds must be in (0, 1], got {iou_thrs}')
    if not all(0 < r <= 1 for r in fp_recalls):
        raise ValueError(f'recalls must be in (0, 1], got {fp_recalls}')
    if matlab_int32 and iou_thrs != (0.5, ):
        raise ValueError(
            'MATLAB int32 arithmetic rounds IoU to 0 or 1, so it is defined '
            f'at the threshold 0.5 only, not {iou_thrs}; use true IoU')
