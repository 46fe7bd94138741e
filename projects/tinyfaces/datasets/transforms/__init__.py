"""Training transforms that MMDetection lacks."""
from .ignore_small_faces import IgnoreSmallFaces
from .random_square_crop import RandomSquareCrop

__all__ = ['IgnoreSmallFaces', 'RandomSquareCrop']
