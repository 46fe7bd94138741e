"""Hooks for mmengine's runner."""
from .atomic_checkpoint_hook import AtomicCheckpointHook
from .channels_last_hook import ChannelsLastHook
from .draw_seed_hook import DrawSeedHook
from .face_visualization_hook import FaceVisualizationHook
from .non_finite_loss_hook import NonFiniteLossHook
from .unreadable_pictures_hook import UnreadablePicturesHook

__all__ = [
    'AtomicCheckpointHook', 'ChannelsLastHook', 'DrawSeedHook',
    'FaceVisualizationHook', 'NonFiniteLossHook', 'UnreadablePicturesHook'
]
