"""Face detection datasets, in the layout of their official downloads.

``wider_annotations`` needs NumPy only; the rest is imported, and with it
registered, where MMDetection is installed (see the package itself).
"""
import os
from importlib.util import find_spec

from .wider_annotations import WiderEntry, parse_wider_annotations

__all__ = ['WiderEntry', 'parse_wider_annotations']

if os.environ.get('TINYFACES_REGISTER') != '0' and find_spec('mmdet'):
    from .transforms import IgnoreSmallFaces, RandomSquareCrop
    from .wider_face import WiderFaceDataset
    __all__ += ['IgnoreSmallFaces', 'RandomSquareCrop', 'WiderFaceDataset']
