"""The scales that the demo of "Finding Tiny Faces" looks at."""
import math
from collections.abc import Sequence

from mmdet.registry import TASK_UTILS

from .scale_plan import View, scaled


@TASK_UTILS.register_module()
class DemoScalePlan:
    """Powers of two, down to a picture that is all face, and half ones up.

    From the demo that the authors of "Finding Tiny Faces" published; the
    paper's numbers are of fixed scales. The exponents are

    - m, m + 1, ..., 0, where m is the largest whole number at which the
      picture fits into the largest template, so that a face that fills the
      picture is not too large for it;
    - 0.5 and 1, those of them at which no side exceeds ``max_side`` pixels.

    A picture of at most half that template has an m above 0, and is then not
    looked at in its own size. One with a side above ``max_side`` still is.

    Args:
        template_size: Width and height of the largest template of scale 1;
            by default the largest of the 25 published ones.
        max_side: Largest side of an enlarged copy in pixels.

    Raises:
        ValueError: A size is not positive, or ``max_side`` less than one of
            the template: some pictures would have no view.
    """

    def __init__(self,
                 template_size: Sequence[float] = (82., 110.),
                 max_side: float = 5000) -> None:
        width, height = template_size
        if min(width, height) <= 0 or max_side < max(width, height):
            raise ValueError(
                f'template_size is {tuple(template_size)} and max_side is '
                f'{max_side}; give a positive width and height, and a side '
                'that is not below them')
        self.template_size = width, height
        self.max_side = max_side

    def __call__(self, width: int, height: int) -> list[View]:
        """Plan the views of a picture.

        Args:
            width: Width of the picture in pixels.
            height: Height of the picture in pixels.

        Returns:
            list[View]: At least one, the smallest first. Copies that would
            become equal are looked at once.
        """
        least = min(
            math.floor(math.log2(self.template_size[0] / width)),
            math.floor(math.log2(self.template_size[1] / height)))
        most = math.log2(self.max_side / max(width, height))
        exponents = [float(e) for e in range(least, 1)]
        exponents += [e for e in (.5, 1.) if e <= most]
        return list(
            dict.fromkeys(scaled(width, height, 2**e) for e in exponents))
