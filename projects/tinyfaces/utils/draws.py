"""Random numbers that depend on what they are drawn for alone.

A picture's augmentation and its samples of boxes are drawn with a seed made
of the training's seed, the epoch and the picture. So they are the same for
any number of processes and workers, and after a training is resumed, where
the state of a global generator is lost.
"""
import hashlib
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from operator import index

import numpy as np
import torch


def draw_seed(*key: int | str) -> int:
    """A seed for what a key names.

    Args:
        *key: Such as the training's seed, the epoch and the picture. Numbers
            and their texts are different keys.

    Returns:
        int: From 0 to 2**63 - 1; the same on every machine and in every
        process. Those of different keys have nothing to do with each other.

    Raises:
        TypeError: A part of the key is neither a whole number nor a text.
    """
    parts = [part if isinstance(part, str) else index(part) for part in key]
    digest = hashlib.blake2b(json.dumps(parts).encode(), digest_size=8)
    return int.from_bytes(digest.digest(), 'big') >> 1


def seed_generators(seed: int) -> None:
    """Seed the global generators of Python, NumPy and PyTorch.

    Args:
        seed: At least 0. Devices get it too.
    """
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


@contextmanager
def seeded_draws(seed: int) -> Iterator[None]:
    """Seed the global generators of the CPU for a while.

    Those of Python, NumPy and PyTorch; after it they are as they were before
    it. Generators of other devices are left alone.

    Args:
        seed: At least 0.
    """
    # Not torch.manual_seed, which seeds all devices.
    torchs = torch.default_generator
    states = random.getstate(), np.random.get_state(), torchs.get_state()
    try:
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torchs.manual_seed(seed)
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torchs.set_state(states[2])


class Draw(int):
    """An index into a data set that knows what it was drawn for.

    ``%`` and ``-`` by an int, with which ``RepeatDataset`` and
    ``ConcatDataset`` find the index in the data set inside of them, give a
    ``Draw`` of the same seed, epoch and key. Anything else gives an int.

    Args:
        value: The index.
        seed: Of the training.
        epoch: Of the training, or the number of the pass over the data set;
            from 0.
        key: The index as the sampler drew it; ``value`` by default.
    """

    seed: int
    epoch: int
    key: int

    def __new__(cls,
                value: int,
                seed: int,
                epoch: int,
                key: int | None = None) -> 'Draw':
        self = super().__new__(cls, value)
        self.seed = seed
        self.epoch = epoch
        self.key = int(value) if key is None else key
        return self

    def draw_seed(self) -> int:
        """The seed of all that is drawn for this picture in this epoch."""
        return draw_seed(self.seed, self.epoch, self.key)

    def __mod__(self, other: int) -> 'Draw':
        return self._moved(super().__mod__(other))

    def __sub__(self, other: int) -> 'Draw':
        return self._moved(super().__sub__(other))

    def _moved(self, value: int) -> 'Draw':
        if value is NotImplemented:
            return value
        return Draw(value, self.seed, self.epoch, self.key)

    def __reduce__(self) -> tuple:
        return Draw, (int(self), self.seed, self.epoch, self.key)
