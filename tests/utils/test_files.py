import errno
import os

import pytest

from tinyfaces.utils.files import (atomic_write, check_writable,
                                   remove_leftovers, remove_leftovers_of)


def test_written_as_a_whole_or_not_at_all(tmp_path):
    path = tmp_path / 'new/folder/a.txt'
    with atomic_write(path) as temporary:
        temporary.write_text('one')
        assert not path.exists() and temporary.suffix == '.txt'
    with pytest.raises(KeyError), atomic_write(path) as temporary:
        temporary.write_text('two')
        raise KeyError
    assert path.read_text() == 'one'
    assert os.listdir(path.parent) == ['a.txt']


def test_a_link_is_followed(tmp_path):
    """What a user has put there for a file in another place stays."""
    (tmp_path / 'far').mkdir()
    (tmp_path / 'far/real.txt').write_text('old')
    for name, target in (('a.txt', 'far/real.txt'), ('b.txt', 'far/new.txt')):
        link = tmp_path / name
        link.symlink_to(target)
        with atomic_write(link) as temporary:
            temporary.write_text('new')
            assert temporary.parent == tmp_path / 'far'
        assert link.is_symlink()
        assert (tmp_path / target).read_text() == 'new'
    assert sorted(os.listdir(tmp_path / 'far')) == ['new.txt', 'real.txt']


def test_outdated_files_go_last(tmp_path, monkeypatch):
    path, scores = tmp_path / 'a.txt', tmp_path / 'scores'
    scores.touch()

    def full(file):
        raise OSError(errno.ENOSPC, 'full')

    with monkeypatch.context() as patch:
        patch.setattr(os, 'fsync', full)
        with pytest.raises(OSError), atomic_write(path, [scores]):
            assert scores.exists()
    assert scores.exists() and not path.exists()
    with atomic_write(path, [scores, tmp_path / 'none']):
        assert scores.exists()
    assert os.listdir(tmp_path) == ['a.txt']


@pytest.mark.parametrize('name, error, message', [
    ('folder', IsADirectoryError, 'folder is a folder; give the name of a'),
    ('file/a.json', NotADirectoryError, 'a.json .*: .*/file is not a folder'),
    ('file/b/a.json', NotADirectoryError,
     'a.json .*/file is not a .*; choose'),
])
def test_paths_that_cannot_be_files(tmp_path, name, error, message):
    (tmp_path / 'folder').mkdir()
    (tmp_path / 'file').write_text('old')
    with pytest.raises(error, match=message), atomic_write(tmp_path / name):
        pytest.fail('nothing must be written')
    assert sorted(os.listdir(tmp_path)) == ['file', 'folder']


def test_a_folder_without_permission(tmp_path, monkeypatch):
    """Said of the folder that exists, for root has all permissions."""
    check_writable(tmp_path / 'a/b.txt')
    monkeypatch.setattr(os, 'access', lambda path, mode: path != tmp_path)
    with pytest.raises(PermissionError, match='b.txt .*no permission for'):
        check_writable(tmp_path / 'a/b.txt')


def test_checking_makes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in ('a.txt', 'new/folder/a.txt', tmp_path / 'b'):
        check_writable(path)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize('number', [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize('when', ['making', 'writing', 'flushing'])
def test_a_full_disk_is_named_with_its_space(tmp_path, monkeypatch, number,
                                             when):
    """And what was there stays, with nothing beside it."""
    path = tmp_path / 'new/a.txt'
    with atomic_write(path) as temporary:
        temporary.write_text('one')

    def full(*args, **kwargs):
        raise OSError(number, 'full')

    if when != 'writing':
        name = dict(making='tempfile.mkstemp', flushing='os.fsync')[when]
        monkeypatch.setattr(name, full)
    with pytest.raises(
            OSError,
            match=r'a\.txt cannot be written: .* '
            r'\([\d,.]+ MiB free in .*/new\); make room') as caught:
        with atomic_write(path) as temporary:
            temporary.write_text('two')
            full()
    assert caught.value.errno == number
    assert path.read_text() == 'one'
    assert os.listdir(path.parent) == ['a.txt']


def test_leftovers_of_killed_runs(tmp_path):
    kept = ['epoch_1.pth', '.epoch_1-short.pth', '.other-12345678.pth']
    left = [
        '.epoch_1-12345678.pth', '.epoch_12-a_b4567z.pth', '.last-12345678'
    ]
    for name in kept + left:
        (tmp_path / name).touch()
    assert remove_leftovers(tmp_path / 'none', ['*']) == []
    removed = remove_leftovers(tmp_path, ['epoch_*.pth', 'last'])
    assert sorted(path.name for path in removed) == sorted(left)
    assert sorted(os.listdir(tmp_path)) == sorted(kept)
    # They are named as those of atomic_write are.
    with atomic_write(tmp_path / 'last') as temporary:
        assert remove_leftovers(tmp_path, ['last']) == [temporary]
        temporary.touch()


def test_leftovers_of_one_file(tmp_path):
    """Whose name may have letters that are wildcards elsewhere."""
    kept = ['.ax-12345678.txt', '.a-12345678.txt']
    for name in kept + ['.[a]x-12345678.txt']:
        (tmp_path / name).touch()
    (tmp_path / 'link').symlink_to('[a]x.txt')
    removed = remove_leftovers_of(tmp_path / 'none', tmp_path / 'link')
    assert [path.name for path in removed] == ['.[a]x-12345678.txt']
    assert sorted(os.listdir(tmp_path)) == sorted(kept + ['link'])
