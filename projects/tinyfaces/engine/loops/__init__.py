"""Loops for mmengine's runner."""
from .accumulation import (AccumulatingEpochBasedTrainLoop,
                           AccumulatingIterBasedTrainLoop)
from .bootstrap_train_loop import BootstrapTrainLoop
from .resumable_test_loop import ResumableTestLoop

__all__ = [
    'AccumulatingEpochBasedTrainLoop', 'AccumulatingIterBasedTrainLoop',
    'BootstrapTrainLoop', 'ResumableTestLoop'
]
