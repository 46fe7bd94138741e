"""Configs made small: a few pictures of the built-in sample."""
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from mmengine.config import Config
from tqdm import tqdm

from tinyfaces.datasets.hard_negative_file import (HardNegatives,
                                                   write_hard_negatives)
from tinyfaces.datasets.sample import make_sample
from tinyfaces.datasets.wider_annotations import parse_wider_annotations

ANNOTATIONS = 'wider_face_split/wider_face_train_bbx_gt.txt'
BOXES_PER_PICTURE = 5


class Sample(NamedTuple):
    """Where the data of a run lie.

    Attributes:
        root: Folder in WIDER FACE's layout.
        hard_negatives: Of its training pictures; random boxes.
    """
    root: Path
    hard_negatives: Path


def make_data(folder: Path, num_train: int, num_val: int) -> Sample:
    """Make the sample below a folder, unless it is there."""
    root = make_sample(
        folder / 'sample',
        num_train=num_train,
        num_val=num_val,
        progress=False)
    path = folder / 'hard_negatives.jsonl'
    _write_random_hard_negatives(root, path)
    return Sample(root, path)


def _write_random_hard_negatives(root: Path, path: Path) -> None:
    """Some boxes in every training picture, most of them beside its faces."""
    rng = np.random.default_rng(0)
    entries = {}
    for entry in tqdm(
            parse_wider_annotations(root / ANNOTATIONS),
            'hard negatives',
            leave=False):
        picture = cv2.imread(
            str(root / 'WIDER_train/images' / entry.file_name))
        height, width = picture.shape[:2]
        sides = rng.uniform(12, 60, (BOXES_PER_PICTURE, 1))
        corners = rng.random(
            (BOXES_PER_PICTURE, 2)) * (width - 60, height - 60)
        entries[entry.key] = HardNegatives(
            np.hstack([corners, corners + sides]).astype(np.float32),
            rng.random(BOXES_PER_PICTURE, np.float32), width, height)
    write_hard_negatives(
        path, entries,
        dict(score_thr=.3, iou_thr=.5, max_per_img=BOXES_PER_PICTURE))


def use_sample(cfg: Config, sample: Sample) -> None:
    """Train, validate and test on the sample, from random weights.

    Args:
        cfg: Config for WIDER FACE, changed in place.
        sample: See :func:`make_data`.
    """
    root = f'{sample.root}/'
    for name in ('train', 'val', 'test'):
        loader = cfg.get(f'{name}_dataloader')
        if loader is not None:
            loader.dataset.data_root = root
        if cfg.get(f'{name}_evaluator') is not None:
            cfg[f'{name}_evaluator'].gt_dir = f'{root}ground_truth'
    for transform in cfg.train_dataloader.dataset.pipeline:
        if transform.type == 'LoadHardNegatives':
            transform.ann_file = str(sample.hard_negatives)
    cfg.model.backbone.init_cfg = None
