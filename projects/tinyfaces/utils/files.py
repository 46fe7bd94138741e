"""Writing files so that a killed run never leaves half of one."""
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def check_writable(path: str | os.PathLike) -> None:
    """Raise unless a file can be written, as far as its path tells.

    For what is written after long work, and for a message that names the path
    as the user gave it.

    Args:
        path: The file; folders that are missing can be made.

    Raises:
        IsADirectoryError: It is a folder.
        NotADirectoryError: What should be a folder of the path is none.
        PermissionError: The folder does not allow it.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f'{path} is a folder; give the name of a file')
    # The first parent that exists is where folders or the file are made.
    for parent in path.parents:
        if parent.is_dir():
            if not os.access(parent, os.W_OK | os.X_OK):
                raise PermissionError(
                    f'{path} cannot be written: no permission for the folder '
                    f'{parent}; choose another one')
            return
        if os.path.lexists(parent):
            raise NotADirectoryError(
                f'{path} cannot be written: {parent} is not a folder; choose '
                'another name')


@contextmanager
def atomic_write(path: str | os.PathLike) -> Iterator[Path]:
    """Write ``path`` as a whole or not at all.

    Gives a temporary path with the same suffix in the same folder (which is
    made when it is missing). When the block ends it is renamed over ``path``;
    when the block raises it is removed and ``path`` stays as it was.

    Args:
        path: The file to write.

    Yields:
        Path: The temporary file, which exists and is empty.

    Raises:
        OSError: As :func:`check_writable`, or the disk is full.
    """
    check_writable(path)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(
        dir=path.parent, prefix=f'.{path.stem}-', suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes the file private; give it the usual rights instead.
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        # The name must not reach the disk before the content.
        with open(temporary, 'rb') as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
