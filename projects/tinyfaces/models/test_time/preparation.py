"""Changes to a network that only make its predictions faster."""
import copy
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain

import torch
from mmcv.cnn.utils import fuse_conv_bn
from mmengine.logging import print_log
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def fold_batch_norms(module: nn.Module) -> None:
    """Put batch normalisations into the convolutions before them, in place.

    By mmcv's ``fuse_conv_bn``, which goes by the order in which the parts of
    a network were registered: in the networks of MMDetection that is the
    order in which they work. Checkpoints of the network do not fit it
    afterwards.

    Args:
        module: A network in eval mode.

    Raises:
        ValueError: A convolution with a batch normalisation has a weight that
            another convolution has, too: it cannot have two values.
    """
    users = Counter(
        id(child.weight) for parent in module.modules()
        for child in parent.children() if isinstance(child, nn.Conv2d))
    if any(users[id(conv.weight)] > 1 for conv in _normalised_convs(module)):
        raise ValueError(
            f'fuse_conv_bn: {type(module).__name__} has convolutions that '
            'share a weight and not their batch normalisation; leave '
            'fuse_conv_bn out of what its test prepares')
    before = _count_batch_norms(module)
    fuse_conv_bn(module)
    left = _count_batch_norms(module)
    print_log(
        f'{before - left} of {before} batch normalisations of '
        f'{type(module).__name__} are now part of their convolutions',
        logger='current')


def _normalised_convs(module: nn.Module) -> Iterator[nn.Conv2d]:
    """The convolutions that mmcv puts a batch normalisation into."""
    for parent in module.modules():
        conv = None
        for child in parent.children():
            if isinstance(child, nn.Conv2d):
                conv = child
            elif isinstance(child, _BatchNorm) and conv is not None:
                yield conv
                conv = None


def _count_batch_norms(module: nn.Module) -> int:
    """How many batch normalisations a network has."""
    return sum(isinstance(part, _BatchNorm) for part in module.modules())


def to_channels_last(module: nn.Module) -> None:
    """Store 4-d weights channels last, in place; so will be the maps.

    See :class:`~tinyfaces.engine.ChannelsLastHook`, which does the same
    before a training.
    """
    module.to(memory_format=torch.channels_last)


PREPARATIONS = {
    'fuse_conv_bn': fold_batch_norms,
    'channels_last': to_channels_last,
}


def check_preparations(names: Sequence[str]) -> tuple[str, ...]:
    """The names of preparations, if there are such.

    Args:
        names: Of :data:`PREPARATIONS`.

    Raises:
        ValueError: There is no such preparation, or it is a bare string.
    """
    if isinstance(names, str) or set(names) - set(PREPARATIONS):
        raise ValueError(f'prepare is {names!r}; give a list of any of '
                         f'{list(PREPARATIONS)}')
    return tuple(names)


def prepare_for_test(module: nn.Module, names: Sequence[str]) -> None:
    """Make a network faster, in place, with equal predictions up to rounding.

    Args:
        module: A network in eval mode, with the weights it is tested with.
        names: Of :data:`PREPARATIONS`, in the order in which they are done.

    Raises:
        ValueError: It cannot be done to this network.
    """
    # Or weights made in inference mode could not be changed outside it.
    with torch.inference_mode(False), torch.no_grad():
        for name in names:
            PREPARATIONS[name](module)


class PreparedCopy:
    """A faster copy of a network, made anew when the weights have changed.

    The network itself keeps its parameters: checkpoints fit it, optimizers
    and averages of weights (``EMAHook``) find what they know. The copy is no
    submodule of what has this object as an attribute.

    Args:
        names: Of :data:`PREPARATIONS`; with none, the network is not copied.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._copy = None
        self._state = None

    def forget(self) -> None:
        """Make a new copy the next time, also of weights that look the same.

        Those that are changed through ``.data`` do.
        """
        self._copy = self._state = None

    def of(self, module: nn.Module) -> nn.Module:
        """The copy; while it is trained, the network itself.

        Args:
            module: The same network each time.

        Raises:
            ValueError: Something cannot be prepared in this network.
        """
        if module.training or not self.names:
            return module
        state = _state_of(module)
        if state != self._state:
            self.forget()  # Before there are two.
            # Or weights made in inference mode could not be used outside it.
            with torch.inference_mode(False), torch.no_grad():
                made = copy.deepcopy(module)
            prepare_for_test(made, self.names)
            self._copy, self._state = made.requires_grad_(False), state
        return self._copy


def _state_of(module: nn.Module) -> list[tuple]:
    """Something that differs when weights are changed, replaced or moved."""
    return [(id(each), each.data_ptr(), each.device, each.dtype,
             None if each.is_inference() else each._version)
            for each in chain(module.parameters(), module.buffers())]
