"""Templates t(h, w, sigma) of "Finding Tiny Faces", and files of them."""
import json
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from ..utils.files import atomic_write

#: What a template is for, see :class:`Template`.
ROLES = ('A', 'B', None)

_FOLDER = Path(__file__).parent
_REMEDY = 'give a file that tools/cluster_templates.py has written'


class Template(NamedTuple):
    """A face size and the resolution at which it is looked for.

    Section 4 writes t(h, w, sigma): tuned for faces of h/sigma x w/sigma
    pixels, in a picture that is scaled by sigma.

    Attributes:
        width: Pixels of the scaled picture.
        height: Pixels of the scaled picture.
        scale: What the picture is scaled by (sigma).
        role: ``'A'``: run on every level of the image pyramid; ``'B'``: run
            where the picture is enlarged; None: redundant beside those two
            once the model is trained (section 4, "Pruning").
    """
    width: float
    height: float
    scale: float = 1.
    role: str | None = None

    @property
    def face_size(self) -> tuple[float, float]:
        """Width and height of its faces in the original picture."""
        return self.width / self.scale, self.height / self.scale


def scale_for(height: float) -> float:
    """At which scale faces are found best, by the rule of section 4.

    Args:
        height: Of a face in the original picture, pixels.

    Returns:
        float: .5 above 140 pixels, 2 below 40, else 1.
    """
    if height > 140:
        return .5
    return 2. if height < 40 else 1.


def assign_roles(templates: Iterable[Template]) -> list[Template]:
    """Set the roles by the rule of section 4 and Fig. 9.

    A: templates of scale 1, for faces of about 40 to 140 pixels. B: those of
    scale 2 for faces of at most 20 pixels, rounded. Others have none.

    Args:
        templates: Any; their roles are not read.

    Returns:
        list[Template]: The same with their roles.
    """
    result = []
    for template in templates:
        role = None
        if template.scale == 1:
            role = 'A'
        elif template.scale == 2 and round(template.face_size[1]) <= 20:
            role = 'B'
        result.append(template._replace(role=role))
    return result


def templates_from_dicts(rows: Iterable[Mapping],
                         where: str = 'templates') -> list[Template]:
    """Check templates that are written as dicts.

    Args:
        rows: Dicts with ``width``, ``height`` and, optional, ``scale``
            (default 1) and ``role`` (default None).
        where: What an error names as their origin.

    Returns:
        list[Template]: At least one.

    Raises:
        ValueError: There is none, or a dict has other keys, or a value is
            out of its range.
    """
    templates = []
    for number, row in enumerate(rows):
        place = f'{where}: template {number}'
        try:
            template = Template(**row)
        except TypeError:
            raise ValueError(
                f'{place} must have "width" and "height", may have "scale" '
                f'and "role" and nothing else, but is {row!r}') from None
        sizes = template[:3]
        if not all(_is_positive(value) for value in sizes):
            raise ValueError(f'{place}: width, height and scale must be '
                             f'finite numbers above 0, not {sizes}')
        if template.role not in ROLES:
            raise ValueError(f'{place}: the role must be "A", "B" or null, '
                             f'not {template.role!r}')
        templates.append(Template(*map(float, sizes), template.role))
    if not templates:
        raise ValueError(f'{where}: there must be at least one template')
    return templates


def load_templates(path: str | os.PathLike | None = None) -> list[Template]:
    """Read templates.

    Args:
        path: A file of :func:`save_templates`, or a bare name:
            ``'published'``, the 25 of the authors' model; ``'unscaled'``, 25
            clusters of theirs at scale 1, without roles. These are not the
            parents of the published ones. None: ``'published'``.

    Returns:
        list[Template]: In the file's order.

    Raises:
        FileNotFoundError: There is no such file or name.
        IsADirectoryError: It is a folder.
        ValueError: The file holds something else.
    """
    path = 'published' if path is None else os.fspath(path)
    remedy = _REMEDY
    if path and not Path(path).suffix and path == os.path.basename(path):
        known = sorted(x.stem for x in _FOLDER.glob('*.json'))
        remedy = f'{_REMEDY}, or one of the names {", ".join(known)}'
        if path in known:
            path = str(_FOLDER / f'{path}.json')
    try:
        content = json.loads(Path(path).read_text(encoding='utf-8'))
    except FileNotFoundError:
        raise FileNotFoundError(f'{path} does not exist; {remedy}') from None
    except IsADirectoryError:
        raise IsADirectoryError(f'{path} is a folder; {remedy}') from None
    except ValueError as error:
        raise ValueError(
            f'{path} is no JSON file ({error}); {remedy}') from error
    rows = content.get('templates') if isinstance(content, dict) else None
    if not isinstance(rows, list) or not all(
            isinstance(row, dict) for row in rows):
        raise ValueError(
            f'{path} holds no list "templates" of objects; {remedy}')
    return templates_from_dicts(rows, path)


def save_templates(path: str | os.PathLike, templates: Iterable[Template],
                   source: str) -> None:
    """Write templates as JSON, as a whole or not at all.

    Args:
        path: The file.
        templates: At least one.
        source: Where they come from, in words.

    Raises:
        ValueError: There is none, or a value is out of its range.
        OSError: The file cannot be written.
    """
    rows = [template._asdict() for template in templates]
    templates_from_dicts(rows)
    lines = ',\n'.join('  ' + json.dumps(row) for row in rows)
    with atomic_write(path) as temporary:
        temporary.write_text(
            f'{{\n "source": {json.dumps(source)},\n "templates": [\n'
            f'{lines}\n ]\n}}\n',
            encoding='utf-8')


def _is_positive(value: object) -> bool:
    """Whether it is a finite number above 0."""
    return (isinstance(value, (int, float)) and not isinstance(value, bool)
            and math.isfinite(value) and value > 0)
