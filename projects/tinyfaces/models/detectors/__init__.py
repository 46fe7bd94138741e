"""Detectors."""
from .post_processed_detector import PostProcessedDetector

__all__ = ['PostProcessedDetector']
