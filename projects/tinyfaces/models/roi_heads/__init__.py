"""Heads that classify regions of the feature maps."""
from .feature_supervision_head import FeatureSupervisionHead
from .level_roi_extractor import LevelRoIExtractor
from .pair_mean_bbox_head import PairMeanBBoxHead
from .proposal_selection import select_proposals
from .synced_bbox_heads import SyncedBBoxHead, SyncedShared2FCBBoxHead

__all__ = [
    'FeatureSupervisionHead', 'LevelRoIExtractor', 'PairMeanBBoxHead',
    'SyncedBBoxHead', 'SyncedShared2FCBBoxHead', 'select_proposals'
]
