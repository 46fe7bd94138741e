"""The papers' detectors, as small as can be, on pictures of noise."""
import copy
from pathlib import Path

import numpy as np
from group_sampling_models import detector_config as group_sampling
from group_sampling_models import group_sampler
from mmengine.config import Config
from refine_models import model_config as refine_face
from tiny_faces_models import detector_config as tiny_faces
from tiny_faster_rcnn import FASTER_RCNN, write_config
from tiny_fddb import random_folds, write_fddb

from tinyfaces.datasets.hard_negative_file import (HardNegatives,
                                                   write_hard_negatives)

# As tiny_fddb makes them; RefineFace has a map of stride 128.
PICTURES, SIZE = 8, (64, 48)
SCALES = dict(refine_face=(128, 128))


def write_configs(folder: Path) -> dict[str, Path]:
    """Write data, hard negatives, and a config for each paper."""
    names = list(write_fddb(folder, random_folds(2, PICTURES, SIZE), SIZE)[1])
    hard = folder / 'hard.jsonl'
    rng = np.random.default_rng(0)
    write_hard_negatives(hard, {name: _boxes(rng) for name in names}, {})
    base = Config.fromfile(write_config(folder))
    paths = {}
    for name, model in _models().items():
        cfg = copy.deepcopy(base)
        cfg.merge_from_dict({'model': dict(model, _delete_=True)})
        pipeline = cfg.train_dataloader.dataset.pipeline
        pipeline[2].scale = SCALES.get(name, (64, 64))
        pipeline.insert(3, dict(type='PhotoMetricDistortion'))
        if name == 'faster_rcnn':
            pipeline.insert(2,
                            dict(type='LoadHardNegatives', ann_file=str(hard)))
            pipeline[-1] = dict(type='PackHardNegativeInputs')
        cfg.optim_wrapper.clip_grad = dict(max_norm=10)
        cfg.find_unused_parameters = True
        cfg.custom_hooks = [dict(type='ChannelsLastHook')]
        paths[name] = folder / f'{name}.py'
        cfg.dump(paths[name])
    return paths


def write_validated(folder: Path) -> Path:
    """Write data and a config that validates and keeps the best."""
    # The metric wants all ten folds; four pictures train and four validate.
    write_fddb(folder, random_folds(10, 4, SIZE), SIZE)
    cfg = Config.fromfile(write_config(folder))
    cfg.model = _faster_rcnn('SeededRandomSampler')
    cfg.val_dataloader = cfg.test_dataloader
    cfg.val_evaluator = cfg.test_evaluator
    cfg.val_cfg = dict(type='ValLoop')
    cfg.default_hooks.checkpoint = dict(
        type='AtomicCheckpointHook',
        interval=1,
        max_keep_ckpts=2,
        save_best='fddb/disc_final',
        rule='greater')
    path = folder / 'validated.py'
    cfg.dump(path)
    return path


def _models() -> dict[str, dict]:
    """One for each paper, with all that draws at random in it."""
    return dict(
        # Faces of about 40 pixels there, which are those of P4.
        refine_face=refine_face(stc_levels=(0, 1), str_levels=(2, 3, 4, 5)),
        tiny_faces=tiny_faces(assigner=dict(noise=.01)),
        group_sampling=group_sampling(sampler=group_sampler(seed=None)),
        faster_rcnn=_faster_rcnn())


def _faster_rcnn(sampler: str = 'HardNegativeSampler') -> dict:
    """Divided over all ranks; by default with samples of hard negatives."""
    model = copy.deepcopy(FASTER_RCNN)
    model['rpn_head']['type'] = 'SyncedRPNHead'
    model['roi_head']['bbox_head']['type'] = 'SyncedShared2FCBBoxHead'
    for stage, join in (('rpn', 'anchors'), ('rcnn', 'proposals')):
        config = model['train_cfg'][stage]['sampler']
        config.update(type=sampler)
        if sampler == 'HardNegativeSampler':
            config.update(join=join)
    return model


def _boxes(rng: np.random.Generator) -> HardNegatives:
    """Three boxes anywhere in a picture."""
    corners = rng.uniform(0, 30, (3, 2))
    boxes = np.hstack([corners, corners + rng.uniform(8, 18, (3, 2))])
    return HardNegatives(
        boxes.astype(np.float32), rng.random(3, np.float32), *SIZE)
