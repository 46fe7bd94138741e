"""Keeping two runs from doing the same work."""
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, 'ab') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BlockingIOError(
                f'{what} is being done by another run, which holds {path}; '
                f'{remedy}') from None
        except OSError as error:
            # Some network file systems know no locks.
            print(
                f'{what}: cannot lock {path} ({error}); take care that no '
                'other run does this',
                flush=True)
        yield
