"""Numbers that half precision is too coarse for."""
import torch
from torch import Tensor


def at_least_float(x: Tensor) -> Tensor:
    """Half precision as float32, and all else as it is.

    bfloat16 rounds a coordinate of 1,000 to 4 pixels and float16 to a half,
    and a rounded score may lie on the other side of a threshold.
    """
    return x.to(torch.promote_types(x.dtype, torch.float32))
