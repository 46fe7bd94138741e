"""``train.py --resume``: before the first checkpoint, moved, damaged."""
import itertools
import shutil
import sys
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from toy_training import toy_config, train, weights

from tinyfaces.utils.checkpoint_files import read_checkpoint

names = map('resumed {}'.format, itertools.count())


class Killed(BaseException):
    """Stands for a kill."""


class KillAt(Hook):
    """Ends the run before an iteration."""

    def __init__(self, iteration):
        self.iteration = iteration

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == self.iteration:
            raise Killed


@pytest.fixture
def run(scripts, monkeypatch, tmp_path):
    """Calls ``train.py --resume`` in this process, maybe until a kill."""
    script, _, module = scripts
    monkeypatch.setenv('LOCAL_RANK', '0')

    def call(config, kill_at=None, *options):
        monkeypatch.setattr(sys, 'argv', [
            'train.py',
            str(config), '--work-dir',
            str(tmp_path / 'work'), '--resume', *options
        ])

        def build(cfg):
            cfg.experiment_name = next(names)  # none twice in a process
            runner = module.build_runner(cfg)
            if kill_at is not None:
                runner.register_hook(KillAt(kill_at))
            call.runner = runner
            return runner

        monkeypatch.setitem(script, 'build_runner', build)
        script['main']()

    return call


@pytest.fixture(scope='module')
def pretrained(tmp_path_factory):
    """Weights that a config begins with."""
    return train(tmp_path_factory.mktemp('pretrained'))


@pytest.fixture
def config(tmp_path, pretrained):
    """A config that begins with these weights."""
    cfg = toy_config(tmp_path / 'work')
    cfg.load_from = str(Path(pretrained.work_dir, 'epoch_2.pth'))
    cfg.custom_imports = dict(
        imports=['tinyfaces', 'toy_training'], allow_failed_imports=False)
    cfg.pop('work_dir')
    cfg.pop('experiment_name')
    cfg.dump(tmp_path / 'toy.py')
    return tmp_path / 'toy.py'


def test_killed_before_and_after_the_first_checkpoint(run, config, tmp_path,
                                                      capsys):
    """The end is that of a training that was not killed."""
    whole = train(tmp_path / 'whole', load_from=_load_from(config))
    with pytest.raises(Killed):
        run(config, 2)
    assert f'no checkpoint in {tmp_path / "work"} yet' in capsys.readouterr(
    ).out
    assert not (tmp_path / 'work/last_checkpoint').exists()
    with pytest.raises(Killed):
        run(config, 6)  # two steps into the second epoch
    assert 'no checkpoint' in capsys.readouterr().out
    run(config)
    assert 'no checkpoint' not in capsys.readouterr().out
    assert torch.equal(weights(run.runner), weights(whole))
    # The config that it dumped goes on, too.
    run(tmp_path / 'work/config.py', None)
    assert torch.equal(weights(run.runner), weights(whole))


def _load_from(config):
    scope = {}
    exec(config.read_text(), scope)
    return scope['load_from']


def test_a_folder_that_was_moved(run, config, tmp_path):
    with pytest.raises(Killed):
        run(config, 4)
    moved = tmp_path / 'elsewhere'
    shutil.move(tmp_path / 'work', moved)
    shutil.move(moved, tmp_path / 'work')
    pointer = tmp_path / 'work/last_checkpoint'
    pointer.write_text('/no/such/folder/epoch_1.pth')
    run(config)
    assert run.runner.iter == 8
    assert pointer.read_text() == str(tmp_path / 'work/epoch_2.pth')


def test_damaged_and_missing_checkpoints(run, config, tmp_path):
    """By another program; the error names what is left."""
    run(config)
    newest, other = (tmp_path / f'work/epoch_{n}.pth' for n in (2, 1))
    whole = newest.read_bytes()
    newest.write_bytes(whole[:len(whole) // 2])
    remedy = rf'go on from the newest other one: --resume {other}'
    with pytest.raises(
            SystemExit, match=rf'(?s)error: {newest} cannot .*{remedy}'):
        run(config)
    newest.unlink()
    with pytest.raises(
            SystemExit, match=rf'last_checkpoint names "{newest}".*{remedy}'):
        run(config)
    # What it says, with another one, and with none.
    run(config, None, '--resume', str(other))
    assert read_checkpoint(newest)['meta']['epoch'] == 2
    for path in (newest, other):
        path.unlink()
    with pytest.raises(SystemExit, match='remove last_checkpoint to begin'):
        run(config)


def test_a_damaged_file_that_was_asked_for(run, config, tmp_path):
    bad = tmp_path / 'bad.pth'
    bad.write_bytes(b'')
    with pytest.raises(SystemExit, match='error: .*bad.pth is empty'):
        run(config, None, '--resume', str(bad))
    with pytest.raises(SystemExit, match='error: .*bad.pth is empty'):
        run(config, None, '--cfg-options', f'load_from={bad}')
