"""From the maps of a head to one row for each anchor."""
from collections.abc import Sequence

import torch
from torch import Tensor


def anchor_rows(maps: Sequence[Tensor], channels: int) -> Tensor:
    """What the maps of all levels say of each anchor.

    Args:
        maps: Of each level, shape (N, a * channels, H, W); a anchors per
            cell, which may differ by level.
        channels: Of an anchor.

    Returns:
        Tensor: Shape (N, A, channels), level by level in the order of
        MMDetection's anchors: row by row, cell by cell, anchor by anchor.
    """
    rows = [m.permute(0, 2, 3, 1).reshape(len(m), -1, channels) for m in maps]
    return torch.cat(rows, dim=1)
