"""Hooks, loops and harvests for mmengine's runner."""
from . import checkpoint_loading  # noqa: F401
from .harvest import with_hard_negatives
from .hooks import (AtomicCheckpointHook, ChannelsLastHook, DrawSeedHook,
                    FaceVisualizationHook, NonFiniteLossHook,
                    UnreadablePicturesHook)
from .loops import (AccumulatingEpochBasedTrainLoop,
                    AccumulatingIterBasedTrainLoop, BootstrapTrainLoop,
                    ResumableTestLoop)

__all__ = [
    'AccumulatingEpochBasedTrainLoop', 'AccumulatingIterBasedTrainLoop',
    'AtomicCheckpointHook', 'BootstrapTrainLoop', 'ChannelsLastHook',
    'DrawSeedHook', 'FaceVisualizationHook', 'NonFiniteLossHook',
    'ResumableTestLoop', 'UnreadablePicturesHook', 'with_hard_negatives'
]
