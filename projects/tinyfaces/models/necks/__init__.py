"""Feature pyramids."""
from .refine_fpn import RefineFPN

__all__ = ['RefineFPN']
