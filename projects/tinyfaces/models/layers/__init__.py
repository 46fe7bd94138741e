"""Building blocks of necks and heads."""
from .receptive_field import ReceptiveField, receptive_fields
from .rfe_block import RFEBlock

__all__ = ['RFEBlock', 'ReceptiveField', 'receptive_fields']
