"""What is validated and saved is the mean of all processes' statistics."""
from types import SimpleNamespace

import torch
import torch.distributed as dist
from mmengine.hooks import EMAHook
from mmengine.model import ExponentialMovingAverage
from mmengine.runner import ValLoop
from rank_processes import process_group, spawn
from torch import nn

from tinyfaces.engine import AtomicCheckpointHook
from tinyfaces.engine.norm_statistics import average_norm_statistics


def _norms(rank):
    """One that trains, one that does not."""
    model = nn.Sequential(nn.BatchNorm2d(3), nn.BatchNorm2d(3)).train()
    model[1].eval()
    for norm in model:
        norm.running_mean += rank
        norm.running_var *= 1 + rank
    return model


def _averages(model, **options):
    """A moving average that has other statistics than the model."""
    average = ExponentialMovingAverage(model, **options)
    average.module[0].running_mean *= 2
    return average


def _work(rank, file):
    with process_group(rank, file, ranks=3):
        _work_of(rank)


def _work_of(rank):
    model = _norms(rank)
    average_norm_statistics(model)
    assert (model[0].running_mean == 1).all()
    assert (model[0].running_var == 2).all()
    assert (model[1].running_mean == rank).all()

    hook = AtomicCheckpointHook()
    runner = SimpleNamespace(model=_norms(rank), _train_loop=None, hooks=[])
    hook.before_val_epoch(runner)  # of a run that does not train
    assert (runner.model[0].running_mean == rank).all()
    runner._train_loop = ValLoop.__new__(ValLoop)
    hook.before_val_epoch(runner)
    assert (runner.model[0].running_mean == 1).all()

    _work_again(rank)
    _work_moving_averages(rank, hook, runner)


def _work_again(rank):
    """The mean of what is equal already is just that."""
    model = nn.Sequential(nn.BatchNorm2d(1000))
    generator = torch.Generator().manual_seed(rank)
    model[0].running_mean.normal_(generator=generator)
    average_norm_statistics(model)
    first = model[0].running_mean.clone()
    average_norm_statistics(model)
    assert torch.equal(model[0].running_mean, first)
    of_all = [torch.empty_like(first) for _ in range(3)]
    dist.all_gather(of_all, first)
    assert torch.equal(of_all[0], of_all[rank])


def _work_moving_averages(rank, hook, runner):
    """Copies of the model's statistics, or means of their own."""
    runner.hooks = [EMAHook(), EMAHook(), hook]
    runner.model = _norms(rank)
    for ema, update_buffers in zip(runner.hooks, (False, True)):
        ema.ema_model = _averages(runner.model, update_buffers=update_buffers)
    hook.before_val_epoch(runner)
    for ema, expected in zip(runner.hooks, (1, 2)):
        assert (ema.ema_model.module[0].running_mean == expected).all()
        assert (ema.ema_model.module[0].running_var == 2).all()


def test_three_processes(tmp_path):
    spawn(_work, tmp_path, ranks=3)


def test_one_process():
    model = _norms(1)
    average_norm_statistics(model)
    assert (model[0].running_mean == 1).all()
