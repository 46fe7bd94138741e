"""Which checkpoint a training goes on from, and that all processes agree."""
import os
import shutil

import pytest
from mmengine.config import Config
from rank_processes import process_group, spawn
from toy_training import train

PARALLEL = dict(
    type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)


def config(work_dir, out_dir=None):
    """As much of one as tells where checkpoints lie."""
    hook = dict(type='AtomicCheckpointHook')
    if out_dir is not None:
        hook['out_dir'] = str(out_dir)
    return Config(
        dict(work_dir=str(work_dir), default_hooks=dict(checkpoint=hook)))


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('')
    return str(path)


def test_a_stale_file_in_the_work_folder(scripts, tmp_path):
    """Checkpoints are elsewhere, and an earlier run's lies here."""
    last_checkpoint = scripts[2].last_checkpoint
    stale = touch(tmp_path / 'run/epoch_2.pth')
    named = touch(tmp_path / 'out/run/epoch_2.pth')
    pointer = tmp_path / 'run/last_checkpoint'
    pointer.write_text(named)
    cfg = config(tmp_path / 'run', tmp_path / 'out')
    assert last_checkpoint(cfg) == named
    # Moved, with the folder of the checkpoints or without.
    pointer.write_text('/gone/run/epoch_2.pth')
    assert last_checkpoint(cfg) == named
    os.unlink(named)
    assert last_checkpoint(cfg) == stale


def test_a_copy_goes_on_from_its_own(scripts, tmp_path):
    named = touch(tmp_path / 'a/epoch_2.pth')
    (tmp_path / 'a/last_checkpoint').write_text(named)
    shutil.copytree(tmp_path / 'a', tmp_path / 'b')
    find = scripts[2].last_checkpoint
    assert find(config(tmp_path / 'a')) == named
    assert find(config(tmp_path / 'b')) == str(tmp_path / 'b/epoch_2.pth')
    os.unlink(tmp_path / 'b/epoch_2.pth')
    assert find(config(tmp_path / 'b')) == named


def test_training_goes_on_in_another_folder(scripts, tmp_path):
    """By CheckpointHook's own rule of where that is."""
    kind = scripts[2].TinyFacesRunner
    out = {'default_hooks.checkpoint.out_dir': str(tmp_path / 'out')}
    train(tmp_path / 'run', kind=kind, **{'train_cfg.max_epochs': 1}, **out)
    (tmp_path / 'run/epoch_1.pth').write_text('stale')
    resumed = train(tmp_path / 'run', kind=kind, resume=True, **out)
    assert resumed.iter == 8
    assert (tmp_path / 'out/run/epoch_2.pth').is_file()


def _work(rank, file, folder, kind):
    with process_group(rank, file):
        _work_of(rank, folder, kind)


def _work_of(rank, folder, kind):
    os.environ['LOCAL_RANK'] = str(rank)

    def start(*works):
        return train(
            folder / works[rank],
            kind=kind,
            launcher='pytorch',
            resume=True,
            model_wrapper_cfg=PARALLEL)

    for works, text in [
        (('two', 'none'), r'goes on from epoch_2.*begins without a'),
        (('two', 'one'), r'goes on from epoch_2.*goes on from epoch_1'),
        (('two', 'other'), r'has epoch 2, iter 8.*has epoch 1, iter 4'),
    ]:
        with pytest.raises(SystemExit, match=f'(?s)process 0.*{text}') as one:
            start(*works)
        assert '--work-dir' in str(one.value)
    text = 'bad/epoch_2.pth is empty'
    if rank == 0:
        text = 'other processes could not begin:\n  process 1 .*' + text
    with pytest.raises(SystemExit, match=text):
        start('two', 'bad')
    assert start('two', 'two').iter == 8


def test_work_folders_that_are_not_shared(scripts, tmp_path):
    """All processes stop, where they would train different weights."""
    train(tmp_path / 'two')
    for name in ('one', 'other', 'bad', 'none'):
        (tmp_path / name).mkdir()
    for name, source, target in (('one', 1, 1), ('other', 1, 2), ('bad', 1,
                                                                  2)):
        path = tmp_path / f'{name}/epoch_{target}.pth'
        shutil.copy(tmp_path / f'two/epoch_{source}.pth', path)
        (path.parent / 'last_checkpoint').write_text(str(path))
    (tmp_path / 'bad/epoch_2.pth').write_text('')
    spawn(_work, tmp_path, tmp_path, scripts[2].TinyFacesRunner)
