"""Detectors for use from Python and from the command line."""
from .detect_files import (DetectionJob, InputNotFoundError, Picture,
                           find_pictures)
from .detections import Detections
from .face_detector import FaceDetector, default_model
from .image_io import UnreadableImageError, load_image

__all__ = [
    'DetectionJob', 'Detections', 'FaceDetector', 'InputNotFoundError',
    'Picture', 'UnreadableImageError', 'default_model', 'find_pictures',
    'load_image'
]
