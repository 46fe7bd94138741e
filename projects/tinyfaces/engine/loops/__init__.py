"""Loops for mmengine's runner."""
from .bootstrap_train_loop import BootstrapTrainLoop

__all__ = ['BootstrapTrainLoop']
