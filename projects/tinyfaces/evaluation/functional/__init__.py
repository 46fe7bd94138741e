"""Evaluation protocols in NumPy and SciPy, usable without MMDetection."""
from .fddb import evaluate_fddb
from .fddb_detections import (read_fddb_detections, write_fddb_detections,
                              write_fddb_folds)
from .fddb_io import (read_image_sizes_file, read_published_rocs, read_roc,
                      write_roc)
from .fddb_report import format_fddb_table, write_fddb_json
from .fddb_result import FDDBResult
from .mafa import INFERRED_RULES, MAFA_SUBSETS, evaluate_mafa, load_mafa_gt
from .voc_face import evaluate_voc_face
from .voc_face_gt import (VOCFaceGroundTruth, load_voc_face_gt,
                          read_picture_list)
from .voc_face_io import (VOCFaceDetections, read_voc_face_detections,
                          write_voc_face_detections)
from .voc_face_report import (format_voc_face_table, voc_face_result_to_dict,
                              write_voc_face_json)
from .voc_face_result import VOCFaceCurve, VOCFaceResult
from .wider import (COCO_IOU_THRS, average_precision, evaluate_wider,
                    evaluate_wider_groups)
from .wider_gt import SETTINGS, WiderGroundTruth, load_wider_gt
from .wider_io import (check_replaceable, read_wider_predictions,
                       write_wider_predictions)
from .wider_lists import load_wider_annotations, read_image_list
from .wider_report import format_table, result_to_dict, write_json, write_mat
from .wider_result import PRCurve, WiderResult

__all__ = [
    'COCO_IOU_THRS', 'FDDBResult', 'evaluate_fddb', 'format_fddb_table',
    'read_fddb_detections', 'read_image_sizes_file', 'read_published_rocs',
    'read_roc', 'write_fddb_json', 'write_fddb_detections', 'write_fddb_folds',
    'write_roc', 'PRCurve', 'SETTINGS', 'WiderGroundTruth', 'WiderResult',
    'average_precision', 'check_replaceable', 'evaluate_wider',
    'evaluate_wider_groups', 'format_table', 'load_wider_annotations',
    'load_wider_gt', 'read_image_list', 'read_wider_predictions',
    'result_to_dict', 'write_json', 'write_mat', 'write_wider_predictions',
    'INFERRED_RULES', 'MAFA_SUBSETS', 'VOCFaceCurve', 'VOCFaceDetections',
    'VOCFaceGroundTruth', 'VOCFaceResult', 'evaluate_mafa',
    'evaluate_voc_face', 'format_voc_face_table', 'load_mafa_gt',
    'load_voc_face_gt', 'read_picture_list', 'read_voc_face_detections',
    'voc_face_result_to_dict', 'write_voc_face_detections',
    'write_voc_face_json'
]
