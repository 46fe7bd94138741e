"""Components of the detectors."""
from .detectors import PostProcessedDetector
from .task_modules import (EllipseRegressor, FeatureSampler,
                           StreamingMaxIoUAssigner)

__all__ = [
    'EllipseRegressor', 'FeatureSampler', 'PostProcessedDetector',
    'StreamingMaxIoUAssigner'
]
