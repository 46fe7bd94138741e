"""The module that takes the place of a missing ``mmcv._ext``."""
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Callable

from .focal_loss import sigmoid_focal_loss_backward, sigmoid_focal_loss_forward
from .nms import nms
from .roi_align import roi_align_backward, roi_align_forward
from .soft_nms import softnms

MODULE = 'mmcv._ext'
REMEDY = (
    'install a build of mmcv that has its compiled ops for this version of '
    'torch. Either take a wheel made for it (mmcv\'s installation page lists '
    'them), or compile one, with a compiler and torch in place: "pip install '
    '--no-build-isolation --no-deps --force-reinstall --no-binary onedl-mmcv '
    'onedl-mmcv"; for the distribution mmcv put mmcv twice in place of '
    'onedl-mmcv, and MMCV_WITH_OPS=1 in front')


class MissingOpError(RuntimeError):
    """An op was called that exists only in compiled form.

    Args:
        name (str): Name of the op in ``mmcv._ext``.
    """

    def __init__(self, name: str) -> None:
        super().__init__(
            f'mmcv\'s op "{name}" needs compiled code, which this mmcv does '
            f'not have, and tinyfaces has no replacement for it. Remedy: '
            f'{REMEDY}.')


class StandIn(ModuleType):
    """Has nms, softnms, sigmoid_focal_loss and roi_align; others complain.

    mmcv asks for about 110 ops by name while it is imported. Each of them is
    therefore there, and raises :class:`MissingOpError` when it is called.
    Private and dunder names are not: the import system, inspection and
    pickling ask for them and must learn the truth.
    """
    nms = staticmethod(nms)
    softnms = staticmethod(softnms)
    sigmoid_focal_loss_forward = staticmethod(sigmoid_focal_loss_forward)
    sigmoid_focal_loss_backward = staticmethod(sigmoid_focal_loss_backward)
    roi_align_forward = staticmethod(roi_align_forward)
    roi_align_backward = staticmethod(roi_align_backward)

    def __init__(self) -> None:
        super().__init__(MODULE, 'Stand-in of tinyfaces for compiled ops.')
        # No loader: mmcv.utils.ext_loader.check_ops_exist() then says that
        # there are no compiled ops, which is so.
        self.__spec__ = ModuleSpec(MODULE, None, origin='tinyfaces.ops')
        self.__package__ = 'mmcv'

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith('_'):
            raise AttributeError(f'{MODULE} (stand-in of tinyfaces) has no '
                                 f'attribute "{name}"')

        def missing(*args: Any, **kwargs: Any) -> None:
            raise MissingOpError(name)

        missing.__name__ = missing.__qualname__ = name
        return missing

    @staticmethod
    def get_compiler_version() -> str:
        """What environment reports print instead of a compiler."""
        return 'none (tinyfaces.ops stands in for the compiled ops)'

    @staticmethod
    def get_compiling_cuda_version() -> str:
        """What environment reports print instead of a CUDA version."""
        return 'none (tinyfaces.ops stands in for the compiled ops)'
