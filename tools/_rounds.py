"""The rounds of a bootstrapping: folders, and the config of the first."""
from pathlib import Path

from _stages import TrainingFolder
from mmengine.config import Config

from tinyfaces.utils.config_parts import (class_name, innermost_datasets,
                                          transform_names)


class Round(TrainingFolder):
    """The folder of one round.

    Args:
        folder (Path): Holds also a config, what was harvested, the log of
            that, and what training and harvest began with.
        number (int): From 1.
    """

    def __init__(self, folder: Path, number: int) -> None:
        super().__init__(folder, f'round {number}')
        self.number = number
        self.config = folder / 'config.py'
        self.harvest_dir = folder / 'harvest'
        self.harvest_log = folder / 'harvest.log'
        self.harvested = folder / 'harvested.jsonl'
        self.hard_negatives = folder / 'hard_negatives.jsonl'
        self.train_inputs = folder / 'train_inputs.json'
        self.harvest_inputs = folder / 'harvest_inputs.json'

    def is_started(self) -> bool:
        """Whether anything was trained or harvested, or a run is at it."""
        return self.is_harvest_started() or super().is_started()

    def is_harvest_started(self) -> bool:
        """Whether anything was harvested."""
        parts = self.folder / f'{self.harvested.name}.parts'
        return any(path.exists()
                   for path in (self.hard_negatives, self.harvested, parts))


def check_first_round(cfg: Config) -> None:
    """Raise unless a config can be that of round one.

    Args:
        cfg (Config): Complete config.

    Raises:
        ValueError: It trains in rounds itself, or is one of a later round.
    """
    if cfg.get('train_cfg') and class_name(
            cfg.train_cfg) == 'BootstrapTrainLoop':
        raise ValueError(
            'BootstrapTrainLoop trains in rounds itself; give the config to '
            'tools/train.py, or give here the one of round one, with '
            'another train_cfg')
    dataset = (cfg.get('train_dataloader') or {}).get('dataset') or {}
    parts = innermost_datasets(dataset, 'train_dataloader.dataset')
    for key, part in parts.items():
        if 'LoadHardNegatives' in transform_names(part.get('pipeline')):
            raise ValueError(
                f'{key}.pipeline has LoadHardNegatives, so that round one '
                'would train with the hard negatives of a file; give the '
                'config of round one (those in configs/hard_negative_mining '
                'name it in their first lines)')
