"""The folder that a test on FDDB writes, and how it is told from others."""
import json
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from tinyfaces.utils.files import explained_full_disk
from .fddb_report import protocol

#: Width and height of the pictures. A fold file that somebody else published
#: has none beside it, so the file is the mark of a folder of our own.
SIZES_FILE = 'image_sizes.txt'
#: What else lies there, and goes when other detections come.
OUTPUT_PATTERNS = ('fold-[0-9][0-9]-out.txt', 'DiscROC.txt', 'ContROC.txt',
                   'results.json', 'roc.png')
#: Lies there while the files take their places, each of which is whole.
INCOMPLETE = '.incomplete'
_SCRATCH = '.writing-'


@contextmanager
def writing_fddb_output(folder: str | os.PathLike) -> Iterator[Path]:
    """Replace what an earlier test wrote, when all of the new is written.

    Gives a hidden folder to write into, inside of the other, whose files stay
    as they are when the block raises or the process is killed. When the block
    ends, its files are renamed into the folder one by one, the sizes first,
    and those of ``OUTPUT_PATTERNS`` that are not replaced are removed. In
    that moment the folder says that its files are not all there; if it is the
    last one of the process, :func:`check_fddb_complete` refuses the folder.

    Args:
        folder: Where the results of a test go; made when missing. No other
            process may be writing there.

    Yields:
        Path: The hidden folder.

    Raises:
        OSError: The disk is full, which is said with the folder and the
            space that is left.
    """
    folder = Path(os.path.realpath(folder))
    mark = folder / INCOMPLETE
    with explained_full_disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(f'{_SCRATCH}????????'):
            shutil.rmtree(left)
        scratch = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=folder))
    try:
        with explained_full_disk(folder):
            yield scratch
            mark.touch()
        fresh = {path.name: path for path in sorted(scratch.iterdir())}
        # With the sizes the folder is known as one of our own.
        for name in sorted(fresh, key=lambda name: name != SIZES_FILE):
            os.replace(fresh[name], folder / name)
        remove_fddb_output(folder, keep=fresh)
        mark.unlink()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def check_fddb_complete(folder: str | os.PathLike) -> None:
    """Refuse what a test that was stopped has left.

    Args:
        folder: A folder of detections.

    Raises:
        ValueError: Its files are not all there, or not all of one test.
    """
    if Path(folder, INCOMPLETE).exists():
        raise ValueError(
            f'{folder}: the test that wrote these files was stopped while it '
            'wrote them, so some may be missing or of an earlier test; test '
            f'again, or remove {INCOMPLETE} there if you know better')


def check_fddb_output(folder: str | os.PathLike) -> None:
    """Refuse to write where files of somebody else could be lost.

    A folder may be written when there is none of its name, when it is empty
    (hidden files do not count), or when an earlier test has written it.

    Args:
        folder: Where the results of a test are to go.

    Raises:
        NotADirectoryError: It is a file.
        FileExistsError: It holds something, and either no ``image_sizes.txt``
            or a ``results.json`` that is not of an FDDB test.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(
            f'{folder} is a file; give the folder to write to')
    names = sorted(path.name for path in folder.glob('[!.]*'))
    if not names:
        return
    foreign = None
    if SIZES_FILE not in names:
        foreign = f'{names[0]}, and no {SIZES_FILE}'
    elif 'results.json' in names and not _is_of_fddb(folder / 'results.json'):
        foreign = 'a results.json of something else'
    if foreign:
        raise FileExistsError(
            f'{folder} holds {foreign}: it is not of an earlier test on FDDB, '
            'whose files would be replaced; give an empty folder or another '
            'name')


def remove_fddb_output(
    folder: str | os.PathLike, keep: Collection[str] = ()) -> None:
    """Remove what an earlier test wrote, but for the sizes of the pictures.

    Args:
        folder: The folder; other files in it stay.
        keep: Names of files that stay.
    """
    for pattern in OUTPUT_PATTERNS:
        for path in Path(folder).glob(pattern):
            if path.name not in keep:
                path.unlink()


def _is_of_fddb(path: Path) -> bool:
    """Whether :func:`.fddb_report.write_fddb_json` has written a file."""
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except ValueError:
        return False
    return isinstance(content, dict) and str(
        content.get('protocol')).startswith(protocol('').split(',')[0])
