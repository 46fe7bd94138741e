"""Face detection datasets, in the layout of their official downloads.

``wider_annotations`` needs NumPy only; the rest is imported, and with it
registered, where MMDetection is installed (see the package itself).
"""
import os
from importlib.util import find_spec

from .fddb_annotations import (FDDBEntry, ellipses_by_name, ellipses_to_boxes,
                               load_fddb, parse_fddb_annotations)
from .hard_negative_file import (HardNegatives, read_hard_negatives,
                                 write_hard_negatives)
from .mafa_annotations import MAFAEntry, parse_mafa_annotations
from .voc_face_annotations import VOCFaceEntry, parse_voc_face_annotations
from .wider_annotations import WiderEntry, parse_wider_annotations

__all__ = [
    'FDDBEntry', 'MAFAEntry', 'VOCFaceEntry', 'WiderEntry', 'ellipses_by_name',
    'ellipses_to_boxes', 'load_fddb', 'parse_fddb_annotations',
    'parse_wider_annotations', 'parse_mafa_annotations',
    'parse_voc_face_annotations', 'HardNegatives', 'read_hard_negatives',
    'write_hard_negatives'
]

if os.environ.get('TINYFACES_REGISTER') != '0' and find_spec('mmdet'):
    from .afw import AFWDataset
    from .face_dataset import FaceDataset
    from .fddb import FDDBDataset
    from .mafa import MAFADataset
    from .pascal_face import PASCALFaceDataset
    from .samplers import SeededDefaultSampler, SeededInfiniteSampler
    from .transforms import (IgnoreSmallFaces, LoadHardNegatives,
                             PackHardNegativeInputs, PCAColorOffset,
                             RandomCanvasCrop, RandomSquareCrop)
    from .wider_face import WiderFaceDataset
    __all__ += [
        'AFWDataset', 'MAFADataset', 'PASCALFaceDataset', 'FDDBDataset',
        'FaceDataset', 'IgnoreSmallFaces', 'LoadHardNegatives',
        'PackHardNegativeInputs', 'PCAColorOffset', 'RandomCanvasCrop',
        'RandomSquareCrop', 'SeededDefaultSampler', 'SeededInfiniteSampler',
        'WiderFaceDataset'
    ]
