"""Losses."""
from .iou_least_square_loss import IoULeastSquareLoss
from .scale_aware_margin_loss import ScaleAwareMarginLoss, box_sizes

__all__ = ['IoULeastSquareLoss', 'ScaleAwareMarginLoss', 'box_sizes']
