"""AP against IoU, curves and counts of RefineFace's Fig. 2, Tables 3 and 5.

All of it comes from the evaluator of the benchmark.
"""
from collections.abc import Mapping

import numpy as np

from ..functional.wider import COCO_IOU_THRS, evaluate_wider
from ..functional.wider_gt import WiderGroundTruth
from ..functional.wider_result import WiderResult

#: The recalls of RefineFace, Table 5.
FP_RECALLS = (0.1, 0.3, 0.5, 0.8, 0.9, 0.95)
#: The IoU thresholds of RefineFace, Table 3, whose curves are kept.
CURVE_IOUS = (0.5, 0.6, 0.7, 0.8)


def evaluate_ious(predictions: Mapping[str, np.ndarray],
                  truth: WiderGroundTruth) -> WiderResult:
    """Score a set at IoU .5 to .95, all settings of ``truth`` at once.

    Args:
        predictions: As for :func:`~..functional.evaluate_wider`.
        truth: Loaded with the settings wanted.

    Returns:
        WiderResult: With false positives at ``FP_RECALLS``.

    Raises:
        ValueError: As ``evaluate_wider``.
    """
    return evaluate_wider(
        predictions, truth, iou_thrs=COCO_IOU_THRS, fp_recalls=FP_RECALLS)


def localisation(result: WiderResult, setting: str) -> dict:
    """The part of one setting, as plain lists.

    Args:
        result: From :func:`evaluate_ious`.
        setting: One of its settings.

    Returns:
        dict: ``iou`` and ``ap``, lists; ``mean_ap`` over the ten;
        ``recall_levels`` and ``false_positives`` (at IoU .5; None where the
        recall is not reached); ``curves``, IoU -> ``precision`` and
        ``recall`` at the thresholds where something is detected.
    """
    curves = {}
    for iou in CURVE_IOUS:
        curve = result.curves[setting, iou]
        # Where nothing is detected yet precision is 0 / 0.
        drawn = np.isfinite(curve.precision) & np.isfinite(curve.recall)
        curves[f'{iou:g}'] = dict(
            recall=curve.recall[drawn].round(6).tolist(),
            precision=curve.precision[drawn].round(6).tolist())
    counts = result.curves[setting, CURVE_IOUS[0]].fp_at_recall
    return dict(
        iou=list(result.iou_thrs),
        ap=[result.ap(setting, iou) for iou in result.iou_thrs],
        mean_ap=result.mean_ap(setting),
        recall_levels=list(counts),
        false_positives=list(counts.values()),
        curves=curves)
