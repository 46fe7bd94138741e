"""Backbones and what their weights need."""
from .mobilenet_v2_weights import convert_file, convert_state_dict
from .truncated_mobilenet_v2 import TruncatedMobileNetV2
from .vgg16 import VGG16

__all__ = [
    'TruncatedMobileNetV2', 'VGG16', 'convert_file', 'convert_state_dict'
]
