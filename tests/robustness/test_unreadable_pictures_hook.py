"""UnreadablePicturesHook by itself, on a runner of a few lines."""
import errno
import json
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from mmdet.structures import DetDataSample
from mmengine.logging import MessageHub, MMLogger

from tinyfaces.engine.hooks import unreadable_pictures_hook as module


def runner(folder, iteration=0, hub=None, **dataset):
    return SimpleNamespace(
        message_hub=hub or MessageHub('unreadable'),
        work_dir=str(folder),
        iter=iteration,
        train_dataloader=SimpleNamespace(dataset=SimpleNamespace(**dataset)))


def hook(**options):
    options = dict(min_asked=4, interval=1, **options)
    return module.UnreadablePicturesHook(**options)


def batch(*faults):
    """Two pictures, the first in place of others."""
    samples = [DetDataSample(), DetDataSample()]
    if faults:
        samples[0].set_metainfo(
            dict(unreadable=[(path, 'is empty') for path in faults]))
    return dict(data_samples=samples)


def found(folder):
    return json.loads((folder / 'unreadable_pictures.json').read_text())


@pytest.fixture(autouse=True)
def at_exit(monkeypatch):
    """What is to be called when the process ends, as (function, args)."""
    calls = []

    class AtExit:
        register = staticmethod(lambda *call: calls.append(call))

        @staticmethod
        def unregister(function):
            calls[:] = [call for call in calls if call[0] != function]

    monkeypatch.setattr(module, 'atexit', AtExit)
    return calls


@pytest.fixture
def log(monkeypatch):
    """What is logged."""
    lines = []
    logger = MMLogger.get_current_instance()
    monkeypatch.setattr(logger, 'warning', lines.append)
    monkeypatch.setattr(logger, 'error', lines.append)
    monkeypatch.setattr(logger, 'log', lambda level, text: lines.append(text))
    return lines


def test_counts_and_lists(tmp_path, log, at_exit):
    one, run = hook(max_fraction=.5), runner(tmp_path)
    one.before_train(run)
    one.after_train_iter(run, 0, batch())
    assert not log and not (tmp_path / 'unreadable_pictures.json').exists()
    one.after_train_iter(run, 1, batch('b.jpg', 'a.jpg'))
    one.after_train_iter(run, 2, batch('a.jpg'))
    one.after_val_iter(run, 0, None, batch('c.jpg')['data_samples'])
    one.after_val_epoch(run)
    # Each once; the second time it is only counted.
    assert [text.splitlines()[0] for text in log
            ] == ['2 pictures cannot be read:', '1 pictures cannot be read:']
    assert found(tmp_path) == dict(
        asked=9,
        unreadable=3,
        pictures=[
            dict(path=path, reason='is empty', where=where, times=times)
            for path, where, times in (('a.jpg', 'training',
                                        2), ('b.jpg', 'training', 1),
                                       ('c.jpg', 'validation', 1))
        ])
    one.after_train(run)
    assert log[-1].startswith('WARNING: 3 pictures could not be read; of 9 ')
    assert '  a.jpg: is empty (training, 2 times)\n' in log[-1]
    assert not at_exit


def test_resumed_and_begun_anew(tmp_path, log):
    one, run = hook(max_fraction=1), runner(tmp_path)
    one.before_train(run)
    one.after_train_iter(run, 0, batch('a.jpg'))
    # Another process goes on: by the file, which is newer than a checkpoint.
    hub = MessageHub('resumed')
    hub.load_state_dict(run.message_hub.state_dict())
    hub.update_info('unreadable_pictures', [1, 0])
    one, run = hook(max_fraction=1), runner(tmp_path, 1, hub)
    one.before_train(run)
    one.after_train_iter(run, 1, batch('a.jpg'))
    assert found(tmp_path)['asked'] == 6
    assert found(tmp_path)['pictures'][0]['times'] == 2
    assert len(log) == 1  # it has been named before
    # A loop that trains in rounds begins again in the same process.
    one.after_train(run)
    one.before_train(run)
    one.after_train_iter(run, 2, batch())
    assert found(tmp_path)['asked'] == 8
    file = tmp_path / 'unreadable_pictures.json'
    for text in ('{"asked": 1', '[]', '{"asked": 1, "unreadable": 0}'):
        file.write_text(text)
        with pytest.raises(ValueError, match='delete it to begin'):
            hook().before_train(runner(tmp_path, iteration=1))
    # A new training in the folder.
    hook().before_train(runner(tmp_path))
    assert not file.exists()


def test_resumed_after_good_pictures(tmp_path, log):
    """They count, though nothing was written about them."""
    one, run = hook(max_fraction=.3), runner(tmp_path)
    one.before_train(run)
    for at in range(5):
        one.after_train_iter(run, at, batch())
    assert not (tmp_path / 'unreadable_pictures.json').exists()
    hub = MessageHub('resumed')
    hub.load_state_dict(run.message_hub.state_dict())
    one, run = hook(max_fraction=.3), runner(tmp_path, 5, hub)
    one.before_train(run)
    one.after_train_iter(run, 5, batch('a.jpg', 'b.jpg'))
    assert found(tmp_path)['asked'] == 14
    # A new training forgets them.
    one, run = hook(max_fraction=.3), runner(tmp_path, 0, hub)
    one.before_train(run)
    with pytest.raises(RuntimeError, match='2 of 4 '):
        one.after_train_iter(run, 0, batch('a.jpg', 'b.jpg'))


@pytest.mark.parametrize('ranks', [1, 2])
def test_an_error_between_two_looks(tmp_path, log, at_exit, monkeypatch,
                                    ranks):
    """What this process saw is listed without asking the others."""
    one, run = hook(), runner(tmp_path)
    one.interval = 50
    monkeypatch.setattr(module, 'get_world_size', lambda: ranks)
    one.before_train(run)
    one.after_train_iter(run, 0, batch('a.jpg', 'b.jpg'))
    assert not (tmp_path / 'unreadable_pictures.json').exists()
    (function, *arguments), = at_exit
    with monkeypatch.context() as patch:
        patch.setattr(module, 'all_gather_object', None)
        function(*arguments)
    content = found(tmp_path)
    assert (content['asked'], content['unreadable']) == (4, 2)
    assert [entry['path']
            for entry in content['pictures']] == ['a.jpg', 'b.jpg']
    assert content.get('partial', False) == (ranks == 2)
    assert log[-1].startswith('WARNING: 2 pictures could not be read; of 4 ')
    # It can be gone on with.
    hook(max_fraction=1).before_train(runner(tmp_path, iteration=1))
    assert 'partial' not in found(tmp_path)


def test_too_many(tmp_path, log, at_exit):
    one, run = hook(max_fraction=.3), runner(tmp_path)
    one.before_train(run)
    one.after_train_iter(run, 0, batch('a.jpg'))  # one of three: too early
    one.after_train_iter(run, 1, batch())
    one.after_train_iter(run, 2, batch('b.jpg'))  # two of eight
    with pytest.raises(RuntimeError, match='5 of 13 .*max_fraction=0.3'):
        one.after_train_iter(run, 3, batch('a.jpg', 'b.jpg', 'c.jpg'))
    assert len(found(tmp_path)['pictures']) == 3
    # Ctrl-C and errors end a process by atexit.
    (function, *arguments), = at_exit
    function(*arguments)
    assert log[-1].count('.jpg') == 3


def test_of_all_processes(tmp_path, log, monkeypatch):
    """As if another process had seen two pictures, one of them too."""
    monkeypatch.setattr(
        module, 'all_gather_object', lambda mine: [
            mine,
            (8, [('a.jpg', 'gone', 'training'), ('b.jpg', 'gone', 'training')])
        ])
    one, run = hook(max_fraction=.5, ), runner(tmp_path, iteration=1)
    one.interval = 2
    one.after_train_iter(run, 0, batch('a.jpg'))
    assert found(tmp_path)['asked'] == 11
    assert found(tmp_path)['unreadable'] == 3
    assert [p['times'] for p in found(tmp_path)['pictures']] == [2, 1]
    run.iter = 2  # not a second one
    one.after_train_iter(run, 1, batch())
    assert found(tmp_path)['asked'] == 11


def test_left_out_at_the_start(tmp_path, log):
    inner = SimpleNamespace(left_out=[('a.jpg', 'is empty')])
    wrapped = SimpleNamespace(datasets=[
        SimpleNamespace(dataset=inner),
        SimpleNamespace(left_out=[('b.jpg', 'is empty')])
    ])
    one = hook()
    one.before_train(runner(tmp_path, dataset=wrapped))
    assert [
        (p['path'], p['where'], p['times'])
        for p in found(tmp_path)['pictures']
    ] == [(path, 'left out at the start', 0) for path in ('a.jpg', 'b.jpg')]
    assert found(tmp_path)['unreadable'] == 0 and len(log) == 1


def test_a_full_disk_ends_no_training(tmp_path, log, monkeypatch):

    @contextmanager
    def full(path):
        raise OSError(errno.ENOSPC, 'No space left on device')
        yield

    monkeypatch.setattr(module, 'atomic_write', full)
    one, run = hook(max_fraction=1), runner(tmp_path)
    one.before_train(run)
    one.after_train_iter(run, 0, batch('a.jpg'))
    assert 'not listed' in log[-1] and 'No space' in log[-1]


def test_batches_of_other_kinds(tmp_path):
    one, run = hook(), runner(tmp_path)
    one.before_train(run)
    for data in (None, [1, 2], dict(inputs=[1]), dict(data_samples=None)):
        one.after_train_iter(run, 0, data)
        one.after_val_iter(run, 0, None, [1.5])
    assert one.asked == 0


@pytest.mark.parametrize('options', [
    dict(max_fraction=1.1),
    dict(max_fraction=-.1),
    dict(min_asked=0),
    dict(interval=0)
])
def test_bad_arguments(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        module.UnreadablePicturesHook(**options)
