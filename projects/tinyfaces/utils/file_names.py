"""Names of pictures that become names of files."""
import os
import re
from pathlib import Path

_CONTROL = re.compile('[\x00-\x1f\x7f]')
# A drive such as C:, which makes a path absolute on Windows.
_DRIVE = re.compile(r'[A-Za-z]:')


def check_file_name(name: str,
                    where: str,
                    parts: int | None = None,
                    hidden: bool = False) -> None:
    """Refuse a name that could lead out of the folder it is put into.

    Args:
        name (str): Relative path with ``/`` between its parts.
        where (str): What names it, with which the message starts.
        parts, hidden: See :func:`fault_of_name`.

    Raises:
        ValueError: :func:`fault_of_name` finds something.
    """
    fault = fault_of_name(name, parts, hidden)
    if fault:
        raise ValueError(f'{where}: the name {name[:200]!r} {fault}; rename '
                         'the picture, or correct what lists it')


def fault_of_name(name: str,
                  parts: int | None = None,
                  hidden: bool = False) -> str | None:
    """What makes a name unfit for a file in a folder.

    Args:
        name (str): Relative path with ``/`` between its parts.
        parts (int, optional): How many parts it must have. Defaults to None:
            any number.
        hidden (bool): Allow parts that begin with a dot, but for ``..``.

    Returns:
        str | None: In words: it is absolute or empty, has a part that is
        empty or begins with a dot (``..`` leads out, all others hide), a
        backslash, the letter of a drive or a control character such as NUL;
        it cannot be written as UTF-8, or has another number of parts. None
        if the name is fit.
    """
    pieces = name.split('/')
    if _CONTROL.search(name):
        return 'has a control character'
    if '\\' in name:
        return 'has a backslash, which separates folders on some systems'
    if name.startswith('/'):
        return 'is absolute'
    if '..' in pieces:
        return 'leads out of its folder by ".."'
    if not all(pieces):
        return 'is empty, or a part of it'
    if not hidden and any(piece.startswith('.') for piece in pieces):
        return 'has a part that begins with a dot, which hides it'
    if any(_DRIVE.match(piece) for piece in pieces):
        return 'has the letter of a drive'
    if not _is_unicode(name):
        return 'is not valid Unicode'
    if parts is not None and len(pieces) != parts:
        return f'has {len(pieces)} parts where {parts} are expected'
    return None


def path_inside(folder: str | os.PathLike, name: str | os.PathLike) -> Path:
    """Where to write a file that must not be outside of a folder.

    Args:
        folder: The folder.
        name: Relative path of the file.

    Returns:
        Path: ``folder / name``.

    Raises:
        PermissionError: It leads out of the folder, by itself or by a
            symbolic link below the folder.
    """
    path = Path(folder, name)
    root = os.path.realpath(folder)
    real = os.path.realpath(path)
    if '..' in Path(name).parts or os.path.commonpath([root, real]) != root:
        raise PermissionError(
            f'{path} is not written: it is {real}, outside of '
            f'{folder}; remove the symbolic link, if there is one, or write '
            'to another folder')
    return path


def _is_unicode(name: str) -> bool:
    """Whether a name is more than bytes that stand for letters."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
