"""Evaluation protocols in NumPy and SciPy, usable without MMDetection."""
from .wider import (COCO_IOU_THRS, average_precision, evaluate_wider,
                    evaluate_wider_groups)
from .wider_gt import SETTINGS, WiderGroundTruth, load_wider_gt
from .wider_io import (check_replaceable, read_wider_predictions,
                       write_wider_predictions)
from .wider_lists import load_wider_annotations, read_image_list
from .wider_report import format_table, result_to_dict, write_json, write_mat
from .wider_result import PRCurve, WiderResult

__all__ = [
    'COCO_IOU_THRS', 'PRCurve', 'SETTINGS', 'WiderGroundTruth', 'WiderResult',
    'average_precision', 'check_replaceable', 'evaluate_wider',
    'evaluate_wider_groups', 'format_table', 'load_wider_annotations',
    'load_wider_gt', 'read_image_list', 'read_wider_predictions',
    'result_to_dict', 'write_json', 'write_mat', 'write_wider_predictions'
]
