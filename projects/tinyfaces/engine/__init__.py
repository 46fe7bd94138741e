"""Hooks, loops and harvests for mmengine's runner."""
from .harvest import with_hard_negatives
from .hooks import ChannelsLastHook
from .loops import BootstrapTrainLoop

__all__ = ['BootstrapTrainLoop', 'ChannelsLastHook', 'with_hard_negatives']
