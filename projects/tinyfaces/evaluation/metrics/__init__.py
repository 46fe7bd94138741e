"""Evaluation protocols as mmengine metrics."""
from .wider_face_metric import WiderFaceMetric

__all__ = ['WiderFaceMetric']
