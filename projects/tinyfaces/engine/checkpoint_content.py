"""What a run puts into its checkpoints, and whether it can be read back."""
import io
import os
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

import torch
from mmengine.config import ConfigDict
from torch import Tensor, nn

from ..utils.checkpoint_files import TRUST, CheckpointError, read_checkpoint


def plain_containers(value: Any) -> Any:
    """Dictionaries in the place of configs, at any depth.

    Args:
        value: What is to be saved; stays as it is.

    Returns:
        Any: The same object if there is no ``ConfigDict`` in it.
    """
    if isinstance(value, ConfigDict) or type(value) in (dict, OrderedDict):
        found = {key: plain_containers(one) for key, one in value.items()}
        if isinstance(value, ConfigDict):
            return found
        if all(one is found[key] for key, one in value.items()):
            return value
        return type(value)(found)
    if type(value) in (list, tuple):
        items = [plain_containers(one) for one in value]
        if all(map(lambda a, b: a is b, value, items)):
            return value
        return type(value)(items)
    return value


def check_readable(checkpoint: dict) -> None:
    """Raise for what a checkpoint holds and ``--resume`` would refuse.

    Tensors, which are most of it, always can be read, and are left out.
    Nothing is checked where all files are trusted.

    Args:
        checkpoint: What is to be written.

    Raises:
        CheckpointError: It names the keys that lead to it.
    """
    if os.environ.get(TRUST) == '1':
        return
    content = _without_tensors(checkpoint)
    reason = _refusal(content)
    if reason is None:
        return
    path = 'checkpoint'
    while True:
        for key, value in _items(content):
            found = _refusal(value)
            if found is not None:
                path, content, reason = f'{path}[{key!r}]', value, found
                break
        else:
            break
    kind = type(content)
    raise CheckpointError(
        f'a checkpoint of this run could not be resumed: {path} is a '
        f'{kind.__module__}.{kind.__qualname__}. Let the data set (metainfo), '
        'hook or scheduler that it comes from keep numbers, text, NumPy '
        'arrays or tensors, in lists, tuples and dictionaries. Reading it '
        f'back gives: {reason}')


def _without_tensors(value: Any) -> Any:
    """A copy of the containers, with None for each tensor."""
    if type(value) in (Tensor, nn.Parameter):
        return None
    if type(value) in (dict, OrderedDict):
        return {key: _without_tensors(one) for key, one in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_without_tensors(one) for one in value)
    return value


def _refusal(value: Any) -> str | None:
    """Why something cannot be saved and loaded."""
    buffer = io.BytesIO()
    try:
        torch.save(dict(value=value), buffer)
        read_checkpoint(buffer, 'cpu')
    except MemoryError:
        raise
    except Exception as error:  # of pickle, or of any class in the value
        # The first sentence; others are of checkpoints from elsewhere.
        return f'{type(error).__name__}: {str(error).split(". ")[0]}'
    return None


def _items(value: Any) -> Iterable[tuple[Any, Any]]:
    """What is in a container, by key or position."""
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, (list, tuple)) else ()
