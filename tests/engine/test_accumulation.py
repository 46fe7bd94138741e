"""Accumulated gradients against one large batch."""
import itertools
import random
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from accumulation_cases import LEARNING_RATE, build, models, pictures, weights
from mmengine.dataset import InfiniteSampler, pseudo_collate
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from tinyfaces.engine.loops import accumulation
from tinyfaces.models.avg_factor import mean_avg_factor

OURS = 'AccumulatingEpochBasedTrainLoop'
STOCK_DIFFERS = ('retinanet', 'faster_rcnn', 'group_sampling')
_names = map('accumulation {}'.format, itertools.count())


class Watch(Hook):
    """Notes what hooks see; may begin later, as a run that is resumed."""

    def __init__(self, start):
        self.first = start
        self.indices, self.losses, self.steps = [], [], []

    def before_train(self, runner):
        runner.train_loop._iter = self.first
        self.start = weights(runner.model)

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.indices.append(batch_idx)
        self.before = weights(runner.model)

    def after_train_iter(self, runner, batch_idx, data_batch, outputs):
        self.losses.append({k: v.item() for k, v in outputs.items()})
        self.steps.append(not torch.equal(self.before, weights(runner.model)))


def train(folder, model, batch_size, counts=1, loop=None, items=None, start=0):
    """Train for an epoch; give the model and what a hook has seen."""
    loop = loop or dict(type='EpochBasedTrainLoop', max_epochs=1)
    dataset = pictures() if items is None else items
    sampler = None
    if 'max_iters' in loop:
        sampler = InfiniteSampler(dataset, shuffle=False)
    runner = Runner(
        model,
        str(folder),
        train_dataloader=DataLoader(
            dataset, batch_size, sampler=sampler, collate_fn=pseudo_collate),
        train_cfg=loop,
        optim_wrapper=dict(
            optimizer=dict(type='SGD', lr=LEARNING_RATE),
            accumulative_counts=counts),
        default_hooks=dict(checkpoint=None, logger=None),
        default_scope='mmdet',
        log_level='ERROR',
        randomness=dict(seed=0),
        experiment_name=next(_names))
    watch = Watch(start)
    runner.register_hook(watch)
    runner.train()
    return model, watch


def change_of(model, watch):
    """By how much training has changed the weights."""
    return weights(model) - watch.start


@pytest.mark.parametrize('name', models())
def test_equals_one_batch(name, tmp_path):
    """Five pictures: a step of four and one of the last, which has no face.

    Steps of MMEngine's accumulation are others.
    """
    config = models()[name]
    large, seen = train(tmp_path, build(config), 4)
    assert seen.steps == [True, True]
    change = change_of(large, seen)
    loops = [OURS] + ['EpochBasedTrainLoop'] * (name in STOCK_DIFFERS)
    for loop in loops:
        model, watch = train(
            tmp_path,
            build(config),
            1,
            counts=4,
            loop=dict(type=loop, max_epochs=1))
        assert watch.indices == [0, 1, 2, 3, 4]
        assert watch.steps == [False, False, False, True, True]
        error = (change_of(model, watch) - change).norm()
        if loop == OURS:
            assert error < 1e-4 * change.norm()
        else:
            assert error > .1 * change.norm()
            continue
        for key in ('loss', *(k for k in seen.losses[0] if 'loss_' in k)):
            parts = [logged[key] for logged in watch.losses[:4]]
            assert sum(parts) / 4 == pytest.approx(
                seen.losses[0][key], rel=1e-4, abs=1e-6), key


@pytest.mark.parametrize('name', ['retinanet', 'tiny_faces'])
def test_pictures_of_unequal_batches_weigh_alike(name, tmp_path):
    """A step of batches of 2, 2 and 1."""
    config = models()[name]
    change = change_of(*train(tmp_path, build(config), 5))
    loop = dict(type=OURS, max_epochs=1)
    small = change_of(*train(tmp_path, build(config), 2, counts=3, loop=loop))
    assert (small - change).norm() < 1e-4 * change.norm()


class HalfPrecision(OptimWrapper):
    """As AmpOptimWrapper, which is for GPUs alone."""

    @contextmanager
    def optim_context(self, model):
        with super().optim_context(model), torch.autocast(
                'cpu', torch.bfloat16):
            yield


def test_automatic_mixed_precision():
    """Gradients of all, although the first pass casts weights without."""
    items, changes = pictures()[:4], []
    for size in (4, 1):
        model = build(models()['retinanet'])
        wrapper = HalfPrecision(
            torch.optim.SGD(model.parameters(), lr=LEARNING_RATE),
            accumulative_counts=4 // size)
        start = weights(model)
        parts = [pseudo_collate(items[i:i + size]) for i in range(0, 4, size)]
        step = accumulation.OptimizerStep(
            SimpleNamespace(model=model, optim_wrapper=wrapper), parts)
        for part in parts:
            step.train(part)
        changes.append(weights(model) - start)
    assert (changes[0] - changes[1]).norm() < 1e-2 * changes[0].norm()


class Net(BaseModel):
    """A model that a pass may leave traces in.

    Samples are numbers. The loss is their sum, divided by how many are above
    0, times the weights.
    """

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(3))
        self.norm = nn.BatchNorm1d(3)
        self.own = SimpleNamespace(generator=random.Random(0))
        self.draws = []

    def forward(self, inputs, data_samples=None, mode='loss'):
        x = torch.stack(inputs).float()[:, None].expand(-1, 3)
        self.norm(x[:, :, None].expand(-1, 3, 2))
        self.draws.append((torch.rand(()).item(), random.random(),
                           np.random.rand(), self.own.generator.random()))
        count = mean_avg_factor((x[:, 0] > 0).sum())
        return dict(loss_sum=(x * self.weight).sum() / count)


def numbers(*values):
    return [dict(inputs=value) for value in torch.tensor(values)]


def test_looking_ahead_leaves_no_trace(tmp_path):
    """Statistics and random numbers are those of MMEngine's loop."""
    items = numbers(0., 3, 0, 0, 1, 2)
    stock, _ = train(tmp_path, Net(), 2, counts=2, items=items)
    loop = dict(type=OURS, max_epochs=1)
    model, _ = train(tmp_path, Net(), 2, counts=2, items=items, loop=loop)
    for name, buffer in stock.named_buffers():
        assert torch.equal(buffer, model.get_buffer(name)), name
    assert stock.norm.num_batches_tracked == 3
    first, second, third = stock.draws
    assert model.draws == [first, second, first, second, third, third]
    # of two batches 1 is above 0, of the third 2 are
    torch.testing.assert_close(
        model.weight, torch.full((3, ), -LEARNING_RATE * (3 / 1 + 3 / 2)))


@pytest.mark.parametrize('start, steps', [
    (0, [False, True, False, True, False, True, True]),
    (3, [True, False, True, True]),
])
def test_iterations(start, steps, tmp_path):
    """Steps at even iterations and the last, in a run that is resumed too,
    and however often the data begin anew."""
    numbered = numbers(*range(1, 4))
    loop = dict(type='AccumulatingIterBasedTrainLoop', max_iters=7)
    model, watch = train(
        tmp_path, Net(), 1, counts=2, loop=loop, items=numbered, start=start)
    assert watch.indices == list(range(start, 7))
    assert watch.steps == steps
    # means of 1 2, 3 1, 2 3 and 1; every picture counts
    due = [1.5, 2, 2.5, 1] if start == 0 else [1, 2.5, 1]
    torch.testing.assert_close(model.weight,
                               torch.full((3, ), -LEARNING_RATE * sum(due)))


def test_without_accumulation_it_is_the_stock_loop(tmp_path, monkeypatch):
    monkeypatch.setattr(accumulation, 'OptimizerStep', None)
    items = numbers(1., 0, 2)
    for loop in (dict(type=OURS, max_epochs=1),
                 dict(type='AccumulatingIterBasedTrainLoop', max_iters=3)):
        model, watch = train(tmp_path, Net(), 1, loop=loop, items=items)
        assert watch.steps == [True, False, True]
        assert len(model.draws) == 3


def test_numbers_that_change_are_warned_of_once(tmp_path, monkeypatch):

    class Fickle(Net):

        def forward(self, inputs, data_samples=None, mode='loss'):
            mean_avg_factor(torch.tensor(float(torch.is_grad_enabled())))
            return super().forward(inputs, data_samples, mode)

    said = []
    monkeypatch.setattr(accumulation, 'print_log',
                        lambda text, **_: said.append(text))
    items, loop = numbers(1., 2, 3, 4), dict(type=OURS, max_epochs=1)
    for model, times in ((Net(), 0), (Fickle(), 1)):
        train(tmp_path, model, 1, counts=2, loop=loop, items=items)
        assert len(said) == times
    assert 'others when training than when looking ahead' in said[0]


def test_several_optimizers_are_refused():
    loop = object.__new__(accumulation.AccumulatingEpochBasedTrainLoop)
    loop._runner = SimpleNamespace(optim_wrapper=OptimWrapperDict())
    with pytest.raises(TypeError, match='one optimizer, not with OptimWrapp'):
        loop.run_epoch()


def test_looking_ahead_takes_nothing_away():
    ahead = accumulation.Lookahead(iter(range(5)))
    assert ahead.peek(2) == [0, 1]
    assert next(ahead) == 0
    assert ahead.peek(3) == [1, 2, 3]
    assert ahead.peek(9) == [1, 2, 3, 4]
    assert list(ahead) == [1, 2, 3, 4]
    assert ahead.peek(1) == []
