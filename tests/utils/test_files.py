import os

import pytest

from tinyfaces.utils.files import atomic_write, check_writable


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
