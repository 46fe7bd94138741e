"""Evaluation protocols as mmengine metrics."""
from .dump_face_results import DumpFaceResults
from .fddb_metric import FDDBMetric
from .mafa_metric import MAFAMetric
from .voc_face_metric import VOCFaceMetric
from .wider_face_metric import WiderFaceMetric

__all__ = [
    'DumpFaceResults', 'FDDBMetric', 'MAFAMetric', 'VOCFaceMetric',
    'WiderFaceMetric'
]
