"""The training pictures of a config, as its test sees them."""
import copy
import hashlib
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from mmdet.registry import DATASETS
from mmengine.config import Config, ConfigDict
from torch.utils.data import Dataset

from ...utils.config_parts import innermost_datasets


def training_datasets(cfg: Config) -> list[ConfigDict]:
    """Configs of the datasets that hold the training pictures.

    They are those inside the wrappers of ``train_dataloader``, once each,
    with the test's pipeline, and in test mode: every picture of them comes,
    also those that ``filter_cfg`` leaves out of training, such as pictures
    without faces. What a detector finds there goes into the file too, and is
    of use in training once ``filter_cfg`` lets the picture in.

    Args:
        cfg (Config): A complete config.

    Raises:
        ValueError: It has no training or test dataset, or tests with several
            pipelines.
    """
    tested = _datasets(cfg, 'test_dataloader')
    if any(dataset.get('pipeline') is None for dataset in tested):
        raise ValueError('a dataset of test_dataloader has no pipeline, which '
                         'harvesting runs; give it one')
    pipelines = [dataset.pipeline for dataset in tested]
    if any(pipeline != pipelines[0] for pipeline in pipelines):
        raise ValueError('the datasets of test_dataloader have different '
                         'pipelines; leave one of them in the config')
    found = []
    for dataset in _datasets(cfg, 'train_dataloader'):
        dataset = copy.deepcopy(dataset)
        for key in ('filter_cfg', 'lazy_init'):
            dataset.pop(key, None)
        dataset.update(pipeline=copy.deepcopy(pipelines[0]), test_mode=True)
        found.append(dataset)
    return found


class TrainingPictures(Dataset):
    """Several datasets as one, and the faces of their annotations.

    Args:
        datasets: Configs, see :func:`training_datasets`.

    Attributes:
        keys: ``img_id`` of each picture.

    Raises:
        ValueError: Two pictures have the same ``img_id``.
    """

    def __init__(self, datasets: Sequence[ConfigDict]) -> None:
        self._parts = [DATASETS.build(dataset) for dataset in datasets]
        self._ends = list(accumulate(map(len, self._parts)))
        keys = [self._info(at)['img_id'] for at in range(len(self))]
        # JSON knows no numbers of NumPy.
        self.keys = [
            key.item() if isinstance(key, np.generic) else key for key in keys
        ]
        if len(set(self.keys)) < len(self.keys):
            seen = set()
            twice = next(k for k in self.keys if k in seen or seen.add(k))
            raise ValueError(
                f'picture {twice!r} is in the datasets of train_dataloader '
                'twice; hard negatives are filed under the img_id, so leave '
                'one of the two datasets out, or harvest them one by one')

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, at: int) -> Any:
        """What the test's pipeline makes of a picture."""
        part, index = self._find(at)
        return part[index]

    def faces(self, at: int) -> tuple[np.ndarray, np.ndarray]:
        """Annotated and ignored faces, (n, 4) and (m, 4), xyxy in pixels."""
        instances = self._info(at)['instances']
        boxes = np.array([i['bbox'] for i in instances],
                         np.float64).reshape(-1, 4)
        ignored = np.array([i['ignore_flag'] for i in instances], bool)
        return boxes[~ignored], boxes[ignored]

    def digest(self) -> str:
        """SHA-256 of all keys and annotations."""
        digest = hashlib.sha256()
        for at, key in enumerate(self.keys):
            faces, ignored = self.faces(at)
            digest.update(f'{key!r} {len(faces)} '.encode())
            digest.update(faces.tobytes() + ignored.tobytes())
        return digest.hexdigest()

    def _find(self, at: int) -> tuple[Dataset, int]:
        number = bisect_right(self._ends, at)
        return self._parts[number], at - ([0] + self._ends)[number]

    def _info(self, at: int) -> dict:
        part, index = self._find(at)
        return part.get_data_info(index)


def _datasets(cfg: Config, loader: str) -> list[ConfigDict]:
    """The datasets inside the wrappers of a dataloader."""
    dataset = (cfg.get(loader) or {}).get('dataset')
    if not dataset:
        raise ValueError(
            f'the config has no {loader}.dataset, and harvesting runs the '
            'pipeline of the test on the pictures of the training; give a '
            'config with both')
    return list(innermost_datasets(dataset, f'{loader}.dataset').values())
