"""Losses."""
from .scale_aware_margin_loss import ScaleAwareMarginLoss, box_sizes

__all__ = ['ScaleAwareMarginLoss', 'box_sizes']
