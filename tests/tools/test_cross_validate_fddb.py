"""tools/cross_validate_fddb.py: folds, resuming, refusals, pooling."""
import errno
import fcntl
import json
import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from tiny_detector import RETINANET
from tiny_fddb import random_folds, write_fddb

from tinyfaces.datasets.fddb_annotations import (ellipses_to_boxes, load_fddb,
                                                 parse_fddb_annotations)
from tinyfaces.evaluation.functional import (evaluate_fddb,
                                             read_fddb_detections, read_roc,
                                             write_fddb_folds)
from tinyfaces.evaluation.functional.fddb_io import write_image_sizes_file
from tinyfaces.evaluation.functional.fddb_output import check_fddb_output

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / 'tools'
SIZE = (64, 48)
FOLDS = random_folds(size=SIZE)
MODEL = {
    **RETINANET, 'train_cfg':
    dict(
        assigner=dict(
            type='MaxIoUAssigner',
            pos_iou_thr=.5,
            neg_iou_thr=.4,
            min_pos_iou=0),
        sampler=dict(type='PseudoSampler'),
        allowed_border=-1,
        pos_weight=-1)
}

CONFIG = """
_base_ = ['{configs}/_base_/datasets/fddb.py',
          '{configs}/_base_/default_runtime.py']
data_root = '{root}/'
model = {model}
# Two steps of training on tiny pictures; the same for each epoch.
train_pipeline = [
    dict(type='LoadImageFromFile'), dict(type='LoadAnnotations',
                                         with_bbox=True),
    dict(type='Resize', scale=(64, 64), keep_ratio=False),
    dict(type='PackDetInputs')]
train_dataloader = dict(
    batch_size=9, num_workers=0, persistent_workers=False,
    dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(num_workers=0, persistent_workers=False,
                      dataset=dict(data_root=data_root))
test_dataloader = val_dataloader
val_evaluator = dict(folds_dir=data_root + 'FDDB-folds')
test_evaluator = val_evaluator
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=2)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.001))
default_hooks = dict(logger=dict(interval=1))
custom_imports = dict(imports=['tinyfaces', 'stops'])
custom_hooks = [dict(type='StopOnce', file='{root}/stopped')]
"""
# Stands for whatever may stop a training, in the second epoch, once.
STOPS = """
from pathlib import Path
from mmengine.hooks import Hook
from mmengine.registry import HOOKS


@HOOKS.register_module()
class StopOnce(Hook):
    def __init__(self, file):
        self.file = Path(file)

    def before_train_epoch(self, runner):
        if runner.epoch == 1 and not self.file.exists():
            self.file.touch()
            raise RuntimeError('stopped for the test')
"""


@pytest.fixture(scope='module')
def script():
    """What the script defines."""
    sys.path.insert(0, str(TOOLS))
    try:
        yield runpy.run_path(str(TOOLS / 'cross_validate_fddb.py'))
    finally:
        sys.path.remove(str(TOOLS))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """FDDB of twenty pictures, a config, and the folder to work in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('GPUS', raising=False)
    write_fddb(tmp_path, FOLDS, SIZE)
    (tmp_path / 'stops.py').write_text(STOPS)
    (tmp_path / 'tiny.py').write_text(
        CONFIG.format(configs=ROOT / 'configs', root=tmp_path, model=MODEL))
    return tmp_path


@pytest.fixture
def calls(script, monkeypatch, folder):
    """Replaces the processes; lists the commands that they would be.

    A training leaves a checkpoint; a test leaves every face that it should
    find, with the number of the fold in the scores.
    """
    calls = []

    def run_logged(command, log, what):
        calls.append(command)
        argv = [*command[2:], 'end']
        work_dir = Path(argv[argv.index('--work-dir') + 1])
        work_dir.mkdir(parents=True, exist_ok=True)
        if any('train' in Path(x).name for x in command[:2]):
            (work_dir / 'epoch_2.pth').touch()
            # MMEngine writes a path that is of no use after a move.
            (work_dir / 'last_checkpoint').write_text('/gone/epoch_2.pth')
            return
        out = Path(argv[argv.index('--fddb-out') + 1])
        check_fddb_output(out)
        option = next(
            x for x in argv if x.startswith('test_dataloader.dataset.folds='))
        fold, = json.loads(option.split('=')[1])
        found = {}
        for name, faces in FOLDS[fold].items():
            boxes = ellipses_to_boxes(np.array(faces))
            boxes[:, 2:] -= boxes[:, :2]
            found[name] = np.hstack(
                [boxes, np.full((len(boxes), 1), fold / 10)])
        write_fddb_folds(found, {fold: list(found)}, out)
        write_image_sizes_file(
            dict.fromkeys(found, SIZE), out / 'image_sizes.txt')
        rates = dict(final=1., tpr_at={})
        (out / 'results.json').write_text(
            json.dumps(
                dict(
                    detectors=dict(
                        detector=dict(
                            num_images=len(found), disc=rates, cont=rates)))))

    run = script['CrossValidation'].run
    monkeypatch.setitem(run.__globals__, 'run_logged', run_logged)
    return calls


def validate(script, *argv):
    """Run the script's command line in this process."""
    argv = ['tiny.py', '--work-dir', 'cv', *argv]
    script['CrossValidation'](script['parse_args'](argv)).run()


def options(command):
    """The config entries that a command overrides."""
    return dict(
        word.split('=', 1)
        for word in command[command.index('--cfg-options') + 1:])


def test_ten_folds_are_trained_tested_and_pooled(script, calls, capsys):
    validate(script)
    printed = capsys.readouterr().out
    assert len(calls) == 20
    for fold in range(1, 11):
        train, test = calls[2 * fold - 2:2 * fold]
        assert train[:3] == [sys.executable, f'{TOOLS}/train.py', 'tiny.py']
        assert '--resume' not in train
        others = [n for n in range(1, 11) if n != fold]
        assert options(train) == {
            'train_dataloader.dataset.folds': str(others).replace(' ', ''),
            'val_dataloader': 'None',
            'val_evaluator': 'None',
            'val_cfg': 'None'
        }
        assert test[1:4] == [
            f'{TOOLS}/test.py', 'tiny.py',
            f'cv/fold-{fold:02d}/train/epoch_2.pth'
        ]
        assert options(test) == {'test_dataloader.dataset.folds': f'[{fold}]'}
        assert f'fold {fold} of 10: trained in 0 s' in printed
    # The pool is the ten files, in the order of the lists, scored as one.
    found = read_fddb_detections('cv/pooled/detections.txt')
    assert list(found) == [name for part in FOLDS.values() for name in part]
    truth = {
        e.name: e.ellipses
        for part in load_fddb('FDDB-folds').values()
        for e in part
    }
    result = evaluate_fddb(found, truth, dict.fromkeys(truth, SIZE))
    content = json.loads(Path('cv/pooled/results.json').read_text())
    detector = content['detectors']['detector']
    assert detector['cont']['final'] == result.final('cont') > .6
    assert detector['disc']['final'] == 1
    assert '20 of 20 pictures' in content['protocol']
    # All folds are in it: ten scores, highest last.
    assert read_roc('cv/pooled/DiscROC.txt')[:, 2] == pytest.approx(
        np.arange(1, 11) / 10)
    assert Path('cv/pooled/roc.png').read_bytes().startswith(b'\x89PNG')
    assert 'ten folds pooled' in printed

    calls.clear()
    validate(script)
    assert not calls
    assert capsys.readouterr().out.count('done before') == 10


def test_folds_of_several_runs_are_pooled_by_the_last(script, calls, capsys):
    validate(script, '--folds', '4', '2')
    assert len(calls) == 4
    assert 'not pooled yet: folds 1 3 5 6 7 8 9 10 are' in (
        capsys.readouterr().out)
    assert not Path('cv/pooled').exists()
    validate(script, '--folds', *map(str, range(1, 10)))
    assert 'not pooled yet: folds 10 are' in capsys.readouterr().out
    validate(script, '--folds', '10')
    assert len(calls) == 20 and Path('cv/pooled/DiscROC.txt').is_file()


@pytest.mark.parametrize('name', ['fold-03-out.txt', 'image_sizes.txt'])
def test_a_lost_detection_file_is_made_again(script, calls, name):
    """And without training again, as the checkpoint is there."""
    validate(script, '--folds', '3')
    lost = Path('cv/fold-03/detections', name)
    lost.unlink()
    validate(script, '--folds', '3')
    assert lost.is_file()
    assert [Path(x[1]).name
            for x in calls] == ['train.py', 'test.py', 'test.py']


def test_an_interrupted_training_resumes(script, calls, capsys):
    work_dir = Path('cv/fold-01/train')
    work_dir.mkdir(parents=True)
    Path('w.pth').touch()
    # Killed before its first checkpoint: from the start, with load_from.
    validate(script, '--folds', '1', '--cfg-options', 'load_from=w.pth')
    assert '--resume' not in calls[0]
    assert options(calls[0])['load_from'] == 'w.pth'
    # Killed after a checkpoint.
    Path('cv/fold-01/trained.json').unlink()
    Path('cv/fold-01/done.json').unlink()
    validate(script, '--folds', '1', '--cfg-options', 'load_from=w.pth')
    at = calls[2].index('--resume')
    assert calls[2][at + 1] == 'cv/fold-01/train/epoch_2.pth'
    assert 'fold 1 of 10: resuming' in capsys.readouterr().out


def test_another_config_is_refused(script, calls, folder):
    (folder / 'w.pth').write_text('weights')
    arguments = ('--folds', '1', '--cfg-options', 'load_from=w.pth')
    validate(script, *arguments)
    with pytest.raises(SystemExit) as error:
        validate(script, *arguments, 'optim_wrapper.optimizer.lr=0.5')
    message = str(error.value)
    assert 'the folds in cv are of another config' in message
    assert 'optim_wrapper.optimizer.lr: 0.001 -> 0.5' in message
    assert 'give another --work-dir' in message
    (folder / 'w.pth').write_text('other weights')
    with pytest.raises(SystemExit, match='load_from_sha256'):
        validate(script, *arguments)
    (folder / 'w.pth').write_text('weights')
    text = (folder / 'tiny.py').read_text()
    (folder / 'tiny.py').write_text(f'# A comment changes nothing.\n{text}')
    validate(script, *arguments)
    (folder / 'tiny.py').write_text(
        text.replace('scale=(64, 64)', 'scale=(32, 32)'))
    with pytest.raises(SystemExit, match=r'scale\.0: 64 -> 32'):
        validate(script, *arguments)
    assert len(calls) == 2


def test_a_command_may_be_mended_until_a_fold_is_started(
        script, calls, folder):
    arguments = ('--folds', '1', '--cfg-options', 'load_from=w.pth')
    with pytest.raises(SystemExit, match='load_from "w.pth" does not exist'):
        validate(script, *arguments)
    assert not Path('cv').exists()
    (folder / 'w.pth').touch()
    run = script['CrossValidation'].run.__globals__

    def fail(*_):
        raise SystemExit('stopped')

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(run, 'run_logged', fail)
        with pytest.raises(SystemExit, match='stopped'):
            validate(script, *arguments, 'optim_wrapper.optimiser.lr=0.5')
    description = Path('cv/cross_validation.json')
    assert 'optimiser' in description.read_text()
    # Another run trains fold 2, and has no checkpoint yet.
    lock = folder / 'cv/fold-02/lock'
    lock.parent.mkdir()
    with open(lock, 'ab') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(SystemExit, match='optimiser: .* -> None'):
            validate(script, *arguments)
    validate(script, *arguments)
    assert 'optimiser' not in description.read_text()
    for name in ('trained.json', 'done.json'):
        (folder / 'cv/fold-01' / name).unlink()
    with pytest.raises(SystemExit, match='optimizer.lr: 0.001 -> 0.5'):
        validate(script, *arguments, 'optim_wrapper.optimizer.lr=0.5')
    assert len(calls) == 2


def test_a_fold_is_done_by_one_run_only(script, calls, folder, monkeypatch,
                                        capsys):
    lock = folder / 'cv/fold-02/lock'
    lock.parent.mkdir(parents=True)
    arguments = ['tiny.py', '--work-dir', 'cv', '--folds', '1', '2']
    with open(lock, 'ab') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert script['main'](arguments) == 1
        error = capsys.readouterr().err
        assert error.startswith('error: fold 2 is being done by another run')
        assert error.count('\n') == 1
    assert len(calls) == 2
    assert script['main'](arguments) == 0
    assert len(calls) == 4

    def no_locks(*_):
        raise OSError(errno.ENOLCK, 'No locks available')

    monkeypatch.setattr(fcntl, 'flock', no_locks)
    assert script['main'](arguments) == 0
    assert 'No locks available); take care' in capsys.readouterr().out


def test_broken_files_are_one_line_errors(script, calls, capsys):
    validate(script)
    Path('cv/fold-04/detections/fold-04-out.txt').write_text('a\n1\n1 2 3\n')
    assert script['main'](['tiny.py', '--work-dir', 'cv']) == 1
    error = capsys.readouterr().err
    assert error.startswith('error: cv/fold-04/detections/fold-04-out.txt, l')
    assert error.count('\n') == 1


def test_gpus(script, calls, monkeypatch):
    monkeypatch.setenv('GPUS', '2')
    validate(script, '--folds', '1')
    train, test = calls
    assert train[:4] == ['bash', f'{TOOLS}/dist_train.sh', 'tiny.py', '2']
    assert test[:5] == [
        'bash', f'{TOOLS}/dist_test.sh', 'tiny.py',
        'cv/fold-01/train/epoch_2.pth', '2'
    ]
    # Two processes have twice the batch: another training.
    monkeypatch.setenv('GPUS', '4')
    with pytest.raises(SystemExit, match='gpus: 2 -> 4'):
        validate(script, '--folds', '2')
    monkeypatch.setenv('GPUS', 'all')
    with pytest.raises(SystemExit):
        validate(script)


def test_datasets_inside_others(script, calls, folder):
    """FDDB repeated, beside another dataset."""
    with open(folder / 'tiny.py', 'a') as file:
        file.write("""
inner = dict(type='mmdet.FDDBDataset', data_root=data_root, folds=None)
train_dataloader = dict(dataset=dict(
    _delete_=True, type='ConcatDataset', datasets=[
        dict(type='WiderFaceDataset'),
        dict(type='RepeatDataset', times=2, dataset=inner)]))
""")
    validate(script, '--folds', '2')
    assert options(
        calls[0])['train_dataloader.dataset.datasets.1.dataset.folds'] == (
            '[1,3,4,5,6,7,8,9,10]')
    cfg = Config.fromfile('tiny.py', import_custom_modules=False)
    assert cfg.train_dataloader.dataset.datasets[1].dataset.folds is None


def test_classes_of_new_style_configs(script, calls, folder):
    (folder / 'new.py').write_text("""
from tinyfaces.datasets import FDDBDataset
from tinyfaces.evaluation.metrics import FDDBMetric

train_dataloader = dict(dataset=dict(type=FDDBDataset, data_root='.'))
test_dataloader = train_dataloader
test_evaluator = dict(type=FDDBMetric, folds_dir='FDDB-folds')
""")
    arguments = ['new.py', '--work-dir', 'cv', '--folds', '2']
    assert script['main'](arguments) == 0
    assert options(calls[1]) == {'test_dataloader.dataset.folds': '[2]'}
    assert script['main'](arguments) == 0
    assert len(calls) == 2


def test_configs_that_are_not_of_fddb(script, calls, folder):
    with pytest.raises(SystemExit, match='config "none.py" does not exist'):
        script['CrossValidation'](script['parse_args'](['none.py']))
    text = (folder / 'tiny.py').read_text()
    for line, message in (
        ("train_dataloader = dict(dataset=dict(type='WiderFaceDataset'))",
         'train_dataloader of "tiny.py" is not made of FDDBDataset'),
        ("test_dataloader = dict(dataset=dict(type='WiderFaceDataset'))",
         'test_dataloader of "tiny.py" is not made of FDDBDataset'),
        ("test_evaluator = dict(type='WiderFaceMetric')",
         'has 0 FDDBMetric where one must be'),
    ):
        (folder / 'tiny.py').write_text(f'{text}\n{line}\n')
        with pytest.raises(SystemExit, match=message):
            validate(script)
    assert not calls and not Path('cv').exists()


def test_hard_negatives_of_one_file_are_refused(script, folder, calls):
    text = (folder / 'tiny.py').read_text()
    (folder / 'tiny.py').write_text(
        text.replace(
            "    dict(type='PackDetInputs')]",
            "    dict(type='LoadHardNegatives', ann_file='f'),"
            "    dict(type='PackHardNegativeInputs')]"))
    with pytest.raises(
            SystemExit,
            match=r'train_dataloader\.dataset\.pipeline of .* has LoadHardNe.*'
            r'hnm-loop_1xb1-27e_fddb\.py'):
        validate(script)
    assert not calls and not Path('cv').exists()


@pytest.fixture
def logged(tmp_path):
    """Starts ``run_logged``, for a process that waits for the file "go"."""

    def start(*before):
        child = ('import os, time; print(os.getpid(), flush=True)\n'
                 'while not os.path.exists("go"): time.sleep(.02)')
        # The tests themselves may run under nohup, which is inherited.
        hangup = '' if before else ('import signal; signal.signal('
                                    'signal.SIGHUP, signal.SIG_DFL);')
        program = (f'{hangup}import sys; sys.path.insert(0, sys.argv[1]);'
                   'from pathlib import Path;'
                   'from _stages import run_logged;'
                   'run_logged([sys.executable, "-c", sys.argv[2]],'
                   'Path("a/log"), "test")')
        process = subprocess.Popen(
            [*before, sys.executable, '-c', program,
             str(TOOLS), child],
            cwd=tmp_path,
            env={
                **os.environ, 'PYTHONPATH': str(ROOT / 'projects')
            })
        log = tmp_path / 'a/log'
        limit = time.monotonic() + 60
        while not (log.is_file() and log.read_text().endswith('\n')):
            assert time.monotonic() < limit and process.poll() is None
            time.sleep(.05)
        return process, int(log.read_text())

    yield start
    (tmp_path / 'go').touch()  # whatever is left ends


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGHUP])
def test_a_stop_reaches_the_process(script, logged, number):
    """What was started ends with the script, and its log stays."""
    process, child = logged()
    process.send_signal(number)
    assert process.wait(timeout=30) == 128 + number
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_a_kill_reaches_the_process(script, logged):
    """A run that is started again must not find the former one's training."""
    process, child = logged()
    process.kill()
    process.wait()
    status = Path(f'/proc/{child}/status')
    limit = time.monotonic() + 60
    # It may stay as a zombie until somebody asks for its exit code.
    while status.exists() and 'State:\tZ' not in status.read_text():
        assert time.monotonic() < limit
        time.sleep(.02)


def test_a_parent_that_is_gone_before_the_process_begins(script):
    end = script['run_logged'].__globals__['_end_with_parent']
    process = subprocess.Popen([sys.executable, '-c', ''],
                               preexec_fn=lambda: end(1))
    assert process.wait(timeout=30) == -signal.SIGTERM


def test_systems_other_than_linux(script, tmp_path, monkeypatch):
    run_logged = script['run_logged']
    monkeypatch.setitem(run_logged.__globals__, '_LINUX', False)
    monkeypatch.setitem(run_logged.__globals__, '_LIBC', None)
    run_logged([sys.executable, '-c', 'print(7)'], tmp_path / 'log', 'test')
    assert (tmp_path / 'log').read_text() == '7\n'


def test_nohup_goes_on_without_its_terminal(script, logged, tmp_path):
    process, child = logged('nohup')
    process.send_signal(signal.SIGHUP)
    os.kill(child, 0)
    (tmp_path / 'go').touch()
    assert process.wait(timeout=30) == 0


def test_the_shell_script():
    """It hands everything on; without a config it prints its usage."""

    def call(*argv):
        return subprocess.run(
            ['bash', TOOLS / 'cross_validate_fddb.sh', *argv],
            env={
                **os.environ, 'PYTHON': 'echo'
            },
            capture_output=True,
            text=True,
            check=False)

    result = call('my config.py', '--folds', '1', '2')
    assert result.stdout == (
        f'{TOOLS}/cross_validate_fddb.py my config.py --folds 1 2\n')
    result = call()
    assert result.returncode == 2
    assert result.stderr.startswith('usage: cross_validate_fddb.sh CONFIG')


@pytest.mark.slow
def test_stop_and_resume(script, folder, monkeypatch, capsys):
    """Real processes: a training that fails, resumes, and is tested."""
    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    monkeypatch.setenv('PYTHON', sys.executable)
    monkeypatch.setenv('PYTHONPATH', f'{folder}:{ROOT}/projects')
    monkeypatch.delenv('TINYFACES_REGISTER', raising=False)
    arguments = ('--folds', '2', '--cfg-options', 'model.test_cfg.nms_pre=50')
    with pytest.raises(SystemExit) as error:
        validate(script, *arguments)
    message = str(error.value)
    assert 'error: training of fold 2 failed with exit code 1' in message
    assert 'RuntimeError: stopped for the test' in message
    assert 'whole log: cv/fold-02/train.log' in message
    validate(script, *arguments)
    printed = capsys.readouterr().out
    assert 'fold 2 of 10: resuming' in printed
    assert 'by itself 2 pictures' in printed
    log = (folder / 'cv/fold-02/train.log').read_text()
    assert 'resumed epoch: 1' in log
    assert log.count('Epoch(train) [1][1/2]') == 1
    assert log.count('Epoch(train) [2][2/2]') == 1
    assert 'Epoch(val)' not in log
    # Eighteen pictures of nine folds, two of the other.
    dumped = Config.fromfile(
        folder / 'cv/fold-02/train/config.py', import_custom_modules=False)
    assert dumped.train_dataloader.dataset.folds == [1, *range(3, 11)]
    found = read_fddb_detections(folder /
                                 'cv/fold-02/detections/fold-02-out.txt')
    listed = parse_fddb_annotations(folder /
                                    'FDDB-folds/FDDB-fold-02-ellipseList.txt')
    assert list(found) == [entry.name for entry in listed]
