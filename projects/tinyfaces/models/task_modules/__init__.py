"""Matching of anchors and faces, and steps behind a detector."""
from .balanced_hard_sampler import BalancedHardSampler
from .best_anchor_level import best_anchor_levels
from .ellipse_regressor import EllipseRegressor
from .feature_sampler import (FeaturePyramid, FeatureSampler, Priors,
                              anchor_scale, priors_of)
from .hard_negative_sampler import (HardNegativeSampler,
                                    HardNegativeScaleGroupSampler)
from .image_seeded import (ImageSeeded, SeededRandomSampler, next_generator,
                           picture_seeds)
from .scale_group_sampler import ScaleGroupSampler
from .scale_groups import group_edges, group_indices
from .streaming_max_iou_assigner import StreamingMaxIoUAssigner
from .template_assigner import TemplateAssigner, TemplateTargets
from .template_prior_generator import TemplatePriorGenerator
from .two_pass_assigner import TwoPassAssigner

__all__ = [
    'BalancedHardSampler', 'EllipseRegressor', 'FeaturePyramid',
    'FeatureSampler', 'HardNegativeSampler', 'HardNegativeScaleGroupSampler',
    'ImageSeeded', 'Priors', 'ScaleGroupSampler', 'SeededRandomSampler',
    'StreamingMaxIoUAssigner', 'TemplateAssigner', 'TemplatePriorGenerator',
    'TemplateTargets', 'TwoPassAssigner', 'anchor_scale', 'best_anchor_levels',
    'group_edges', 'group_indices', 'next_generator', 'picture_seeds',
    'priors_of'
]
