"""Which scaled and mirrored copies of a picture a detector looks at."""
import math
from collections.abc import Sequence
from typing import NamedTuple

from mmdet.registry import TASK_UTILS
from torch import Tensor


class View(NamedTuple):
    """One scaled copy of a picture, and what to believe of it.

    Attributes:
        width: Width of the copy in pixels.
        height: Height of the copy in pixels.
        flip: Mirror it left to right.
        above: Boxes are kept if their longer side is larger, in pixels of
            the original picture.
        below: Boxes are kept if their shorter side is smaller, in pixels of
            the original picture.
    """

    width: int
    height: int
    flip: bool = False
    above: float = -math.inf
    below: float = math.inf

    def keeps(self, boxes: Tensor) -> Tensor:
        """Tell the boxes that have one of the sizes this view is for.

        Args:
            boxes: (n, 4) x1, y1, x2, y2 in pixels of the original picture.

        Returns:
            Tensor: (n,) bool.
        """
        shorter, longer = (boxes[:, 2:] - boxes[:, :2]).aminmax(dim=1)
        return (longer > self.above) & (shorter < self.below)


def scaled(width: int, height: int, scale: float, **kwargs) -> View:
    """View of a picture at some scale.

    Args:
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.
        scale: Factor; sides are rounded to whole pixels, halves up.
        **kwargs: The other attributes of :class:`View`.

    Returns:
        View: At least one pixel wide and high.
    """
    return View(
        max(1, int(width * scale + 0.5)), max(1, int(height * scale + 0.5)),
        **kwargs)


@TASK_UTILS.register_module()
class ScalePlan:
    """The same scales for every picture.

    Args:
        scales: A dict for each scale: ``scale``, and optionally ``flip=True``
            to look at the mirrored copy, too; ``above`` and ``below``, see
            :class:`View`; and for where a side of the copy would have more
            pixels, ``max_side`` to leave this scale out, or ``fit_side`` to
            make the copy smaller, its longer side just this long. Copies that
            become equal, limits and all, are looked at once. One scale at
            least must have no ``max_side``.

    Raises:
        ValueError: There are no scales, one is not positive, has a key that
            is not known, or both ``max_side`` and ``fit_side``, or a
            ``fit_side`` below 1; or all have a ``max_side``.
    """

    def __init__(self, scales: Sequence[dict] = (dict(scale=1.), )) -> None:
        known = {'scale', 'flip', 'above', 'below', 'max_side', 'fit_side'}
        for entry in scales:
            if not entry.get('scale', 0) > 0 or set(entry) - known:
                raise ValueError(
                    f'{dict(entry)} is no scale of a plan; give scale > 0, '
                    f'and of the rest any of {sorted(known - {"scale"})}')
            both = {'fit_side', 'max_side'} <= set(entry)
            if both or not entry.get('fit_side', 1) >= 1:
                raise ValueError(
                    f'{dict(entry)}: give at least 1 as fit_side, which '
                    'shrinks copies, and not with max_side, which omits them')
        if all('max_side' in entry for entry in scales):
            raise ValueError(
                'a plan needs a scale without max_side: something must be '
                'left for the largest pictures')
        self.scales = [dict(entry) for entry in scales]

    def __call__(self, width: int, height: int) -> list[View]:
        """Plan the views of a picture.

        Args:
            width: Width of the picture in pixels.
            height: Height of the picture in pixels.

        Returns:
            list[View]: At least one.
        """
        views = []
        for entry in self.scales:
            fit = entry.get('fit_side', math.inf) / max(width, height)
            view = scaled(
                width,
                height,
                min(entry['scale'], fit),
                above=entry.get('above', -math.inf),
                below=entry.get('below', math.inf))
            if max(view[:2]) <= entry.get('max_side', math.inf):
                views.append(view)
                if entry.get('flip'):
                    views.append(view._replace(flip=True))
        return list(dict.fromkeys(views))


@TASK_UTILS.register_module()
class BudgetScalePlan:
    """Scales of SRN: as large as the memory allows.

    From the public test program of SRN (its ``tools/test.py``); RefineFace,
    by the same authors, says nothing of how its pictures were scaled. With a
    budget of L = ``max_size``^2 pixels, a smaller picture is looked at

    - as it is, and mirrored;
    - at half its size, for faces with a longer side above 30 pixels;
    - enlarged 1.5, 1.5^2, ... times as long as that is within the budget,
      and up to the budget, for faces with a shorter side below 100 pixels.

    Any other is first shrunk to the budget, and looked at so, and mirrored,
    and at 0.75 and 0.5 times that size for faces above 30 pixels. A copy
    that would have the size of one before is not looked at again.

    Sides here are x2 - x1. That program adds a pixel to them, so that its
    limits of 30 and 100 are 29 and 99 in sides of ours.

    Args:
        max_size: Side of a square of L pixels. SRN's authors used 1400 on
            GPUs of 11 GiB and 2100 on those of 24 GiB; the larger one gained
            0.1 and 0.6 points of AP on the medium and hard faces of WIDER
            FACE. Hence the default.
        step: Factor from one enlargement to the next.
        above: Limit for views that are smaller, in pixels of the original.
        below: Limit for views that are enlarged, likewise.
        flip: Whether to look at the mirrored picture.

    Raises:
        ValueError: ``max_size`` is less than 1, or ``step`` not above 1.
    """

    def __init__(self,
                 max_size: int = 1400,
                 step: float = 1.5,
                 above: float = 30.,
                 below: float = 100.,
                 flip: bool = True) -> None:
        if max_size < 1 or step <= 1:
            raise ValueError(f'max_size is {max_size} and step is {step}; '
                             'give at least 1, and more than 1')
        self.max_size = max_size
        self.step = step
        self.above = above
        self.below = below
        self.flip = flip

    def __call__(self, width: int, height: int) -> list[View]:
        """Plan the views of a picture.

        Args:
            width: Width of the picture in pixels.
            height: Height of the picture in pixels.

        Returns:
            list[View]: The full view first.
        """
        largest = self.max_size / math.sqrt(width * height)
        views = [scaled(width, height, min(1., largest))]
        if self.flip:
            views.append(views[0]._replace(flip=True))
        if largest <= 1:
            views += [
                scaled(width, height, largest * factor, above=self.above)
                for factor in (.75, .5)
            ]
        else:
            views.append(scaled(width, height, .5, above=self.above))
            scale = self.step
            while scale < largest:
                views.append(scaled(width, height, scale, below=self.below))
                scale *= self.step
            views.append(scaled(width, height, largest, below=self.below))
        unique = {}
        for view in views:
            # By size and flip; the first one has no more limits than others.
            unique.setdefault(view[:3], view)
        return list(unique.values())
