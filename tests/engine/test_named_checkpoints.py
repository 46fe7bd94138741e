"""What a checkpoint says of other files, in a copy or from elsewhere."""
import shutil

import pytest
import torch
from toy_training import ToyScores, train

BEST = {
    'default_hooks.checkpoint.save_best': 'score',
    'default_hooks.checkpoint.rule': 'greater',
    'default_hooks.checkpoint.max_keep_ckpts': 2,
    'validate': True
}
LONGER = {'train_cfg.max_epochs': 3, **BEST}


def files(folder):
    """Names of all checkpoints in a folder."""
    return sorted(path.name for path in folder.glob('*.pth'))


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Two epochs, of which the second is the best so far."""
    monkeypatch.setattr(ToyScores, 'scores', [.5, .7, .8, .9])
    train(tmp_path / 'a', **BEST)
    return tmp_path / 'a'


def changed(run, **info):
    """A checkpoint of another program, which notes something else."""
    content = torch.load(run / 'epoch_2.pth', weights_only=False)
    content['message_hub']['runtime_info'].update(info)
    torch.save(content, run / 'changed.pth')
    return str(run / 'changed.pth')


def test_a_copy_of_a_run_leaves_the_original_alone(run, tmp_path):
    copy = tmp_path / 'b'
    shutil.copytree(run, copy)
    before = files(run)
    train(copy, resume=True, load_from=str(copy / 'epoch_2.pth'), **LONGER)
    assert files(run) == before
    assert files(copy) == [
        'best_score_epoch_3.pth', 'epoch_2.pth', 'epoch_3.pth'
    ]


def test_another_folder_leaves_the_first_alone(run, tmp_path):
    before = files(run)
    runner = train(
        tmp_path / 'b',
        resume=True,
        load_from=str(run / 'epoch_2.pth'),
        **LONGER)
    assert files(run) == before
    assert files(tmp_path / 'b') == ['best_score_epoch_3.pth', 'epoch_3.pth']
    noted = runner.message_hub.get_info('best_ckpt')
    assert noted == str(tmp_path / 'b/best_score_epoch_3.pth')


@pytest.mark.parametrize('name', ['victim', 'a/best_folder.pth', 'a/x.pth'])
def test_no_other_file_and_no_folder_is_removed(run, tmp_path, name):
    """Neither outside nor inside of the folder of the run."""
    victim = tmp_path / name
    if victim.suffix and 'best' not in name:
        victim.write_text('kept')
    else:
        victim.mkdir()
    path = changed(run, best_ckpt=str(victim), last_ckpt=str(victim))
    train(run, resume=True, load_from=path, **LONGER)
    assert victim.exists()
    assert 'best_score_epoch_3.pth' in files(run)


def test_ids_are_numbers(run, tmp_path):
    """As paths they would lead out of the folder, through ``epoch_``."""
    (run / 'epoch_').mkdir()
    victim = tmp_path / 'victim.pth'
    victim.write_text('kept')
    path = changed(run, keep_ckpt_ids=['/../../victim', 1, 2])
    train(run, resume=True, load_from=path, **LONGER)
    assert victim.exists()


def test_no_folder_is_removed_as_an_old_checkpoint(run):
    for step in (7, 8, 9):
        (run / f'epoch_{step}.pth').mkdir()
    path = changed(run, keep_ckpt_ids=[7, 8, 9, 1, 2])
    train(run, resume=True, load_from=path, **LONGER)
    assert all((run / f'epoch_{step}.pth').is_dir() for step in (7, 8, 9))
    assert not (run / 'epoch_1.pth').exists()
