"""Components of the detectors."""
from .dense_heads import ScaleGroupHead, SelectiveRefineHead
from .detectors import GroupSampling, PostProcessedDetector, RefineFace
from .layers import RFEBlock
from .losses import IoULeastSquareLoss, ScaleAwareMarginLoss
from .necks import RefineFPN, TopDownNeck
from .roi_heads import FeatureSupervisionHead, PairMeanBBoxHead
from .task_modules import (EllipseRegressor, FeatureSampler, ScaleGroupSampler,
                           StreamingMaxIoUAssigner, TwoPassAssigner)
from .test_time import BudgetScalePlan, MultiScaleTestModel, ScalePlan

__all__ = [
    'BudgetScalePlan', 'EllipseRegressor', 'FeatureSampler',
    'FeatureSupervisionHead', 'GroupSampling', 'IoULeastSquareLoss',
    'MultiScaleTestModel', 'PairMeanBBoxHead', 'PostProcessedDetector',
    'RFEBlock', 'RefineFPN', 'RefineFace', 'ScaleAwareMarginLoss',
    'ScaleGroupHead', 'ScaleGroupSampler', 'ScalePlan', 'SelectiveRefineHead',
    'StreamingMaxIoUAssigner', 'TopDownNeck', 'TwoPassAssigner'
]
