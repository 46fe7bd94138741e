"""Trainings that are killed end as one that nothing stopped."""
import os
import signal

import pytest
import torch
from benchmark_runs import import_from, run_benchmark, small_trainings

from tinyfaces.utils.checkpoint_files import CheckpointError, read_checkpoint

# In turn: in an epoch, without any checkpoint; writing last_checkpoint, after
# the best one; in the middle of writing a checkpoint; between one and
# last_checkpoint; in a validation, after its checkpoint.
MOMENTS = ('epoch 1, step 2', r'validation 1.*: open \.?last_checkpoint#1@0',
           r'open \.epoch_2-.*\.pth#1@20000',
           'epoch 2.*: rename last_checkpoint', 'validation 2, picture 3')


@pytest.fixture(scope='module')
def found(tmp_path_factory):
    """What benchmarks/kill_and_resume.py finds, and where."""
    folder = tmp_path_factory.mktemp('kill_and_resume')
    config = small_trainings().write_validated(folder)
    return folder, run_benchmark('kill_and_resume.py', folder, config,
                                 '--kinds', 'trainx1', '--at', *MOMENTS)


@pytest.mark.slow
def test_ends_as_if_nothing_had_stopped_it(found):
    folder, result = found
    assert result['ends'] == [
        dict(run=1, kind='trainx1', kills=len(MOMENTS), differences=[])
    ]
    runs = folder / 'runs/trainx1'
    one, two = (
        read_checkpoint(runs / name / 'epoch_2.pth')
        for name in ('whole', 'run_1'))
    assert one['meta']['iter'] == two['meta']['iter'] == 4
    assert one['meta']['epoch'] == two['meta']['epoch'] == 2
    for key, weight in one['state_dict'].items():
        assert torch.equal(weight, two['state_dict'][key]), key
    # What is kept of validations is the same, too.
    keys = ('best_score', 'last_validated')
    one, two = (run['message_hub']['runtime_info'] for run in (one, two))
    assert [one[key] for key in keys] == [two[key] for key in keys]


@pytest.mark.slow
def test_killed_where_it_should_be(found):
    _, result = found
    assert [(kill['where'], kill['goes_on']) for kill in result['kills']] == [
        ('epoch 1, step 2', 'nothing'),
        ('validation 1, picture 4', 'epoch_1.pth'),
        ('epoch 2, step 2', 'epoch_1.pth'),
        ('epoch 2, step 2', 'epoch_1.pth'),
        ('validation 2, picture 3', 'epoch_2.pth'),
    ]
    files = [kill['file'] for kill in result['kills']]
    assert files[0] == files[4] == ''
    assert files[1].startswith('open .last_checkpoint-')
    assert files[2].startswith('open .epoch_2-')
    assert files[3] == 'rename last_checkpoint'


def test_witness(tmp_path):
    """Each kind of death, and what is known of it; nothing is imported."""
    kills = import_from('benchmarks', '_kills')
    deaths = []
    for text in ('start: rename two#2', 'open one@5', 'remove', 'never'):
        moment = kills.Moment.parse(text)
        folder = tmp_path / str(len(deaths))
        folder.mkdir()
        witness = kills.Witness(folder, moment)
        pid = os.fork()
        if not pid:
            try:
                _write_and_rename(folder, witness)
            finally:
                os._exit(0)
        _, status = os.waitpid(pid, 0)
        deaths.append((os.WTERMSIG(status), witness.where, witness.file))
        content = {
            path.name: path.read_text()
            for path in sorted(folder.iterdir())
        }
        deaths[-1] += (content, )
    assert deaths == [
        (signal.SIGKILL, 'start', 'rename two',
         dict(one='second ' * 3, two='first ' * 3)),
        (signal.SIGXFSZ, 'start', 'open one', dict(one='first')),
        (signal.SIGKILL, 'start', 'remove two', dict(two='second ' * 3)),
        (0, 'start', 'remove two', dict()),
    ]


def _write_and_rename(folder, witness):
    """What the witness sees; a file elsewhere is none of its business."""
    witness.install(0)
    (folder.parent / 'elsewhere').write_text('')
    for text in ('first ', 'second '):
        (folder / 'one').write_text(text * 3)
        os.replace(folder / 'one', folder / 'two')
    (folder / 'two').unlink()


def test_moments():
    moment = import_from('benchmarks', '_kills').Moment
    assert moment.parse('open .*#2@70') == moment(None, 'open .*', 2, 70)
    assert moment.parse('end') == moment(what='end')
    assert str(moment(seconds=1.5)) == 'after 1.50 s'
    for wrong in ('', 'end#0'):
        with pytest.raises(ValueError, match='give WHAT'):
            moment.parse(wrong)


def test_damage_and_differences_are_found(tmp_path):
    """A checkpoint that is no whole one, and one of other numbers."""
    module = import_from('benchmarks', '_runs_to_kill')
    work = module.Training('train', 'train.py', [], 1, tmp_path)

    def write(folder, weight, state=None):
        folder.mkdir(exist_ok=True)
        path = folder / 'epoch_1.pth'
        torch.save(
            dict(
                state_dict=dict(w=torch.tensor([weight])),
                optimizer=dict(state=[state]),
                param_schedulers=[],
                meta=dict(iter=1)), path)
        (folder / 'last_checkpoint').write_text(str(path))
        return folder

    write(work.whole, 1.)
    run = write(tmp_path / 'run', 1.)
    assert work.differences(run) == []
    assert work.check_killed(run) == 'epoch_1.pth'
    assert work.differences(write(run, 1 + 2**-23)) == ['state_dict']
    write(run, 1., torch.tensor(2.))
    (run / '.left').touch()
    assert work.differences(run) == ['optimizer', '.left']
    os.truncate(run / 'epoch_1.pth', 700)
    with pytest.raises(CheckpointError):
        work.check_killed(run)
    (run / 'epoch_1.pth').unlink()
    with pytest.raises(ValueError, match='epoch_1.pth, which is not there'):
        work.check_killed(run)
