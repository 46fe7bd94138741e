"""How far in the input a cell of a feature map looks."""
import copy
from collections.abc import Callable, Sequence
from functools import reduce
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

# They work on each cell alone.
CELLWISE = frozenset({
    '_native_batch_norm_legit_no_training', '_to_copy', 'add', 'add_', 'alias',
    'cat', 'clamp', 'clamp_', 'clamp_max', 'clamp_min', 'clone',
    'cudnn_batch_norm', 'detach', 'div', 'elu', 'gelu', 'hardsigmoid',
    'hardswish', 'hardswish_', 'hardtanh', 'hardtanh_', 'leaky_relu',
    'leaky_relu_', 'miopen_batch_norm', 'mish', 'mul', 'mul_',
    'native_batch_norm', 'relu', 'relu_', 'sigmoid', 'silu', 'silu_', 'sub',
    'tanh'
})
POOLS = ('avg_pool2d', 'max_pool2d_with_indices')
# By the number of input cells that an output cell looks at.
UPSAMPLERS = dict(upsample_nearest2d=1, upsample_bilinear2d=2)


class ReceptiveField(NamedTuple):
    """What a cell of a map looks at, the same for all cells and both axes.

    Attributes:
        stride: Input pixels from one cell to the next.
        before: Cell k looks at the pixels from ``stride * k - before`` ...
        after: ... to ``stride * k + after``, both included; those outside of
            the picture are padding. If cells differ, as after upsampling,
            both are the largest.
        coarsest: Largest stride of all maps on the way.
    """

    stride: int
    before: int
    after: int
    coarsest: int

    @property
    def size(self) -> int:
        """Side in pixels."""
        return self.before + self.after + 1

    @property
    def reach(self) -> int:
        """Pixels to the farther end."""
        return max(self.before, self.after)

    def window(self, kernel: int, stride: int, padding: int,
               dilation: int) -> 'ReceptiveField':
        """Behind a convolution or a pooling."""
        return ReceptiveField(
            self.stride * stride, self.before + self.stride * padding,
            self.after + self.stride * (dilation * (kernel - 1) - padding),
            max(self.coarsest, self.stride * stride))

    def upsampled(self, factor: int, taps: int) -> 'ReceptiveField':
        """Behind an interpolation between 1 or 2 cells on each axis."""
        fine, rest = divmod(self.stride, factor)
        if rest:
            raise ValueError(f'a map of stride {self.stride} is enlarged '
                             f'{factor} times: cells would be no whole pixels '
                             'apart')
        before, after = [], []
        for cell in range(factor):
            # The cell as a place among those of this map, as of
            # align_corners=False; in halves of a fine cell.
            place = 2 * cell + 1 - (taps - 1) * factor
            first = place // (2 * factor) * self.stride - cell * fine
            before.append(self.before - first)
            after.append(self.after + first + (taps - 1) * self.stride)
        return ReceptiveField(fine, max(before), max(after), self.coarsest)

    def joined(self, other: 'ReceptiveField') -> 'ReceptiveField':
        """Of a map that is made of two."""
        if self.stride != other.stride:
            raise ValueError(f'maps of strides {self.stride} and '
                             f'{other.stride} are joined cell by cell')
        return ReceptiveField(*map(max, self, other))


def receptive_fields(module: nn.Module,
                     maps: Callable[[nn.Module, Tensor], Sequence[Tensor]]
                     | None = None,
                     side: int = 512) -> list[ReceptiveField]:
    """Theoretical receptive field of each map that a network gives.

    The network runs once without computing anything, on the meta device and
    in evaluation mode; what is traced are the strides, kernels and paddings
    of the convolutions, poolings and interpolations that it calls.

    Args:
        module: For instance a backbone. It is left as it is.
        maps: How to get the maps from a copy of ``module`` and a batch of
            pictures, shape (1, 3, side, side). By default the copy is called.
        side: Of that picture, in pixels.

    Returns:
        list[ReceptiveField]: One for each map.

    Raises:
        ValueError: An operation may look at cells anywhere on the map, or is
            not known.
    """
    # In inference mode a tracer sees operations that are made of others.
    with torch.inference_mode(False), torch.no_grad():
        twin = _on_meta(module)
        twin.eval()  # which MMDetection's backbones do not return
        picture = torch.zeros(1, 3, side, side, device='meta')
        with _Tracer(picture) as tracer:
            found = twin(picture) if maps is None else maps(twin, picture)
    return [tracer.field_of(each) for each in found]


def _on_meta(module: nn.Module) -> nn.Module:
    """A copy with the shapes of all weights, without their memory or hooks."""
    memo = {}
    for each in (*module.parameters(), *module.buffers()):
        kind = torch.float32 if each.is_floating_point() else each.dtype
        twin = torch.empty_like(each, dtype=kind, device='meta')
        if isinstance(each, nn.Parameter):
            twin = nn.Parameter(twin, requires_grad=False)
        memo[id(each)] = twin
    copied = copy.deepcopy(module, memo)
    for each in copied.modules():
        # They wait for what the network itself computes.
        each._forward_pre_hooks.clear()
        each._forward_hooks.clear()
    return copied


class _Tracer(TorchDispatchMode):
    """Knows the receptive field of every tensor made of a picture.

    Args:
        picture: Shape (N, 3, H, W).
    """

    def __init__(self, picture: Tensor) -> None:
        super().__init__()
        # The tensors too, so that no other one gets the identity of one.
        self._fields = {id(picture): (picture, ReceptiveField(1, 0, 0, 1))}

    def field_of(self, each: Tensor) -> ReceptiveField:
        """Of a tensor made of the picture."""
        return self._fields[id(each)][1]

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Call an operation and note the field of what it gives."""
        given = {
            each.name: each.default_value
            for each in func._schema.arguments
        }
        given.update(zip(given, args), **(kwargs or {}))
        result = func(*args, **(kwargs or {}))
        seen = [
            self.field_of(each) for each in _tensors(list(given.values()))
            if id(each) in self._fields
        ]
        if seen:
            name = func.overloadpacket.__name__
            for each in _tensors([result]):
                self._fields[id(each)] = each, _after(name, given, seen, each)
        return result


def _after(name: str, given: dict, seen: list[ReceptiveField],
           result: Tensor) -> ReceptiveField:
    """The field behind an operation.

    Args:
        name: Of the operation.
        given: Its arguments by name.
        seen: Fields of the maps among them.
        result: What it gives.
    """
    if name in CELLWISE or _keeps_places(name, given):
        return reduce(ReceptiveField.joined, seen)
    field = seen[0]
    if name in UPSAMPLERS and not given.get('align_corners'):
        source = next(iter(given.values()))
        factors = {
            fine / coarse
            for fine, coarse in zip(result.shape[2:], source.shape[2:])
        }
        factor = factors.pop()
        if factors or factor != int(factor):
            raise ValueError(f'the receptive field behind {name} by '
                             f'{factor:g} differs from cell to cell')
        return field.upsampled(int(factor), UPSAMPLERS[name])
    if name == 'convolution' and not given['transposed']:
        kernel = given['weight'].shape[2:]
    elif name in POOLS:
        kernel = given['kernel_size']
    else:
        raise ValueError(f'the receptive field behind {name} is not known: it '
                         'may be the whole picture')
    axes = zip(*(_both(each)
                 for each in (kernel, given['stride'] or kernel,
                              given['padding'], given.get('dilation', [1]))))
    return reduce(ReceptiveField.joined,
                  [field.window(*axis) for axis in axes])


def _keeps_places(name: str, given: dict) -> bool:
    """Whether it takes some channels, or the first cells."""
    if name in ('split', 'split_with_sizes'):
        return given['dim'] == 1
    return name == 'slice' and given['step'] == 1 and (given['dim'] == 1
                                                       or not given['start'])


def _tensors(values: Sequence) -> list[Tensor]:
    """Those among the values and in the lists among them."""
    found = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, (list, tuple)):
            found += _tensors(value)
    return found


def _both(values: Sequence[int] | int) -> list[int]:
    """Of both axes, where one number may stand for both."""
    values = [values] if isinstance(values, int) else list(values)
    return values * (2 // len(values))
