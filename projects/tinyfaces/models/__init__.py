"""Components of the detectors."""
from .task_modules import StreamingMaxIoUAssigner

__all__ = ['StreamingMaxIoUAssigner']
