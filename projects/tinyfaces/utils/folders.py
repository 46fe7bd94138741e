"""Writing folders so that a run that stops never leaves half of one."""
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path

from .files import explained_full_disk

_FRESH, _OLD = 'fresh', 'old'


@contextmanager
def atomic_folder(path: str | os.PathLike) -> Iterator[Path]:
    """Write a folder as a whole or not at all.

    Gives an empty folder beside ``path``, in a hidden one. When the block
    ends it takes the place of ``path``; a link stays, and what it leads to is
    replaced. When the block, or the replacing, raises, it is removed and
    ``path`` stays as it was. Only ``kill -9`` between the two renames leaves
    no folder: the next call puts the old one back before anything else, and
    removes what killed runs have left.

    Not to be called while another process may be writing the same folder.

    Args:
        path: The folder to write; all that is in it goes.

    Yields:
        Path: The folder to be filled.

    Raises:
        OSError: The disk is full, which is said with the folder and the
            space that is left.
    """
    path = Path(os.path.realpath(path))
    _tidy(path)
    scratch = None
    try:
        with explained_full_disk(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            scratch = Path(
                tempfile.mkdtemp(prefix=f'.{path.name}-', dir=path.parent))
            fresh = scratch / _FRESH
            fresh.mkdir()
            yield fresh
            _replace(path, scratch)
    finally:
        # The old folder is lost with the scratch unless it is elsewhere.
        if scratch is not None and (path.exists()
                                    or not (scratch / _OLD).exists()):
            shutil.rmtree(scratch, ignore_errors=True)


def _replace(path: Path, scratch: Path) -> None:
    """Put the fresh folder in the place of the old one, or leave that."""
    try:
        if path.exists():
            os.replace(path, scratch / _OLD)
        os.replace(scratch / _FRESH, path)
    except BaseException:
        _put_back(path, scratch)
        raise


def _put_back(path: Path, scratch: Path) -> None:
    """Give the old folder its name again if none has it."""
    if (scratch / _OLD).exists() and not path.exists():
        os.replace(scratch / _OLD, path)


def _tidy(path: Path) -> None:
    """Remove what killed runs have left, but for an only copy."""
    for scratch in path.parent.glob(f'.{escape(path.name)}-????????'):
        if scratch.is_dir() and not scratch.is_symlink() and {
                item.name
                for item in scratch.iterdir()
        } <= {_FRESH, _OLD}:
            _put_back(path, scratch)
            shutil.rmtree(scratch)
