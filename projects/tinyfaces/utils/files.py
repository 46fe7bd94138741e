"""Writing files so that a killed run never leaves half of one."""
import errno
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from glob import escape
from pathlib import Path

# What a write on a full disk, or beyond a quota, fails with.
_FULL = (errno.ENOSPC, errno.EDQUOT)


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
def atomic_write(
    path: str | os.PathLike, outdated: Sequence[str | os.PathLike] = ()
) -> Iterator[Path]:
    """Write ``path`` as a whole or not at all.

    Gives a temporary path with the same suffix in the same folder (which is
    made when it is missing). When the block ends it is renamed over ``path``;
    when the block raises it is removed and ``path`` stays as it was. A link
    stays, and the file that it leads to is written.

    Args:
        path: The file to write.
        outdated: Files that must not stand beside the new one, such as the
            scores of what it held before: removed when all is written, right
            before the renaming.

    Yields:
        Path: The temporary file, which exists and is empty.

    Raises:
        OSError: As :func:`check_writable`, or the disk is full, which is
            said with the file and the space that is left.
    """
    check_writable(path)
    named = Path(path)
    path = Path(os.path.realpath(path)) if named.is_symlink() else named
    temporary = None
    with explained_full_disk(named, path.parent):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(
                dir=path.parent, prefix=f'.{path.stem}-', suffix=path.suffix)
            os.close(handle)
            temporary = Path(name)
            yield temporary
            # mkstemp makes the file private; give it the usual rights.
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(temporary, 0o666 & ~umask)
            # The name must not reach the disk before the content.
            with open(temporary, 'rb') as file:
                os.fsync(file.fileno())
            for file in outdated:
                Path(file).unlink(missing_ok=True)
            os.replace(temporary, path)
        finally:
            if temporary is not None:
                temporary.unlink(missing_ok=True)


@contextmanager
def explained_full_disk(
        path: str | os.PathLike,
        folder: str | os.PathLike | None = None) -> Iterator[None]:
    """Say of a full disk which file or folder it is that cannot be written.

    To be put around what removes halves, which count as space in use.

    Args:
        path: What is written, as the user named it.
        folder: Where it is written; by default the folder of ``path``.

    Raises:
        OSError: The disk is full, as :func:`atomic_write` says it.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        path = Path(path)
        folder = path.parent if folder is None else Path(folder)
        raise OSError(error.errno, _full_disk(path, folder, error)) from error


def remove_leftovers(folder: str | os.PathLike,
                     names: Iterable[str]) -> list[Path]:
    """Remove what killed runs have left of :func:`atomic_write`.

    Not to be called while another process may be writing these files.

    Args:
        folder: Where the files are written; need not exist.
        names: Names of the files that were to be written, with the wildcards
            of :meth:`pathlib.Path.glob`, such as ``epoch_*.pth``.

    Returns:
        list[Path]: The temporary files that are gone.
    """
    removed = []
    for name in map(Path, names):
        for path in sorted(
                Path(folder).glob(f'.{name.stem}-????????{name.suffix}')):
            path.unlink(missing_ok=True)
            removed.append(path)
    return removed


def remove_leftovers_of(*paths: str | os.PathLike) -> list[Path]:
    """Remove what killed runs have left of files that are to be written.

    Not to be called while another process may be writing these files.

    Args:
        *paths: The files, as given to :func:`atomic_write`; need not exist.

    Returns:
        list[Path]: The temporary files that are gone.
    """
    removed = []
    for path in map(Path, map(os.path.realpath, paths)):
        removed += remove_leftovers(path.parent, [escape(path.name)])
    return removed


def _full_disk(path: Path, folder: Path, error: OSError) -> str:
    """What to say of a disk, or a quota, that is used up."""
    folder = next(p for p in (folder, *folder.parents) if p.is_dir())
    free = shutil.disk_usage(folder).free / 2**20
    return (f'{path} cannot be written: {os.strerror(error.errno)} '
            f'({free:,.1f} MiB free in {folder}); make room there, or choose '
            'another folder. Nothing is left of the attempt, and what was '
            'there before stays')
