"""Hooks and loops for mmengine's runner."""
from .hooks import ChannelsLastHook

__all__ = ['ChannelsLastHook']
