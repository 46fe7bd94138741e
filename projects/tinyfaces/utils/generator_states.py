"""Generators of random numbers, and going back to where they were."""
import random

import numpy as np
import torch
from torch import nn


def own_generators(model: nn.Module) -> list[random.Random]:
    """Generators that parts of a model have for themselves.

    Args:
        model: The model.

    Returns:
        list[random.Random]: Those of samplers and assigners, which are
        attributes of its modules.
    """
    parts = [part for m in model.modules() for part in vars(m).values()]
    return [
        value for part in parts
        for value in getattr(part, '__dict__', {}).values()
        if isinstance(value, random.Random)
    ]


class GeneratorStates:
    """Where generators are at this moment.

    The global ones of Python, NumPy, PyTorch and the current GPU, and others.

    Args:
        others: Generators beside the global ones.
    """

    def __init__(self, others: list[random.Random]) -> None:
        self._python = random.getstate()
        self._numpy = np.random.get_state()
        self._torch = torch.get_rng_state()
        self._gpu = None
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            self._gpu = torch.cuda.get_rng_state()
        self._others = [(each, each.getstate()) for each in others]

    def restore(self) -> None:
        """Go back there."""
        random.setstate(self._python)
        np.random.set_state(self._numpy)
        torch.set_rng_state(self._torch)
        if self._gpu is not None:
            torch.cuda.set_rng_state(self._gpu)
        for each, state in self._others:
            each.setstate(state)
