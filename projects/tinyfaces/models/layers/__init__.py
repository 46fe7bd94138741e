"""Building blocks of necks and heads."""
from .rfe_block import RFEBlock

__all__ = ['RFEBlock']
