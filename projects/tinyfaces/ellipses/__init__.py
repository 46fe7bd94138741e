"""Bounding ellipses from detections, in NumPy and SciPy.

The regressor of "Finding Tiny Faces" (HR), Appendix B, and S3FD's fixed map.
Needs neither torch nor MMDetection.
"""
from .coder import (MAX_COT, MIN_ANGLE, count_clamped, decode_ellipses,
                    encode_ellipses)
from .cross_validation import CrossValidation, cross_validate_ellipses
from .feature_file import (DetectionFeatures, load_detection_features,
                           save_detection_features)
from .features import BOX_FEATURES, box_features, join_features
from .geometry import rectangles_to_boxes, scale_ellipses, widen_boxes
from .matching import match_detections
from .model_file import load_ellipse_regressor, save_ellipse_regressor
from .regressor import (FeatureSampling, LinearEllipseRegressor,
                        fit_ellipse_regressor)
from .ridge import ALPHAS, LinearMap, choose_alpha, fit_ridge
from .s3fd import S3FD_MAP, S3FDEllipseMap, read_fit_mat

__all__ = [
    'ALPHAS', 'BOX_FEATURES', 'CrossValidation', 'DetectionFeatures',
    'FeatureSampling', 'LinearEllipseRegressor', 'LinearMap', 'MAX_COT',
    'MIN_ANGLE', 'S3FDEllipseMap', 'S3FD_MAP', 'box_features', 'choose_alpha',
    'count_clamped', 'cross_validate_ellipses', 'decode_ellipses',
    'encode_ellipses', 'fit_ellipse_regressor', 'fit_ridge', 'join_features',
    'load_detection_features', 'load_ellipse_regressor', 'match_detections',
    'read_fit_mat', 'rectangles_to_boxes', 'save_detection_features',
    'save_ellipse_regressor', 'scale_ellipses', 'widen_boxes'
]
