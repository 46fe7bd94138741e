"""Feature pyramids."""
from .refine_fpn import RefineFPN
from .top_down_neck import TopDownNeck

__all__ = ['RefineFPN', 'TopDownNeck']
