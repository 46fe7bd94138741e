"""Heads that predict on every cell of a feature map."""
from .selective_refine_head import SelectiveRefineHead

__all__ = ['SelectiveRefineHead']
