"""Checkpoints of runs that are killed, and of full disks."""
import errno
import os
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.fileio import LocalBackend
from mmengine.hooks import EMAHook, Hook
from toy_training import ToyScores, train, weights

import tinyfaces
from tinyfaces.engine import AtomicCheckpointHook
from tinyfaces.utils.checkpoint_files import read_checkpoint

CONFIGS = Path(tinyfaces.__file__).parents[2] / 'configs'
KEEP_ONE = {'default_hooks.checkpoint.max_keep_ckpts': 1}
BEST = {
    'default_hooks.checkpoint.save_best': 'score',
    'default_hooks.checkpoint.rule': 'greater',
    'train_cfg.max_epochs': 3,
    'validate': True
}


class Killed(BaseException):
    """Stands for a kill: nothing catches it, and nothing cleans up."""


@contextmanager
def killed(owner, name, path, half=False):
    """A block that ends in the first call of a function with a path.

    No ``finally`` runs when a process is killed, so that the removal of
    temporary files is turned off from there on.
    """
    real = getattr(owner, name)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):

        def last(*args, **kwargs):
            if path not in str(args[-1]):
                return real(*args, **kwargs)
            if half:
                half_written(*args[-2:])
            patch.setattr(Path, 'unlink', lambda *a, **k: None)
            raise Killed

        patch.setattr(owner, name, last)
        yield


def files(folder):
    """Names of all files that a training has to do with."""
    return sorted(
        path.name for path in Path(folder).iterdir()
        if path.is_file() and path.suffix != '.py')


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """Weights of a training that nothing stopped."""
    return weights(train(tmp_path_factory.mktemp('whole')))


def half_written(content, path):
    """As much as a killed process has written."""
    Path(path).write_bytes(bytes(content)[:len(content) // 2])


@pytest.mark.parametrize('call, left, last', [
    ((LocalBackend, 'put', 'epoch_2', True),
     ['.epoch_2', 'epoch_1.pth', 'last_checkpoint'], 1),
    ((os, 'replace', 'epoch_2'),
     ['.epoch_2', 'epoch_1.pth', 'last_checkpoint'], 1),
    ((Path, 'write_text', 'epoch_2'), [
        '.last_checkpoint', 'epoch_1.pth', 'epoch_2.pth', 'last_checkpoint'
    ], 1),
    ((LocalBackend, 'remove', 'epoch_1'),
     ['epoch_1.pth', 'epoch_2.pth', 'last_checkpoint'], 2),
], ids=['writing', 'renaming', 'pointing', 'removing'])  # yapf: disable
def test_killed_while_saving(tmp_path, whole, call, left, last):
    """The second of two checkpoints, of which one is kept."""
    with killed(*call):
        train(tmp_path, **KEEP_ONE)
    assert [
        name.split('-')[0] if name.startswith('.') else name
        for name in files(tmp_path)
    ] == left
    named = (tmp_path / 'last_checkpoint').read_text()
    assert named == str(tmp_path / f'epoch_{last}.pth')
    assert read_checkpoint(named)['meta']['epoch'] == last
    resumed = train(tmp_path, resume=True, **KEEP_ONE)
    assert torch.equal(weights(resumed), whole)
    assert files(tmp_path) == ['epoch_2.pth', 'last_checkpoint']
    assert (tmp_path / 'last_checkpoint').read_text().endswith('epoch_2.pth')


def test_there_is_always_one(tmp_path, monkeypatch):
    """With one to keep, at every change of the folder."""
    seen = []
    names = [(os, 'replace'), (os, 'remove'), (LocalBackend, 'put')]
    for owner, name in names:
        real = getattr(owner, name)

        def watched(*args, real=real, **kwargs):
            result = real(*args, **kwargs)
            pointer = tmp_path / 'last_checkpoint'
            if pointer.is_file():
                seen.append(Path(pointer.read_text()))
                assert read_checkpoint(seen[-1])['state_dict']
            return result

        monkeypatch.setattr(owner, name, watched)
    train(tmp_path, **KEEP_ONE, **{'train_cfg.max_epochs': 4})
    assert {path.name
            for path in seen
            } == {f'epoch_{number}.pth'
                  for number in (1, 2, 3, 4)}
    assert files(tmp_path) == ['epoch_4.pth', 'last_checkpoint']


@pytest.mark.parametrize('keep', [1, 2, 3])
def test_as_many_as_asked_for_are_kept(tmp_path, keep):
    changes = {'default_hooks.checkpoint.max_keep_ckpts': keep}
    train(tmp_path, **changes)
    train(tmp_path, resume=True, **changes, **{'train_cfg.max_epochs': 5})
    assert files(tmp_path) == [
        *(f'epoch_{n}.pth' for n in range(6 - keep, 6)), 'last_checkpoint'
    ]


def scores(monkeypatch, *values):
    """What the validations of a run give, one after the other."""
    left = list(values)
    monkeypatch.setattr(ToyScores, 'scores', left)
    return left


class Stop(Hook):
    """Stops the run in a validation or right after it."""

    priority = 'LOWEST'

    def __init__(self, where, number):
        self.where, self.number = where, number

    def before_val_epoch(self, runner):
        self.stop('in', runner)

    def after_val_epoch(self, runner, metrics=None):
        self.stop('after', runner)

    def stop(self, where, runner):
        now = runner.iter if runner.max_epochs == 1 else runner.epoch
        if (where, now) == (self.where, self.number):
            raise Killed


ITERATIONS = {
    'default_hooks.checkpoint':
    dict(
        by_epoch=False,
        interval=3,
        max_keep_ckpts=1,
        save_best='score',
        rule='greater'),
    'train_dataloader.sampler':
    dict(type='InfiniteSampler', shuffle=False),
    'train_cfg':
    dict(
        type='IterBasedTrainLoop', max_iters=8, val_interval=3, _delete_=True),
    'validate':
    True
}


def test_by_iterations(tmp_path, monkeypatch):
    left = scores(monkeypatch, .5, .7, .6)
    whole = train(tmp_path / 'a', **ITERATIONS)
    expected = ['best_score_iter_6.pth', 'iter_8.pth', 'last_checkpoint']
    assert files(tmp_path / 'a') == expected and left == []
    # And with the validation at 6 cut off.
    scores(monkeypatch, .5, .7)
    with pytest.raises(Killed):
        train(tmp_path / 'b', Stop('in', 6), **ITERATIONS)
    left = scores(monkeypatch, .7, .6)
    resumed = train(tmp_path / 'b', resume=True, **ITERATIONS)
    assert files(tmp_path / 'b') == expected and left == []
    assert torch.equal(weights(resumed), weights(whole))


def test_a_full_disk(tmp_path, monkeypatch):
    real = LocalBackend.put

    def full(self, content, path):
        if 'epoch_2' in str(path):
            half_written(content, path)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(self, content, path)

    monkeypatch.setattr(LocalBackend, 'put', full)
    with pytest.raises(
            OSError,
            match=r'epoch_2.pth cannot be written: No sp'
            r'ace left .*MiB free in .*make room') as caught:
        train(tmp_path, **KEEP_ONE)
    assert caught.value.errno == errno.ENOSPC
    assert files(tmp_path) == ['epoch_1.pth', 'last_checkpoint']
    named = (tmp_path / 'last_checkpoint').read_text()
    assert read_checkpoint(named)['meta']['epoch'] == 1


def test_best_checkpoints(tmp_path, monkeypatch):
    real = open

    def never_in_place(path, mode='r', *args, **kwargs):
        assert Path(path).name != 'last_checkpoint' or 'r' in mode
        return real(path, mode, *args, **kwargs)

    monkeypatch.setattr('builtins.open', never_in_place)
    left = scores(monkeypatch, .5, .7, .6)
    train(tmp_path, **BEST, **KEEP_ONE)
    assert left == []
    assert files(tmp_path) == [
        'best_score_epoch_2.pth', 'epoch_3.pth', 'last_checkpoint'
    ]
    best = read_checkpoint(tmp_path / 'best_score_epoch_2.pth')
    assert best['meta']['epoch'] == 2 and 'optimizer' not in best


def test_killed_while_the_best_is_written(tmp_path, monkeypatch):
    """The best before stays until the new one is there."""
    scores(monkeypatch, .5, .7, .6)
    with killed(os, 'replace', 'best_score_epoch_2'):
        train(tmp_path, **BEST)
    names = files(tmp_path)
    assert names[0].startswith('.best_score_epoch_2-')
    assert names[1] == 'best_score_epoch_1.pth'
    # What the run would have found had it not been killed.
    left = scores(monkeypatch, .7, .6)
    train(tmp_path, resume=True, **BEST)
    assert left == []
    assert [name for name in files(tmp_path)
            if 'best' in name] == ['best_score_epoch_2.pth']


@pytest.mark.parametrize(
    'values, where, again', [
        ((.5, .7, .6), 'in', (.7, .6)),
        ((.5, .7, .6), 'after', (.6, )),
        ((.7, .5, .6), 'after', (.5, .6)),
    ],
    ids=['validating', 'a best one', 'none of the best'])
def test_a_validation_that_was_cut_off_is_done(tmp_path, monkeypatch, values,
                                               where, again):
    """Again too, unless the checkpoint knows what came out."""
    scores(monkeypatch, *values)
    with pytest.raises(Killed):
        train(tmp_path, Stop(where, 2), **BEST)
    left = scores(monkeypatch, *again)
    train(tmp_path, resume=True, **BEST)
    assert left == []
    best = values.index(.7) + 1
    assert [name for name in files(tmp_path)
            if 'best' in name] == [f'best_score_epoch_{best}.pth']
    # After the end there is one validation left to do, if any.
    left = scores(monkeypatch, .1)
    train(tmp_path, resume=True, **BEST)
    assert left == []


def test_weights_alone_are_not_validated(tmp_path, monkeypatch):
    """Neither by load_from, nor without a validation at that epoch."""
    train(tmp_path / 'a')
    left = scores(monkeypatch, .1, .2, .3)
    path = str(tmp_path / 'a/epoch_2.pth')
    train(tmp_path / 'b', load_from=path, **BEST)
    assert left == []
    left = scores(monkeypatch, .1)
    train(
        tmp_path / 'c',
        load_from=path,
        resume=True,
        **BEST,
        **{'train_cfg.val_interval': 3})
    assert left == []


def test_averages_are_saved_so(tmp_path):
    """Other hooks see the same as with MMEngine's hook."""
    states = []
    for kind in ('mmdet.AtomicCheckpointHook', 'CheckpointHook'):
        train(tmp_path / kind, EMAHook(momentum=.5),
              **{'default_hooks.checkpoint.type': kind})
        checkpoint = read_checkpoint(tmp_path / kind / 'epoch_2.pth')
        states.append({
            **checkpoint['state_dict'],
            **checkpoint['ema_state_dict']
        })
        assert checkpoint['message_hub']['runtime_info']['last_ckpt'] == str(
            tmp_path / kind / 'epoch_2.pth')
    ours, theirs = states
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_our_configs_have_it():
    cfg = Config.fromfile(CONFIGS / '_base_/default_runtime.py')
    hook = cfg.default_hooks.checkpoint
    assert hook.pop('type') == 'AtomicCheckpointHook'
    assert AtomicCheckpointHook(**hook).max_keep_ckpts == 3
    assert cfg.default_hooks.non_finite_loss.type == 'NonFiniteLossHook'
