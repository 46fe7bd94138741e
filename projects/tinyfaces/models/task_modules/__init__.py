"""Matching of anchors and faces."""
from .streaming_max_iou_assigner import StreamingMaxIoUAssigner

__all__ = ['StreamingMaxIoUAssigner']
