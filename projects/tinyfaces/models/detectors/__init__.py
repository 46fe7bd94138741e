"""Whole detectors, and a wrapper around any."""
from .post_processed_detector import PostProcessedDetector
from .refine_face import RefineFace

__all__ = ['PostProcessedDetector', 'RefineFace']
