"""Instances of data samples as rows of NumPy arrays."""
from collections.abc import Mapping

import numpy as np
import torch


def to_rows(tensor: torch.Tensor, columns: int) -> np.ndarray:
    """Copy a tensor, of whatever shape and device.

    Args:
        tensor: Its elements are those of n rows.
        columns: Length of a row.

    Returns:
        np.ndarray: float64 (n, columns), a copy.
    """
    return np.array(tensor.double().cpu().numpy().reshape(-1, columns))


def xywh_rows(instances: Mapping[str, torch.Tensor]) -> np.ndarray:
    """Detections as in the files of WIDER FACE and FDDB.

    Args:
        instances: ``bboxes``, (n, 4) xyxy in pixels, and ``scores``, (n,).

    Returns:
        np.ndarray: float64 (n, 5) x y w h score, boxes rounded to 0.001
        pixels, w = x2 - x1.
    """
    boxes = to_rows(instances['bboxes'], 4)
    boxes[:, 2:] -= boxes[:, :2]
    return np.hstack([boxes.round(3), to_rows(instances['scores'], 1)])
