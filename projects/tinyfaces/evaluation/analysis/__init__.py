"""Error diagnosis of WIDER FACE prediction sets (NumPy and SciPy only)."""
from .attributes import FaceAttributes, match_attributes
from .by_height import format_recall_by_height
from .matching import (FOUND_IOU, NEAR_IOU, Kind, Labels, MatchedDetections,
                       label_detections, match_detections)
from .normalized_ap import N_PER_IMAGE
from .report import DOCUMENTATION, AnalysisOptions, analyze, finite
from .score_by_scale import NotProbabilities
from .target_sizes import TARGET_SIZES
from .template_scales import ScaleStudy, study_template_scales

__all__ = [
    'AnalysisOptions', 'DOCUMENTATION', 'FOUND_IOU', 'NEAR_IOU',
    'NotProbabilities', 'FaceAttributes', 'Kind', 'Labels',
    'MatchedDetections', 'N_PER_IMAGE', 'ScaleStudy', 'TARGET_SIZES',
    'analyze', 'finite', 'format_recall_by_height', 'label_detections',
    'match_attributes', 'match_detections', 'study_template_scales'
]
