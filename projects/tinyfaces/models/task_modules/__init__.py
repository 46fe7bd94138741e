"""Matching of anchors and faces, and steps behind a detector."""
from .best_anchor_level import best_anchor_levels
from .ellipse_regressor import EllipseRegressor
from .feature_sampler import (FeaturePyramid, FeatureSampler, Priors,
                              anchor_scale, priors_of)
from .streaming_max_iou_assigner import StreamingMaxIoUAssigner

__all__ = [
    'EllipseRegressor', 'FeaturePyramid', 'FeatureSampler', 'Priors',
    'StreamingMaxIoUAssigner', 'anchor_scale', 'best_anchor_levels',
    'priors_of'
]
