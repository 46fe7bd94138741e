"""Building blocks of necks and heads."""
from .receptive_field import ReceptiveField, receptive_fields
from .rfe_block import RFEBlock
from .vgg16_classifier import VGG16Classifier

__all__ = ['RFEBlock', 'ReceptiveField', 'VGG16Classifier', 'receptive_fields']
