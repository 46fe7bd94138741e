"""The folder that a test on FDDB writes, and how it is told from others."""
import json
import os
from pathlib import Path

from .fddb_report import protocol

#: Width and height of the pictures. A fold file that somebody else published
#: has none beside it, so the file is the mark of a folder of our own.
SIZES_FILE = 'image_sizes.txt'
#: What else lies there, and goes when other detections come.
OUTPUT_PATTERNS = ('fold-[0-9][0-9]-out.txt', 'DiscROC.txt', 'ContROC.txt',
                   'results.json', 'roc.png')


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


def remove_fddb_output(folder: str | os.PathLike) -> None:
    """Remove what an earlier test wrote, but for the sizes of the pictures.

    Args:
        folder: The folder; other files in it stay.
    """
    for pattern in OUTPUT_PATTERNS:
        for path in Path(folder).glob(pattern):
            path.unlink()


def _is_of_fddb(path: Path) -> bool:
    """Whether :func:`.fddb_report.write_fddb_json` has written a file."""
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except ValueError:
        return False
    return isinstance(content, dict) and str(
        content.get('protocol')).startswith(protocol('').split(',')[0])
