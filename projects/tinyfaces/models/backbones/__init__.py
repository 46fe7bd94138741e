"""Backbones and what their weights need."""
from .mobilenet_v2_weights import convert_file, convert_state_dict

__all__ = ['convert_file', 'convert_state_dict']
