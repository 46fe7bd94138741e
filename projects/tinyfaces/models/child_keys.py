"""Checkpoints of a wrapped model that fit the model without its wrapper."""
from functools import partial

from torch import nn


def use_child_keys(wrapper: nn.Module, child: str) -> None:
    """Leave the name of the wrapped model out of a wrapper's state dict.

    ``wrapper.state_dict()`` then has the keys of the wrapped model's own,
    and ``wrapper.load_state_dict`` takes them, so that a checkpoint of one
    fits the other. The wrapper must have no parameters beside that child's.

    Args:
        wrapper: Gets the two hooks.
        child: Name of the attribute of ``wrapper`` that is wrapped.
    """
    wrapper._register_state_dict_hook(partial(_remove_name, child))
    wrapper._register_load_state_dict_pre_hook(partial(_add_name, child))


def _remove_name(child: str, module: nn.Module, state_dict: dict, prefix: str,
                 _) -> None:
    """Drop the child's name, after a state dict was made."""
    long = f'{prefix}{child}.'
    for key in [key for key in state_dict if key.startswith(long)]:
        state_dict[prefix + key[len(long):]] = state_dict.pop(key)
    # Versions of modules, by the name of the module without a last dot.
    versions = getattr(state_dict, '_metadata', {})
    if long[:-1] in versions:
        versions[prefix[:-1]] = versions.pop(long[:-1])
    for key in [key for key in versions if key.startswith(long)]:
        versions[prefix + key[len(long):]] = versions.pop(key)


def _add_name(child: str, state_dict: dict, prefix: str, *_) -> None:
    """Put the child's name in, before a state dict is loaded."""
    long = f'{prefix}{child}.'
    for key in [key for key in state_dict if key.startswith(prefix)]:
        state_dict[long + key[len(prefix):]] = state_dict.pop(key)
    # Added, not renamed: the caller's own state dict shares this table.
    versions = getattr(state_dict, '_metadata', {})
    for key, version in list(versions.items()):
        if f'{key}.'.startswith(prefix):
            name = long + key[len(prefix):]
            versions.setdefault(name.rstrip('.'), version)
