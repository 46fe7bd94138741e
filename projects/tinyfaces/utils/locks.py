"""Keeping two runs from doing the same work."""
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def exclusive_lock(path: Path, what: str, remedy: str) -> Iterator[None]:
    """Hold a file's lock, against processes of this and other machines.

    A process that ends, however it does, gives its locks back.

    Args:
        path (Path): The file, which is made and stays.
        what (str): What is locked, for messages.
        remedy (str): What to do if another run has it.

    Raises:
        BlockingIOError: Another run has it.
    """
    with _open_and_lock(path, what, remedy):
        yield


def _open_and_lock(path: Path, what: str, remedy: str) -> BinaryIO:
    """The file, locked; closing it gives the lock back."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = open(path, 'ab')
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise BlockingIOError(
            f'{what} is being done by another run, which holds {path}; '
            f'{remedy}') from None
    except OSError as error:
        # Some network file systems know no locks.
        print(
            f'{what}: cannot lock {path} ({error}); take care that no '
            'other run does this',
            flush=True)
    # Whoever had it may have removed it meanwhile.
    if path.exists() and os.path.samestat(
            os.fstat(file.fileno()), path.stat()):
        return file
    file.close()
    return _open_and_lock(path, what, remedy)
