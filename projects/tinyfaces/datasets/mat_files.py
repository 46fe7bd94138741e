"""What the readers of MATLAB annotation files have in common.

NumPy and SciPy only.
"""
import os
from collections.abc import Iterable, Sequence

import numpy as np
import scipy.io

from ..utils.file_names import check_file_name


def load_variable(path: str | os.PathLike,
                  names: Sequence[str]) -> tuple[str, np.ndarray]:
    """Read the variable of a ``.mat`` file that has one of some names.

    Args:
        path: The file.
        names: What the variable may be called.

    Returns:
        tuple[str, np.ndarray]: Its name and content.

    Raises:
        FileNotFoundError: There is no such file.
        OSError: It must not be read.
        ValueError: It is in another format, or holds none of the variables.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f'{path}: no such annotation file. Correct the path, or fetch the '
            '.mat file with the annotations')
    try:
        with open(path, 'rb') as file:
            content = scipy.io.loadmat(file)
    except NotImplementedError:  # SciPy's answer to version 7.3.
        raise ValueError(
            f'{path}: a MATLAB 7.3 file (HDF5), which is not supported. Load '
            'it in MATLAB and save it with -v7.') from None
    except Exception as error:  # SciPy raises whatever the bytes lead to.
        # Also an OSError, without a number, where the file ends too early.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise ValueError(f'{path}: not a readable MATLAB 5 file ({error}). '
                         'Fetch it again.') from error
    for name in names:
        if name in content:
            return name, content[name]
    found = ', '.join(key for key in content if not key.startswith('__'))
    raise ValueError(f'{path}: expected a variable {" or ".join(names)}, '
                     f'found {found or "none"}. Give the annotation file of '
                     'the benchmark.')


def require_fields(path: str | os.PathLike, name: str, table: np.ndarray,
                   fields: Sequence[str]) -> None:
    """Raise ValueError unless a variable is a struct array with fields."""
    found = table.dtype.names or ()
    absent = [field for field in fields if field not in found]
    if absent:
        raise ValueError(
            f'{path}: {name} has no field {", ".join(absent)}, only '
            f'{", ".join(found) or "numbers"}. Give the annotation file of '
            'the benchmark.')


def file_name_of(value: np.ndarray, where: str) -> str:
    """The name of a picture in a MATLAB cell.

    Raises:
        ValueError: It is no text, or could lead out of the folder of
            pictures, see :func:`~tinyfaces.utils.file_names.fault_of_name`;
            the message starts with ``where``.
    """
    while isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f'{where}: expected the name of a picture, found '
                         f'{value!r}. Fetch the file again.')
    name = value.strip()
    check_file_name(name, where)
    return name


def rows_of(value: np.ndarray, columns: Sequence[int],
            where: str) -> np.ndarray:
    """The rows of a numeric MATLAB array.

    Args:
        value: The array; an empty one of any shape has no rows.
        columns: Numbers of columns that are right.
        where: File and picture, for the message.

    Returns:
        np.ndarray: float64 (n, columns).

    Raises:
        ValueError: The array has another shape, is not numeric, or holds NaN
            or infinite numbers.
    """
    wanted = ' or '.join(map(str, columns))
    if not isinstance(value, np.ndarray) or value.dtype.kind not in 'iufb':
        raise ValueError(f'{where}: expected rows of {wanted} numbers, found '
                         f'{type(value).__name__} of '
                         f'{getattr(value, "dtype", "text")}. Fetch the file '
                         'again.')
    if not value.size:
        return np.zeros((0, columns[0]))
    if value.ndim != 2 or value.shape[1] not in columns:
        raise ValueError(f'{where}: expected rows of {wanted} numbers, found '
                         f'an array of shape {value.shape}. Fetch the file '
                         'again.')
    rows = value.astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(bad):
        raise ValueError(f'{where}, face {bad[0] + 1}: NaN or infinite number '
                         f'in {rows[bad[0]].tolist()}. Fetch the file again.')
    return rows


def picture_key(name: str) -> str:
    """Name by which evaluators and detection files know a picture.

    Args:
        name: File name, with or without folders and suffix.

    Returns:
        str: The file name without folders, cut at its first dot.
    """
    return name.replace('\\', '/').rpartition('/')[2].partition('.')[0]


def require_unique(path: str | os.PathLike, keys: Iterable[str]) -> None:
    """Raise ValueError when two pictures have the same key."""
    seen: dict[str, int] = {}
    for number, key in enumerate(keys, 1):
        if seen.setdefault(key, number) != number:
            raise ValueError(
                f'{path}, picture {number}: the name {key!r} (up to the first '
                f'dot) is that of picture {seen[key]} too. Remove one of them.'
            )
