"""Running statistics of batch norms that differ between processes."""
from collections.abc import Iterable

import torch
from mmengine.dist import all_reduce, broadcast, get_world_size
from mmengine.model import BaseAveragedModel, is_model_wrapper
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase


def average_norm_statistics(
    model: nn.Module, averaged: Iterable[BaseAveragedModel] = ()) -> None:
    """Give all processes the mean of their running statistics.

    Batch norm that is trained keeps the statistics of the pictures that its
    process has seen. A checkpoint has those of the first process alone, so a
    validation would be of other models than the one that is saved, and a run
    that is resumed would go on with others than it had. Training does not
    use them, and gives the same weights in either case.

    Every process has to call it. Norms in evaluation mode have equal
    statistics and are left out. Once it has been called, and until the model
    is trained on, it changes nothing.

    Args:
        model: The model, in its mode of training.
        averaged: Moving averages of the same model, whose statistics are
            those of the model, or averages of their own if they have
            ``update_buffers``.
    """
    if get_world_size() == 1:
        return
    _average(_statistics(model))
    model = model.module if is_model_wrapper(model) else model
    for one in averaged:
        if one.update_buffers:
            _average(_statistics(one.module))
            continue
        # As after each of its own updates.
        for name, buffer in _statistics(model).items():
            one.module.get_buffer(name).copy_(buffer)


def _statistics(model: nn.Module) -> dict[str, Tensor]:
    """Statistics of norms that are trained, by their names."""
    return {
        f'{prefix}.{name}'.lstrip('.'): buffer
        for prefix, module in model.named_modules()
        if isinstance(module, _NormBase) and module.training
        for name, buffer in module.named_buffers(recurse=False)
        if name in ('running_mean', 'running_var')
    }


def _average(statistics: dict[str, Tensor]) -> None:
    """Put the mean over all processes into each of them."""
    if not statistics:
        return
    buffers = list(statistics.values())
    flat = torch.cat([buffer.flatten().float() for buffer in buffers])
    # The mean of equal numbers would be another one in the last digit, if
    # there are 3, 5, 6 or 7 of them.
    highest = torch.stack([flat, -flat])
    all_reduce(highest, 'max')
    equal = highest[0] == -highest[1]
    mean = flat.clone()
    all_reduce(mean, 'mean')
    flat = torch.where(equal, flat, mean)
    broadcast(flat)  # however the sums were taken
    parts = flat.split([buffer.numel() for buffer in buffers])
    for buffer, part in zip(buffers, parts):
        buffer.copy_(part.view_as(buffer))
