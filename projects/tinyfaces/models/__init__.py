"""Components of the detectors."""
from .dense_heads import SelectiveRefineHead
from .detectors import PostProcessedDetector, RefineFace
from .layers import RFEBlock
from .losses import ScaleAwareMarginLoss
from .necks import RefineFPN
from .roi_heads import FeatureSupervisionHead
from .task_modules import (EllipseRegressor, FeatureSampler,
                           StreamingMaxIoUAssigner)
from .test_time import BudgetScalePlan, MultiScaleTestModel, ScalePlan

__all__ = [
    'BudgetScalePlan', 'EllipseRegressor', 'FeatureSampler',
    'FeatureSupervisionHead', 'MultiScaleTestModel', 'PostProcessedDetector',
    'RFEBlock', 'RefineFPN', 'RefineFace', 'ScaleAwareMarginLoss', 'ScalePlan',
    'SelectiveRefineHead', 'StreamingMaxIoUAssigner'
]
