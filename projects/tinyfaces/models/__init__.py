"""Components of the detectors."""
from .backbones import VGG16, TruncatedMobileNetV2
from .dense_heads import (ScaleGroupHead, SelectiveRefineHead,
                          SyncedRetinaHead, SyncedRPNHead, TemplateHead)
from .detectors import (GroupSampling, PostProcessedDetector, RefineFace,
                        TinyFaces)
from .layers import RFEBlock, VGG16Classifier
from .losses import IoULeastSquareLoss, ScaleAwareMarginLoss
from .necks import RefineFPN, TopDownNeck
from .roi_heads import (FeatureSupervisionHead, PairMeanBBoxHead,
                        SyncedBBoxHead, SyncedShared2FCBBoxHead)
from .task_modules import (BalancedHardSampler, EllipseRegressor,
                           FeatureSampler, HardNegativeSampler,
                           HardNegativeScaleGroupSampler, ScaleGroupSampler,
                           SeededRandomSampler, StreamingMaxIoUAssigner,
                           TemplateAssigner, TemplatePriorGenerator,
                           TwoPassAssigner)
from .test_time import (BudgetScalePlan, DemoScalePlan, MultiScaleTestModel,
                        ScalePlan)

__all__ = [
    'BalancedHardSampler', 'BudgetScalePlan', 'DemoScalePlan',
    'EllipseRegressor', 'FeatureSampler', 'FeatureSupervisionHead',
    'GroupSampling', 'HardNegativeSampler', 'HardNegativeScaleGroupSampler',
    'IoULeastSquareLoss', 'MultiScaleTestModel', 'PairMeanBBoxHead',
    'PostProcessedDetector', 'RFEBlock', 'RefineFPN', 'RefineFace',
    'ScaleAwareMarginLoss', 'ScaleGroupHead', 'ScaleGroupSampler', 'ScalePlan',
    'SeededRandomSampler', 'SelectiveRefineHead', 'StreamingMaxIoUAssigner',
    'SyncedBBoxHead', 'SyncedRPNHead', 'SyncedRetinaHead',
    'SyncedShared2FCBBoxHead', 'TemplateAssigner', 'TemplateHead',
    'TemplatePriorGenerator', 'TinyFaces', 'TopDownNeck',
    'TruncatedMobileNetV2', 'TwoPassAssigner', 'VGG16', 'VGG16Classifier'
]
