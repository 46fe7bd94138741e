"""Whole detectors, and a wrapper around any."""
from .group_sampling import GroupSampling
from .post_processed_detector import PostProcessedDetector
from .refine_face import RefineFace
from .tiny_faces import TinyFaces

__all__ = ['GroupSampling', 'PostProcessedDetector', 'RefineFace', 'TinyFaces']
