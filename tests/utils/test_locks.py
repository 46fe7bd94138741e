"""utils/locks.py."""
import os

import pytest

from tinyfaces.utils import locks


def test_one_at_a_time(tmp_path):
    path = tmp_path / 'new/lock'
    with locks.exclusive_lock(path, 'work', 'wait'):
        with pytest.raises(BlockingIOError, match='^work is being done.*wait'):
            with locks.exclusive_lock(path, 'work', 'wait'):
                raise AssertionError
    with locks.exclusive_lock(path, 'work', 'wait'):
        assert path.is_file()


def test_a_lock_that_was_removed_before_it_was_taken(tmp_path, monkeypatch):
    """By whoever had it; a third must not find it free."""
    path = tmp_path / 'lock'
    flock = locks.fcntl.flock
    removed = []

    def remove_first(file, operation):
        flock(file, operation)
        if not removed:
            removed.append(os.fstat(file.fileno()).st_ino)
            path.unlink()

    monkeypatch.setattr(locks.fcntl, 'flock', remove_first)
    with locks.exclusive_lock(path, 'work', 'wait'):
        assert removed
        with pytest.raises(BlockingIOError):
            with locks.exclusive_lock(path, 'work', 'wait'):
                raise AssertionError
