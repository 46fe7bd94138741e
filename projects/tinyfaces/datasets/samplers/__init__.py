"""Samplers of pictures."""
from .seeded_samplers import SeededDefaultSampler, SeededInfiniteSampler

__all__ = ['SeededDefaultSampler', 'SeededInfiniteSampler']
