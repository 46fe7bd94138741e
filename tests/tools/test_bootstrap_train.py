"""tools/bootstrap_train.py: rounds, going on, refusals."""
import fcntl
import os
import runpy
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from tiny_faster_rcnn import write_config
from tiny_fddb import random_folds, write_fddb

from tinyfaces.datasets.hard_negative_file import (HardNegatives,
                                                   read_hard_negatives,
                                                   read_header,
                                                   write_hard_negatives)
from tinyfaces.engine import with_hard_negatives

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / 'tools'
# Each training is killed once, in its second epoch.
KILLS = """
import os
import signal
from pathlib import Path
from mmengine.hooks import Hook
from mmengine.registry import HOOKS


@HOOKS.register_module()
class KillOnce(Hook):
    def before_train_epoch(self, runner):
        killed = Path(runner.work_dir, 'killed')
        if runner.epoch == 1 and not killed.exists():
            killed.touch()
            os.kill(os.getpid(), signal.SIGKILL)
"""
KILLED = """
custom_imports = dict(imports=['tinyfaces', 'kills'])
custom_hooks = [dict(type='KillOnce')]
"""


@pytest.fixture(scope='module')
def script():
    """What the script defines."""
    sys.path.insert(0, str(TOOLS))
    try:
        yield runpy.run_path(str(TOOLS / 'bootstrap_train.py'))
    finally:
        sys.path.remove(str(TOOLS))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A config, and the folder to work in."""
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path)
    return tmp_path


class Calls(list):
    """The commands that would be run; ``stop`` is the last, and fails."""
    stop = None

    def names(self):
        """What each command does, and of which round."""
        return [(Path(command[1]).stem, Path(command[2]).parent.name)
                for command in self]


@pytest.fixture
def calls(script, monkeypatch, folder):
    """Replaces the processes."""
    calls = Calls()

    def run_logged(command, log, what):
        calls.append(command)
        stopped = len(calls) == calls.stop
        if 'train' in Path(command[1]).name:
            work_dir = Path(command[command.index('--work-dir') + 1])
            work_dir.mkdir(parents=True, exist_ok=True)
            epoch = 1 if stopped else 2
            (work_dir / f'epoch_{epoch}.pth').touch()
            (work_dir / 'last_checkpoint').write_text(f'/x/epoch_{epoch}.pth')
        elif not stopped:
            out = Path(command[command.index('--out') + 1])
            number = int(out.parent.name.split('_')[1])
            box = np.array([[0, 0, number, number]], np.float32)
            write_hard_negatives(
                out,
                {'a': HardNegatives(box, np.array([.75], np.float32), 9, 9)},
                dict(score_thr=.5, weights=str(number)))
        if stopped:
            raise SystemExit(f'error: {what} failed')

    run = script['Bootstrapping'].run
    monkeypatch.setitem(run.__globals__, 'run_logged', run_logged)
    return calls


def bootstrap(script, *argv):
    """Run the script's command line in this process."""
    args = script['parse_args'](['tiny.py', '--work-dir', 'b', *argv])
    script['Bootstrapping'](args).run()


ALL = [('train', 'round_1'), ('harvest_hard_negatives', 'round_1'),
       ('train', 'round_2'), ('harvest_hard_negatives', 'round_2'),
       ('train', 'round_3')]


def test_two_rounds(script, calls, capsys):
    bootstrap(script, '--score-thr', '.25', '--cfg-options',
              'optim_wrapper.optimizer.lr=0.5')
    assert calls.names() == ALL[:3]
    train, harvest, again = calls
    assert train == [
        sys.executable, f'{TOOLS}/train.py', 'b/round_1/config.py',
        '--work-dir', 'b/round_1/train'
    ]
    assert harvest == [
        sys.executable, f'{TOOLS}/harvest_hard_negatives.py',
        'b/round_1/config.py', 'b/round_1/train/epoch_2.pth', '--out',
        'b/round_1/harvested.jsonl', '--work-dir', 'b/round_1/harvest',
        '--score-thr', '0.25', '--iou-thr', '0.5', '--max-per-img', '100'
    ]
    assert again[2:] == [
        'b/round_2/config.py', '--work-dir', 'b/round_2/train'
    ]
    first = Config.fromfile('tiny.py')
    first.optim_wrapper.optimizer.lr = .5
    assert Config.fromfile('b/round_1/config.py').to_dict() == first.to_dict()
    second = Config.fromfile('b/round_2/config.py')
    assert second.to_dict() == with_hard_negatives(
        first, 'b/round_1/hard_negatives.jsonl').to_dict()
    printed = capsys.readouterr().out
    assert 'round 1: 1 hard negatives in 1 pictures so far' in printed
    assert '2 rounds trained: b/round_2/train/epoch_2.pth' in printed


def test_more_rounds_go_on_with_the_union(script, calls, capsys):
    bootstrap(script)
    # All that later rounds need of a round is what it harvested.
    Path('b/round_1/train/epoch_2.pth').unlink()
    bootstrap(script, '--rounds', '3')
    assert calls.names() == ALL
    union = read_hard_negatives('b/round_2/hard_negatives.jsonl')
    assert union['a'].boxes[:, 2].tolist() == [1, 2]
    assert 'weights' not in read_header('b/round_2/hard_negatives.jsonl')
    third = Config.fromfile('b/round_3/config.py')
    assert third.train_dataloader.dataset.pipeline[2].ann_file == (
        'b/round_2/hard_negatives.jsonl')
    assert third.load_from is None


@pytest.mark.parametrize('stop', range(1, 6))
def test_goes_on_at_the_step_where_it_stopped(script, calls, stop):
    calls.stop = stop
    with pytest.raises(SystemExit, match='failed'):
        bootstrap(script, '--rounds', '3')
    assert calls.names() == ALL[:stop]
    bootstrap(script, '--rounds', '3')
    assert calls.names() == ALL[:stop] + ALL[stop - 1:]
    again = calls[stop]
    resumed = [command for command in calls if '--resume' in command]
    if 'train.py' in again[1]:
        assert resumed == [again]
        assert again[-1] == f'b/{ALL[stop - 1][1]}/train/epoch_1.pth'
    else:
        assert not resumed and again == calls[stop - 1]
    # Once more: nothing is left to do.
    count = len(calls)
    bootstrap(script, '--rounds', '3')
    assert len(calls) == count


def test_killed_between_harvest_and_union(script, calls):
    bootstrap(script)
    Path('b/round_1/hard_negatives.jsonl').unlink()
    bootstrap(script)
    assert calls.names() == ALL[:3]
    assert Path('b/round_1/hard_negatives.jsonl').is_file()


def test_from_the_previous_round_and_without_the_rpn(script, calls):
    arguments = ('--from-previous', '--no-rpn')
    bootstrap(script, *arguments)
    second = Config.fromfile('b/round_2/config.py')
    assert second.load_from == 'b/round_1/train/epoch_2.pth'
    samplers = second.model.train_cfg
    assert samplers.rpn.sampler.type == 'SeededRandomSampler'
    assert samplers.rcnn.sampler.type == 'HardNegativeSampler'
    Path('b/round_2/train/epoch_2.pth').unlink()
    Path('b/round_1/train/epoch_2.pth').unlink()
    with pytest.raises(SystemExit, match='round_1/train has no checkpoint a'):
        bootstrap(script, *arguments)


def test_gpus(script, calls):
    bootstrap(script, '--gpus', '4')
    assert calls[0][:4] == [
        'bash', f'{TOOLS}/dist_train.sh', 'b/round_1/config.py', '4'
    ]
    assert calls[1][:5] == [
        'bash', f'{TOOLS}/dist_harvest.sh', 'b/round_1/config.py',
        'b/round_1/train/epoch_2.pth', '4'
    ]
    with pytest.raises(SystemExit, match='gpus: 4 -> 1'):
        bootstrap(script)


def test_another_config_or_run_is_refused(script, calls, capsys):
    bootstrap(script)
    for arguments, message in (
        (('--no-rpn', ), 'rpn: True -> False'),
        (('--cfg-options', 'optim_wrapper.optimizer.lr=0.5'),
         'optimizer.lr: 0.02 -> 0.5'),
    ):
        with pytest.raises(
                SystemExit,
                match=rf'(?s)the rounds in b are of another.*{message}'):
            bootstrap(script, *arguments)
    with pytest.raises(
            SystemExit,
            match='(?s)the harvests in b are of .*max_per_img: 100 -> 7'):
        bootstrap(script, '--max-per-img', '7')
    with open('b/lock', 'ab') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert script['main'](['tiny.py', '--work-dir', 'b']) == 1
    error = capsys.readouterr().err
    assert error.startswith('error: the training in b is being done by anothe')
    assert len(calls) == 3


def test_options_of_the_harvest_may_change_until_it_begins(script, calls):
    calls.stop = 2
    with pytest.raises(SystemExit, match='failed'):
        bootstrap(script)
    bootstrap(script, '--max-per-img', '7')
    assert calls.names() == ALL[:2] + ALL[1:3]
    assert calls[2][-1] == '7'


def test_a_first_round_that_was_removed(script, calls):
    """Later ones do not go on with another config, or other negatives."""
    bootstrap(script)
    shutil.rmtree('b/round_1')
    with pytest.raises(SystemExit, match='the rounds in b are of another co'):
        bootstrap(script, '--cfg-options', 'optim_wrapper.optimizer.lr=0.5')
    # The same again gives the same.
    bootstrap(script)
    assert calls.names() == ALL[:3] + ALL[:2]
    Path('b/round_1/hard_negatives.jsonl').write_text(
        Path('b/round_1/hard_negatives.jsonl').read_text().replace(
            '0.75', '0.8'))
    with pytest.raises(
            SystemExit,
            match=r'(?s)round 2 was trained with other files of round 1:'
            r'.*hard_negatives: \w+ -> .*remove b/round_2'):
        bootstrap(script)
    shutil.rmtree('b/round_2')
    bootstrap(script)
    assert calls.names() == ALL[:3] + ALL[:3]


def test_other_weights_of_the_round_before(script, calls):
    bootstrap(script, '--from-previous')
    checkpoint = Path('b/round_1/train/epoch_2.pth')
    checkpoint.write_text('other')
    with pytest.raises(SystemExit, match='load_from: '):
        bootstrap(script, '--from-previous')
    checkpoint.unlink()
    bootstrap(script, '--from-previous')
    assert len(calls) == 3


def test_a_harvest_of_other_weights_is_done_again(script, calls):
    bootstrap(script)
    shutil.rmtree('b/round_2')
    Path('b/round_1/hard_negatives.jsonl').unlink()
    Path('b/round_1/train/epoch_2.pth').write_text('other')
    bootstrap(script)
    assert calls.names() == ALL[:3] + ALL[1:3]


def test_a_pointer_that_was_being_written(script, calls):
    """A kill in that moment loses no epoch."""
    calls.stop = 1
    with pytest.raises(SystemExit, match='failed'):
        bootstrap(script)
    folder = Path('b/round_1/train')
    for name in ('epoch_9.pth', 'epoch_10.pth', 'epoch_12_best.pth'):
        with zipfile.ZipFile(folder / name, 'w') as file:
            file.writestr('a', 'b')
    (folder / 'epoch_11.pth').write_bytes(b'PK half')
    round_1 = script['Round'](folder.parent, 1)
    assert round_1.resumable.name == 'epoch_1.pth'
    for content in ('', '/x/epoch_8.pth'):
        (folder / 'last_checkpoint').write_text(content)
        assert round_1.resumable.name == 'epoch_10.pth'
        assert round_1.checkpoint is None
    (folder / 'last_checkpoint').unlink()
    assert round_1.is_started()
    bootstrap(script)
    assert calls[1][-2:] == ['--resume', 'b/round_1/train/epoch_10.pth']


def test_configs_that_are_no_first_round(script, calls, folder):
    with pytest.raises(SystemExit, match='trains in rounds itself; give .*tr'):
        bootstrap(script, '--cfg-options', 'train_cfg.type=BootstrapTrainLoop')
    later = with_hard_negatives(Config.fromfile('tiny.py'), 'f.jsonl')
    later.dump('tiny.py')
    with pytest.raises(SystemExit, match='pipeline has LoadHardNegatives, so'):
        bootstrap(script)
    assert not calls


def test_mistakes_show_before_the_first_training(script, calls, folder,
                                                 capsys):
    arguments = ('--cfg-options', 'load_from=none.pth')
    with pytest.raises(SystemExit, match='load_from "none.pth" does not'):
        bootstrap(script, *arguments)
    with pytest.raises(SystemExit, match='tiny.py: model.train_cfg.rpn.sampl'):
        bootstrap(script, '--cfg-options',
                  'model.train_cfg.rpn.sampler.type=OHEMSampler')
    with pytest.raises(SystemExit, match='tiny.py: the config has no test_da'):
        bootstrap(script, '--cfg-options', 'test_dataloader=None')
    with pytest.raises(SystemExit, match='error: score_thr must be'):
        bootstrap(script, '--score-thr', '2')
    with pytest.raises(SystemExit):
        bootstrap(script, '--rounds', '0')
    assert '--rounds must be at least 1' in capsys.readouterr().err
    with pytest.raises(SystemExit, match='config "none.py" does not exist'):
        script['main'](['none.py'])
    assert not calls and not Path('b').exists()


def test_the_shell_script():
    """Rounds and GPUs by their places; the rest is handed on."""

    def call(*argv):
        return subprocess.run(['bash', TOOLS / 'bootstrap_train.sh', *argv],
                              env={
                                  **os.environ, 'PYTHON': 'echo'
                              },
                              capture_output=True,
                              text=True,
                              check=False)

    tool = f'{TOOLS}/bootstrap_train.py'
    for argv, words in (
        (['my c.py'], 'my c.py'),
        (['c.py', '3'], 'c.py --rounds 3'),
        (['c.py', '3', '8', '--no-rpn'], 'c.py --rounds 3 --gpus 8 --no-rpn'),
        (['c.py', '--work-dir', '7'], 'c.py --work-dir 7'),
    ):
        assert call(*argv).stdout == f'{tool} {words}\n'
    result = call()
    assert result.returncode == 2
    assert result.stderr.startswith('usage: bootstrap_train.sh CONFIG')


@pytest.mark.slow
def test_each_training_is_killed(script, folder, monkeypatch, capsys):
    """Real processes; the same command goes on after kill -9."""
    write_fddb(folder, random_folds(num_folds=2, pictures=4))
    (folder / 'kills.py').write_text(KILLS)
    write_config(folder, KILLED)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    monkeypatch.setenv('PYTHONPATH', f'{folder}:{ROOT}/projects')
    arguments = ('--score-thr', '.3')
    for number in (1, 2):
        with pytest.raises(
                SystemExit,
                match=f'training of round {number} failed with exit code -9'):
            bootstrap(script, *arguments)
    bootstrap(script, *arguments)
    printed = capsys.readouterr().out
    for number in (1, 2):
        assert f'round {number} of 2: resuming' in printed
        log = Path(f'b/round_{number}/train.log').read_text()
        assert 'resumed epoch: 1' in log
        # Two steps an epoch, each done once.
        for epoch in (1, 2):
            assert log.count(f'Epoch(train) [{epoch}][2/2]') == 1
    harvested = read_hard_negatives('b/round_1/hard_negatives.jsonl')
    assert harvested
    log = Path('b/round_1/harvest.log').read_text()
    assert f'in {len(harvested)} of 4 pictures written to b/round_1' in log
    second = Config.fromfile('b/round_2/train/config.py')
    assert second.train_dataloader.dataset.pipeline[2].ann_file == (
        'b/round_1/hard_negatives.jsonl')
