"""Rounds of training in one process, with a tiny Faster R-CNN."""
import itertools
import math
import shutil
import sys

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import EarlyStoppingHook, EMAHook, Hook
from mmengine.runner import Runner
from tiny_faster_rcnn import write_config
from tiny_fddb import random_folds, write_fddb

from tinyfaces.datasets.hard_negative_file import (read_hard_negatives,
                                                   read_header)
from tinyfaces.engine import AtomicCheckpointHook, with_hard_negatives
from tinyfaces.engine.harvest import weights_digest

LOOP = dict(
    type='BootstrapTrainLoop', max_epochs=2, harvest=dict(score_thr=.3))
PICTURES = 4
_names = map('bootstrap {}'.format, itertools.count())


class Stopped(Exception):
    """Stands for whatever may stop a training."""


class Watch(Hook):
    """Notes each epoch; stops before one."""

    priority = 'LOWEST'

    def __init__(self, stop=None):
        self.stop = stop
        self.epochs, self.rates, self.weights = [], [], []
        self.momentum, self.pipelines = [], []

    def before_train_epoch(self, runner):
        if runner.epoch == self.stop:
            raise Stopped
        self.epochs.append(runner.epoch)
        self.rates += runner.optim_wrapper.get_lr()['lr'][:1]
        self.weights.append(weights_digest(runner.model))
        self.momentum.append(bool(runner.optim_wrapper.optimizer.state))
        self.pipelines.append([
            type(transform).__name__ for transform in
            runner.train_dataloader.dataset.pipeline.transforms
        ])


@pytest.fixture(scope='module')
def cfg(tmp_path_factory):
    root = tmp_path_factory.mktemp('fddb')
    write_fddb(root, random_folds(num_folds=2, pictures=PICTURES))
    return with_hard_negatives(Config.fromfile(write_config(root)), None)


def train(cfg, folder, watch, resume=False, **changes):
    """Train in a folder, and give the runner."""
    cfg = Config(dict(cfg.to_dict(), **changes))
    cfg.work_dir = str(folder)
    cfg.resume = resume
    cfg.experiment_name = next(_names)
    runner = Runner.from_cfg(cfg)
    runner.register_hook(watch)
    runner.train()
    return runner


@pytest.fixture(scope='module')
def whole(cfg, tmp_path_factory):
    """Two rounds that nothing stopped: folder and what was seen."""
    folder = tmp_path_factory.mktemp('whole')
    watch = Watch()
    train(cfg, folder, watch, train_cfg=LOOP)
    return folder, watch


def test_two_rounds(whole):
    folder, watch = whole
    assert watch.epochs == [0, 1, 2, 3]
    assert watch.rates == pytest.approx([.02, .002, .02, .002])
    # The second round begins as the first did, but for its pipeline.
    assert watch.weights[2] == watch.weights[0] != watch.weights[1]
    assert watch.momentum == [False, True, False, True]
    assert ['LoadHardNegatives' in names
            for names in watch.pipelines] == [False, False, True, True]
    assert watch.pipelines[2][-1] == 'PackHardNegativeInputs'
    kept = folder / 'bootstrap'
    assert sorted(path.name for path in kept.iterdir()) == [
        'round_1.pth', 'round_1_hard_negatives.jsonl',
        'round_1_harvested.jsonl', 'start.pth'
    ]
    assert read_hard_negatives(kept / 'round_1_hard_negatives.jsonl')
    header = read_header(kept / 'round_1_harvested.jsonl')
    assert header['score_thr'] == .3
    assert header['weights'] == _saved_weights(folder / 'epoch_2.pth')
    assert header['weights'] == _saved_weights(kept / 'round_1.pth')
    assert (folder / 'last_checkpoint').read_text().endswith('epoch_4.pth')


def _saved_weights(path):
    """Digest of the weights of a checkpoint."""
    state = torch.load(path, weights_only=False)['state_dict']

    class Saved:

        def state_dict(self):
            return state

    return weights_digest(Saved())


def test_stopped_in_the_harvest_and_in_round_two(cfg, whole, tmp_path,
                                                 monkeypatch):
    module = sys.modules['tinyfaces.engine.harvest.harvesting']
    select = module.select_hard_negatives
    looked_at = []
    # Epochs whose validation may be made up for: not those that a harvest and
    # other weights come behind.
    pending = []
    monkeypatch.setattr(AtomicCheckpointHook, '_validate',
                        lambda self, runner: pending.append(runner.epoch))

    def select_some(*args):
        if len(looked_at) == 2:
            raise Stopped
        looked_at.append(args)
        return select(*args)

    monkeypatch.setattr(module, 'select_hard_negatives', select_some)
    watch = Watch()
    with pytest.raises(Stopped):
        train(cfg, tmp_path, watch, train_cfg=LOOP)
    assert watch.epochs == [0, 1]

    def select_rest(*args):
        looked_at.append(args)
        return select(*args)

    monkeypatch.setattr(module, 'select_hard_negatives', select_rest)
    watch = Watch(stop=3)
    with pytest.raises(Stopped):
        train(cfg, tmp_path, watch, resume=True, train_cfg=LOOP)
    assert len(looked_at) == PICTURES
    assert watch.epochs == [2] and pending == []
    assert watch.weights[0] == whole[1].weights[0]
    assert watch.rates == pytest.approx([.02])
    assert watch.momentum == [False]
    name = 'bootstrap/round_1_harvested.jsonl'
    assert (tmp_path / name).read_bytes() == (whole[0] / name).read_bytes()

    watch = Watch()
    train(cfg, tmp_path, watch, resume=True, train_cfg=LOOP)
    assert len(looked_at) == PICTURES
    assert watch.epochs == [3]
    assert watch.rates == pytest.approx([.002])
    assert watch.momentum == [True]
    assert 'LoadHardNegatives' in watch.pipelines[0]
    # Once more: nothing is left to do.
    watch = Watch()
    train(cfg, tmp_path, watch, resume=True, train_cfg=LOOP)
    assert watch.epochs == [] and pending == [3, 4]


def test_three_rounds_from_the_previous_with_averages(cfg, tmp_path):
    loop = dict(LOOP, max_epochs=1, rounds=3, from_previous=True)
    watch = Watch()
    runner = train(
        cfg,
        tmp_path,
        watch,
        train_cfg=loop,
        custom_hooks=[dict(type='EMAHook', momentum=.5)])
    assert watch.epochs == [0, 1, 2]
    assert watch.rates == pytest.approx([.02] * 3)
    assert watch.momentum == [False] * 3
    assert 'model' not in torch.load(
        tmp_path / 'bootstrap/start.pth', weights_only=False)
    for number in (1, 2):
        # What checkpoints hold is the average, and the rest in another place.
        path = tmp_path / f'epoch_{number}.pth'
        header = read_header(tmp_path /
                             f'bootstrap/round_{number}_harvested.jsonl')
        assert header['weights'] == _saved_weights(path)
        assert header['weights'] == _saved_weights(
            tmp_path / f'bootstrap/round_{number}.pth')
        assert watch.weights[number] not in (header['weights'],
                                             watch.weights[0])
    ema, = (hook for hook in runner.hooks if isinstance(hook, EMAHook))
    # Counted from the beginning of the last round.
    assert ema.ema_model.steps == PICTURES // 2
    union = read_hard_negatives(tmp_path /
                                'bootstrap/round_2_hard_negatives.jsonl')
    last = read_hard_negatives(tmp_path / 'bootstrap/round_2_harvested.jsonl')
    assert sum(len(entry.boxes) for entry in union.values()) > sum(
        len(entry.boxes) for entry in last.values())


def test_other_options_and_a_start_that_is_gone(cfg, whole, tmp_path):
    """What was harvested with other options is harvested again."""
    checkpoint = whole[0] / 'epoch_2.pth'
    (tmp_path / 'last_checkpoint').write_text(str(checkpoint))
    shutil.copytree(whole[0] / 'bootstrap', tmp_path / 'bootstrap')
    (tmp_path / 'bootstrap/start.pth').unlink()
    loop = dict(LOOP, harvest=dict(score_thr=.35))
    with pytest.raises(FileNotFoundError, match='start.pth: the state before'):
        train(cfg, tmp_path, Watch(), resume=True, train_cfg=loop)
    header = read_header(tmp_path / 'bootstrap/round_1_harvested.jsonl')
    assert header['score_thr'] == .35


class SaveAndStop(Hook):
    """Stops after one step, with a checkpoint of that."""

    def after_train_iter(self, runner, batch_idx, **kwargs):
        runner.save_checkpoint(runner.work_dir, 'half.pth', by_epoch=False)
        raise Stopped


def test_resumed_within_the_first_epoch(cfg, tmp_path):
    """The state at the start stays."""
    with pytest.raises(Stopped):
        train(cfg, tmp_path, SaveAndStop(), train_cfg=LOOP)
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'half.pth'))
    start = tmp_path / 'bootstrap/start.pth'
    before = start.read_bytes()
    with pytest.raises(Stopped):
        train(cfg, tmp_path, SaveAndStop(), resume=True, train_cfg=LOOP)
    assert start.read_bytes() == before


class Scores(Hook):
    """Notes what an epoch finds of best scores; leaves some."""

    def __init__(self):
        self.found = []

    def before_train_epoch(self, runner):
        noted = runner.message_hub.runtime_info
        stopping, = (
            h for h in runner.hooks if isinstance(h, EarlyStoppingHook))
        self.found.append(('best_score'
                           in noted, stopping.wait_count, stopping.best_score))
        runner.message_hub.update_info('best_score', .5)
        stopping.wait_count, stopping.best_score = 3, .5


def test_each_round_has_best_scores_of_its_own(cfg, tmp_path):
    watch = Scores()
    hooks = dict(cfg.default_hooks)
    hooks['checkpoint'] = dict(
        hooks['checkpoint'], out_dir=str(tmp_path / 'out'))
    train(
        cfg,
        tmp_path / 'w',
        watch,
        train_cfg=LOOP,
        default_hooks=hooks,
        custom_hooks=[
            dict(type='EarlyStoppingHook', monitor='ap', rule='greater')
        ])
    first, later = (False, 0, -math.inf), (True, 3, .5)
    assert watch.found == [first, later] * 2
    # Of both rounds, in one folder.
    assert (tmp_path / 'out/w/epoch_2.pth').is_file()
    assert (tmp_path / 'out/w/epoch_4.pth').is_file()


def test_configs_that_cannot(cfg, tmp_path):
    plain = Config(cfg.to_dict())
    plain.model.train_cfg.rcnn.sampler.type = 'RandomSampler'
    plain.model.train_cfg.rcnn.sampler.pop('join')
    with pytest.raises(ValueError, match='needs samplers that take hard neg'):
        train(plain, tmp_path, Watch(), train_cfg=LOOP)
    switch = dict(
        type='PipelineSwitchHook', switch_epoch=1, switch_pipeline=[])
    with pytest.raises(ValueError, match='would switch to a pipeline without'):
        train(cfg, tmp_path, Watch(), train_cfg=LOOP, custom_hooks=[switch])
    hooks = dict(cfg.default_hooks)
    hooks['checkpoint'] = dict(hooks['checkpoint'], by_epoch=False)
    with pytest.raises(ValueError, match='checkpoint.by_epoch=True'):
        train(cfg, tmp_path, Watch(), train_cfg=LOOP, default_hooks=hooks)
    with pytest.raises(ValueError, match='rounds must be at least 1, not 0'):
        train(cfg, tmp_path, Watch(), train_cfg=dict(LOOP, rounds=0))
