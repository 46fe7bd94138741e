"""Stands in for mmcv's compiled ops where they are missing.

``mmdet.models`` does not import without ``mmcv._ext``, the compiled part of
mmcv, and most pairs of Python and torch have no build of it.
:func:`install`, which ``import tinyfaces`` calls, puts a module in its place
when, and only when, it cannot be imported. That module has the ops that this
project needs, with mmcv's semantics, on every device: ``nms``, ``softnms``,
``sigmoid_focal_loss`` and ``roi_align``, forward and backward. All others
raise an error that names the op and the remedy when they are called.

It must happen before anything imports ``mmdet.models`` or ``mmcv.ops``.
"""
import importlib
import logging
import sys

from .focal_loss import sigmoid_focal_loss_backward, sigmoid_focal_loss_forward
from .nms import nms, torchvision_nms
from .roi_align import roi_align_backward, roi_align_forward
from .soft_nms import softnms
from .stand_in import MODULE, MissingOpError, StandIn

__all__ = [
    'MissingOpError', 'StandIn', 'backend', 'install', 'nms',
    'roi_align_backward', 'roi_align_forward', 'sigmoid_focal_loss_backward',
    'sigmoid_focal_loss_forward', 'softnms', 'torchvision_nms'
]

logger = logging.getLogger(__name__)


def install() -> bool:
    """Makes ``mmcv._ext`` importable, by a stand-in if need be.

    Compiled ops are always preferred. Calling it again changes nothing. An
    earlier import of ``mmcv.ops`` that failed does no harm: Python forgets
    failed imports, so that the next one finds the stand-in.

    Returns:
        bool: Whether the stand-in is in use.

    Raises:
        ImportError: mmcv itself cannot be imported.
    """
    mmcv = importlib.import_module('mmcv')
    try:
        module = importlib.import_module(MODULE)
    except ModuleNotFoundError as error:
        if error.name != MODULE:
            raise
        logger.info('mmcv has no compiled ops; tinyfaces.ops stands in for '
                    'those that it needs')
    except ImportError as error:
        logger.warning(
            'The compiled ops of mmcv do not load (%s): they were most '
            'likely made for another version of torch. tinyfaces.ops stands '
            'in for those that it needs', error)
    else:
        return isinstance(module, StandIn)
    # As the import system does it: an entry, and an attribute of the parent.
    mmcv._ext = sys.modules[MODULE] = StandIn()
    return True


def backend(device: str = 'cpu') -> str:
    """Which code does non-maximum suppression: it differs most in speed.

    Args:
        device (str): Kind of device, for instance ``'cuda'``.

    Returns:
        str: ``'compiled'`` (mmcv's own ops, for every op), ``'torchvision'``
        (its kernel for ``nms``, plain PyTorch for the other ops) or
        ``'torch'``.
    """
    if not install():
        return 'compiled'
    return 'torch' if torchvision_nms(device) is None else 'torchvision'
