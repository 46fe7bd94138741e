"""Face detection at every scale, as an MMDetection 3.x plug-in.

``import tinyfaces`` fills in for missing compiled mmcv ops and registers
every component with MMDetection, in that order: ``mmdet.models`` reads the
ops while it is imported.

Two cases register nothing: MMDetection is not installed, or the environment
variable ``TINYFACES_REGISTER`` is ``0``. ``tinyfaces.evaluation.functional``
(NumPy and SciPy only) works in both, and starts without loading torch.
"""
import os
from importlib.util import find_spec

__version__ = '0.1.0'
__all__ = ['__version__']

if os.environ.get('TINYFACES_REGISTER') != '0' and find_spec('mmdet'):
    from . import ops
    ops.install()
    from . import datasets, engine, evaluation, models  # noqa: F401
    __all__ += ['datasets', 'engine', 'evaluation', 'models', 'ops']
