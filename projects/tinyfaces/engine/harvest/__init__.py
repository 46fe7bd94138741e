"""Harvesting hard negatives, and training with them."""
from .harvesting import (HarvestSummary, harvest, harvest_header,
                         on_main_process, weights_digest)
from .round_config import with_hard_negatives
from .selection import HarvestOptions, select_hard_negatives
from .training_pictures import TrainingPictures, training_datasets
from .union import merge_hard_negatives

__all__ = [
    'HarvestOptions', 'HarvestSummary', 'TrainingPictures', 'harvest',
    'harvest_header', 'merge_hard_negatives', 'on_main_process',
    'select_hard_negatives', 'training_datasets', 'weights_digest',
    'with_hard_negatives'
]
