"""Evaluation: ``functional`` (NumPy, SciPy) and ``metrics`` (mmengine).

The metrics are imported, and so registered, under the same conditions as the
rest of the package; ``functional`` alone starts without torch.
"""
import os
from importlib.util import find_spec

from . import functional

__all__ = ['functional']

if os.environ.get('TINYFACES_REGISTER') != '0' and find_spec('mmdet'):
    from . import metrics  # noqa: F401
    __all__ += ['metrics']
