"""Trainings that are resumed draw what they would have drawn."""
import itertools
import random
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from PIL import Image
from torch import nn

from tinyfaces.datasets import SeededInfiniteSampler
from tinyfaces.utils.draws import draw_seed

CONFIGS = Path(__file__).parents[2] / 'configs'
PICTURES = 5
_names = map('draw seeds {}'.format, itertools.count())


@MODELS.register_module(name='DrawSeedHookModel')
class Model(BaseModel):
    """Notes what it is given, and what the global generators draw."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.seen = []

    def forward(self, inputs, data_samples=None, mode='tensor'):
        self.seen.append([[(sample.img_id,
                            sample.gt_instances.get('draw_seed'),
                            picture.float().mean().item())
                           for picture, sample in zip(inputs, data_samples)],
                          random.random(),
                          np.random.random(),
                          torch.rand(()).item()])
        return dict(loss=self.weight * torch.rand(()))


class Stop(Hook):
    """As a killed process would, behind the checkpoint of a step or epoch."""

    priority = 'LOWEST'

    def __init__(self, after):
        self.after = after

    def after_train_iter(self, runner, *args, **kwargs):
        if runner.max_epochs == 1 and runner.iter + 1 == self.after:
            raise KeyboardInterrupt

    def after_train_epoch(self, runner):
        if runner.max_epochs > 1 and runner.epoch + 1 == self.after:
            raise KeyboardInterrupt


@pytest.fixture(scope='module')
def data_root(tmp_path_factory):
    root = tmp_path_factory.mktemp('wider')
    (root / 'images').mkdir()
    rng, lines = np.random.default_rng(0), []
    for number in range(PICTURES):
        noise = rng.integers(0, 255, (20, 24, 3), np.uint8)
        name = f'images/{number}.png'
        Image.fromarray(noise).save(root / name)
        lines += [name, '1', '4 5 9 10 0 0 0 0 0 0']
    (root / 'faces.txt').write_text('\n'.join(lines) + '\n')
    return root


def config(root, folder, loop, sampler, workers=0, **more):
    by_epoch = loop['type'] == 'EpochBasedTrainLoop'
    return Config(
        dict(
            default_scope='mmdet',
            experiment_name=next(_names),
            work_dir=str(folder),
            model=dict(type='DrawSeedHookModel'),
            train_cfg=loop,
            train_dataloader=dict(
                batch_size=2,
                num_workers=workers,
                persistent_workers=workers > 0,
                disable_subprocess_warning=True,
                sampler=sampler,
                dataset=dict(
                    type='WiderFaceDataset',
                    data_root=str(root),
                    ann_file='faces.txt',
                    data_prefix=dict(img=''),
                    pipeline=[
                        dict(type='LoadImageFromFile', backend_args=None),
                        dict(type='LoadAnnotations', with_bbox=True),
                        dict(type='PhotoMetricDistortion'),
                        dict(type='PackDetInputs', meta_keys=('img_id', ))
                    ])),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=.1)),
            default_hooks=dict(
                sampler_seed=dict(type='DrawSeedHook'),
                checkpoint=dict(
                    type='CheckpointHook',
                    by_epoch=by_epoch,
                    interval=1,
                    max_keep_ckpts=1)),
            log_level='ERROR',
            **more))


def train(cfg, stop=None, resume=False, before=None):
    """Train, and give the runner."""
    cfg.resume = resume
    runner = Runner.from_cfg(cfg)
    if stop:
        runner.register_hook(Stop(stop))
    if before:
        before(runner)
    try:
        runner.train()
        assert stop is None
    except KeyboardInterrupt:
        pass
    return runner


def close(runner):
    """End the workers, which the garbage collection takes seconds for."""
    iterator = runner.train_loop.dataloader._iterator
    if iterator is not None:
        iterator._shutdown_workers()


EPOCHS = dict(type='EpochBasedTrainLoop', max_epochs=3)
STEPS = dict(type='IterBasedTrainLoop', max_iters=9)
ONE_BY_ONE = dict(type='SeededDefaultSampler')
ENDLESS = dict(type='SeededInfiniteSampler')


@pytest.mark.parametrize('loop, sampler, workers, stop, left', [
    (EPOCHS, ONE_BY_ONE, 0, 1, 6),
    (STEPS, ENDLESS, 0, 4, 5),
    (STEPS, ENDLESS, 1, 4, 5),
])
def test_resumed_without_a_seed(data_root, tmp_path, loop, sampler, workers,
                                stop, left):
    """Each run of its own draws its seed, and a resumed one keeps it."""

    def settings(folder):
        return config(data_root, tmp_path / folder, loop, sampler, workers)

    first = train(settings('a'), stop)
    resumed = train(settings('a'), resume=True)
    assert resumed.seed == first.seed
    assert len(resumed.model.seen) == left
    # Now without a break.
    whole = train(
        Config(
            dict(settings('b').to_dict(), randomness=dict(seed=first.seed))))
    assert first.model.seen + resumed.model.seen == whole.model.seen
    assert torch.equal(resumed.model.weight, whole.model.weight)
    other = train(settings('c'))
    assert other.seed != first.seed and other.model.seen != whole.model.seen
    # Every picture of every epoch has its own draws, and so has every step.
    pictures = [p for step in whole.model.seen for p in step[0]]
    assert len({p[1] for p in pictures}) == len(pictures)
    assert len({p[2] for p in pictures}) > PICTURES
    for drawn in zip(*whole.model.seen):
        assert len(set(map(str, drawn))) == len(whole.model.seen)
    for runner in first, resumed, whole, other:
        close(runner)


@pytest.mark.parametrize('workers', [0, 1])
def test_iterators_that_began_before_resuming(data_root, tmp_path, workers,
                                              monkeypatch):
    """As they have in MMEngine 0.10.7, which loads all that it skips."""
    monkeypatch.setattr(
        'mmengine.runner.loops._InfiniteDataloaderIterator._resolve_sampler',
        lambda self: None,
        raising=False)

    class Begin(Hook):
        """Begins as soon as there is a loop."""

        priority = 'VERY_HIGH'

        def before_run(self, runner):
            loop = runner.train_loop
            loop.dataloader_iterator._iterator = iter(loop.dataloader)

    def settings():
        return config(data_root, tmp_path, STEPS, ENDLESS, workers)

    first = train(settings(), 4)
    resumed = train(
        settings(), resume=True, before=lambda r: r.register_hook(Begin()))
    sampler = SeededInfiniteSampler(
        resumed.train_dataloader.dataset, seed=first.seed)
    wanted = [draw.draw_seed() for draw in itertools.islice(sampler, 18)]
    seeds = [
        p[1] for r in (first, resumed) for s in r.model.seen for p in s[0]
    ]
    assert seeds == wanted
    close(first)
    close(resumed)


def test_a_seed_of_the_sampler_stays(data_root, tmp_path):
    """Whatever the runner's is."""
    runner = train(
        config(
            data_root,
            tmp_path,
            dict(EPOCHS, max_epochs=1),
            dict(ONE_BY_ONE, seed=77),
            randomness=dict(seed=3)))
    seeds = {p[1] for step in runner.model.seen for p in step[0]}
    assert seeds == {draw_seed(77, 0, at) for at in range(PICTURES)}


def test_other_seeds_on_other_ranks(data_root, tmp_path, monkeypatch):
    """Pictures must be shared out by one seed; steps differ by rank."""

    def settings(folder, different):
        return config(
            data_root,
            tmp_path / folder,
            dict(EPOCHS, max_epochs=1),
            ONE_BY_ONE,
            randomness=dict(seed=3, diff_rank_seed=different))

    plain = train(settings('plain', False)).model.seen
    for module in ('mmengine.runner.utils',
                   'tinyfaces.engine.hooks.draw_seed_hook'):
        monkeypatch.setattr(f'{module}.get_rank', lambda: 1)
    for different in (False, True):
        runner = train(settings(f'rank {different}', different))
        assert runner.seed == 3 + different
        assert [s[0] for s in runner.model.seen] == [s[0] for s in plain]
        assert all(ours[at] != theirs[at]
                   for ours, theirs in zip(runner.model.seen, plain)
                   for at in (1, 2, 3))


def test_other_samplers(data_root, tmp_path):
    """Those of MMEngine are left as they are, epochs too."""
    runner = train(
        config(data_root, tmp_path, dict(EPOCHS, max_epochs=2),
               dict(type='DefaultSampler', seed=7)))
    assert runner.train_dataloader.sampler.seed == 7
    assert runner.train_dataloader.sampler.epoch == 1
    assert {p[1] for step in runner.model.seen for p in step[0]} == {None}


def test_batch_samplers(data_root, tmp_path):
    """The sampler is found inside of one, and told the epoch."""

    def settings():
        cfg = config(data_root, tmp_path, dict(EPOCHS, max_epochs=2),
                     ONE_BY_ONE)
        cfg.train_dataloader.batch_sampler = dict(
            type='AspectRatioBatchSampler')
        return cfg

    first = train(settings(), 1)
    resumed = train(settings(), resume=True)
    assert resumed.train_dataloader.batch_sampler.sampler.seed == first.seed
    seeds = [{p[1]
              for step in runner.model.seen
              for p in step[0]} for runner in (first, resumed)]
    assert seeds == [{
        draw_seed(first.seed, epoch, at)
        for at in range(PICTURES)
    } for epoch in (0, 1)]


def test_configs():
    """None trains with a sampler whose draws are nobody's own."""
    stock = re.compile(r"'(RandomSampler|InfiniteSampler)'|"
                       r"'DefaultSampler'(?!, shuffle=False)")
    files = sorted(CONFIGS.rglob('*.py'))
    assert len(files) > 50
    assert [f.name for f in files if stock.search(f.read_text())] == []
    for name, kind in (('faster-rcnn_r50-c4_1xb1-70k_fddb', 'Infinite'),
                       ('faster-rcnn_r50-c4_hnm-loop_1xb1-27e_fddb',
                        'Default')):
        cfg = Config.fromfile(CONFIGS / 'hard_negative_mining' / f'{name}.py')
        assert cfg.train_dataloader.sampler.type == f'Seeded{kind}Sampler'
        assert cfg.default_hooks.sampler_seed.type == 'DrawSeedHook'
