"""The batch size in a config's name is the one that its rate is made for."""
import re
from importlib import import_module

import pytest
from config_folder import ROOT
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.optim import build_optim_wrapper
from torch import nn

CONFIGS = sorted((ROOT / 'configs').glob('[!_]*/*.py'))


@pytest.fixture
def runner(monkeypatch):
    """Of ``tools/train.py``, as far as ``scale_lr`` asks."""
    monkeypatch.syspath_prepend(ROOT / 'tools')
    made = object.__new__(import_module('_runner').TinyFacesRunner)
    made.logger = MMLogger.get_instance('test_learning_rates')
    made.param_schedulers = None
    return made


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_base_batch_size(path):
    """GPUs x pictures per GPU, and no scaling unless it is asked for."""
    cfg = Config.fromfile(path)
    gpus, pictures = map(int, re.search(r'_(\d+)xb(\d+)', path.stem).groups())
    assert cfg.train_dataloader.batch_size == pictures
    assert cfg.auto_scale_lr == dict(
        enable=False, base_batch_size=gpus * pictures)
    assert cfg.optim_wrapper.get('accumulative_counts', 1) == 1


@pytest.mark.parametrize('gpus, pictures, accumulated, factor',
                         [(1, 4, 1, 1 / 8), (8, 4, 1, 1), (8, 8, 1, 2),
                          (2, 4, 4, 1), (1, 4, 2, 1 / 4)])
def test_scaled_in_proportion(runner, gpus, pictures, accumulated, factor):
    """To GPUs x pictures x accumulated batches."""
    cfg = Config.fromfile(ROOT / 'configs/refineface' /
                          'refineface_r50_8xb4-130e_wider-face.py')
    cfg.optim_wrapper.accumulative_counts = accumulated
    wrapper = build_optim_wrapper(nn.Linear(1, 1), cfg.optim_wrapper)
    before = [group['lr'] for group in wrapper.optimizer.param_groups]
    runner._world_size = gpus
    runner._train_dataloader = dict(batch_size=pictures)
    runner.scale_lr(wrapper, dict(cfg.auto_scale_lr, enable=True))
    after = [group['lr'] for group in wrapper.optimizer.param_groups]
    assert after == pytest.approx([rate * factor for rate in before])


def test_left_alone(runner):
    wrapper = build_optim_wrapper(
        nn.Linear(1, 1),
        dict(
            type='OptimWrapper',
            accumulative_counts=2,
            optimizer=dict(type='SGD', lr=.5)))
    for setting in (None, dict(enable=False, base_batch_size=8)):
        runner.scale_lr(wrapper, setting)
    assert wrapper.get_lr()['lr'] == [.5]
