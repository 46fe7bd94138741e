"""Heads that predict on every cell of a feature map."""
from .scale_group_head import ScaleGroupHead
from .selective_refine_head import SelectiveRefineHead
from .synced_heads import SyncedRetinaHead, SyncedRPNHead
from .template_head import TemplateHead

__all__ = [
    'ScaleGroupHead', 'SelectiveRefineHead', 'SyncedRPNHead',
    'SyncedRetinaHead', 'TemplateHead'
]
