"""Which templates look at a picture that was scaled."""
import math
from collections.abc import Sequence

from tinyfaces.templates import Template

ROLES = ('A', 'B')
CHOICES = ('A+B', *ROLES, 'own', 'all')
# Of two scales that are meant to be equal.
TOLERANCE = .01


def check_choice(templates: Sequence[Template], choice: str) -> None:
    """Raise ValueError if a choice does not exist or chooses nothing."""
    if choice not in CHOICES:
        raise ValueError(f'templates must be one of {", ".join(CHOICES)}, not '
                         f'{choice!r}')
    roles = set(choice.split('+')) & set(ROLES)
    missing = roles - {each.role for each in templates}
    if missing:
        raise ValueError(
            f'templates is {choice!r}, but no template has the role '
            f"{' or '.join(sorted(missing))}: choose 'all'")


def choose_templates(templates: Sequence[Template], choice: str,
                     meta: dict) -> list[int]:
    """The templates that look at a view ("Finding Tiny Faces", Fig. 9).

    Args:
        templates: All.
        choice: ``'A+B'`` for those of role A at every scale and those of role
            B above 1; ``'A'`` or ``'B'`` for one half of this rule;
            ``'own'`` for those that are made for the scale; ``'all'``.
        meta: Metainfo of the view, of which ``scale_factor`` (x, y) and
            ``ori_shape`` count. Its scale is the geometric mean of the
            former, and 1 without.

    Returns:
        list[int]: Rising indices. None with ``'B'`` if the scale is not above
        1.

    Raises:
        ValueError: None is made for this scale.
    """
    if choice == 'all':
        return list(range(len(templates)))
    scale = math.sqrt(math.prod(meta.get('scale_factor', (1., 1.))[:2]))
    if choice == 'own':
        nearest = _made_for(templates, scale, meta.get('ori_shape'))
        return [
            index for index, each in enumerate(templates)
            if each.scale == nearest
        ]
    roles = set(choice.split('+'))
    if scale <= 1 + TOLERANCE:
        roles.discard('B')
    return [
        index for index, each in enumerate(templates) if each.role in roles
    ]


def _made_for(templates: Sequence[Template], scale: float,
              ori_shape: Sequence[int] | None) -> float:
    """The scale of a template that equals the scale of a view."""
    nearest = min((each.scale for each in templates),
                  key=lambda other: abs(math.log(other / scale)))
    # Sides of views are rounded by up to half a pixel.
    rounded = .5 / min(ori_shape[:2]) if ori_shape else 0.
    if abs(nearest - scale) > TOLERANCE * nearest + rounded:
        raise ValueError(
            f"templates is 'own', but none is made for a scale of {scale:g}, "
            f"the nearest one for {nearest:g}: test at that scale, or with "
            "'A+B'")
    return nearest
