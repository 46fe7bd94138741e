"""Training transforms that MMDetection lacks."""
from .ignore_small_faces import IgnoreSmallFaces
from .load_hard_negatives import LoadHardNegatives
from .pack_hard_negative_inputs import PackHardNegativeInputs
from .pca_color_offset import PCAColorOffset
from .random_canvas_crop import RandomCanvasCrop
from .random_square_crop import RandomSquareCrop

__all__ = [
    'IgnoreSmallFaces', 'LoadHardNegatives', 'PackHardNegativeInputs',
    'PCAColorOffset', 'RandomCanvasCrop', 'RandomSquareCrop'
]
