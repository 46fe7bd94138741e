"""Faces, background or nothing for every template at every cell."""
import random
from typing import NamedTuple

import torch
from mmdet.models.task_modules.prior_generators import AnchorGenerator
from mmdet.registry import TASK_UTILS
from torch import Tensor

from .template_windows import TemplateWindows, tie_noise


class TemplateTargets(NamedTuple):
    """What each template at each cell is trained to find.

    Attributes:
        labels (Tensor): 1 face, -1 background, 0 trains nothing, (N, H, W)
            int8; N templates.
        faces (Tensor): Index of the face that the window overlaps most where
            the label is 1, else -1, (N, H, W) int64.
    """

    labels: Tensor
    faces: Tensor


@TASK_UTILS.register_module()
class TemplateAssigner:
    """Targets of the templates of "Finding Tiny Faces" (section 4.1,
    "Details", and appendix B, "Border cases").

    - A window, that is a template at a cell, whose IoU with a face is at
      least ``pos_iou_thr`` is positive; below ``neg_iou_thr`` with all faces
      it is negative; in between it trains nothing.
    - The window that overlaps a face most, of all cells and templates, is
      positive if their IoU is above ``min_face_iou``. (The released code's
      rule; an RPN has no such bound.)
    - A positive window is regressed to the face that it overlaps most.
    - A window that crosses an edge of the picture trains nothing. Padding is
      not part of the picture.
    - A negative window that lies in an ignored face trains nothing. (The
      released code has no ignored faces.)

    Only windows that can reach the lowest threshold are looked at, so that
    time and memory grow with the area of the faces, not with their number
    times all windows. Overlaps are computed in float64.

    Args:
        pos_iou_thr: See above.
        neg_iou_thr: See above.
        min_face_iou: See above.
        negative_border: As in the released code: a window across an edge is
            not positive, but negative if it overlaps no face.
        noise: Which of two faces a window overlaps most, and which of two
            windows overlaps a face most, is decided with a random number
            from 0 to this added to their IoU, so that of equals another one
            is taken each time. Thresholds are for the IoU itself. With 0 the
            first face and the first window are taken.
        ignore_iof_thr: A window lies in an ignored face if more than this
            part of its area does.
        seed: Of the noise. None draws with the picture's own seed, or where
            it has none from PyTorch's global generator of the CPU. A number
            comes before both: it gives this assigner noise of its own, which
            is the same in every run, whatever else draws, but begins anew
            with ``--resume``.

    Raises:
        ValueError: An argument is out of range.
    """

    def __init__(self,
                 pos_iou_thr: float = .7,
                 neg_iou_thr: float = .3,
                 min_face_iou: float = .3,
                 negative_border: bool = False,
                 noise: float = 1e-6,
                 ignore_iof_thr: float = .5,
                 seed: int | None = None) -> None:
        if not 0 < neg_iou_thr <= pos_iou_thr <= 1:
            raise ValueError(
                'thresholds must be 0 < neg_iou_thr <= pos_iou_thr <= 1, not '
                f'neg_iou_thr={neg_iou_thr}, pos_iou_thr={pos_iou_thr}')
        for name, value in (('min_face_iou', min_face_iou), ('ignore_iof_thr',
                                                             ignore_iof_thr)):
            if not 0 < value <= 1:
                raise ValueError(
                    f'{name} must be above 0 and at most 1, not {value}')
        # The lowest IoU of a face that can be chosen where it matters.
        self._floor = min(neg_iou_thr, min_face_iou) - noise
        if not (noise >= 0 and self._floor > 0):
            raise ValueError(
                'noise must be at least 0 and below all thresholds, not '
                f'{noise}')
        self.pos_iou_thr = pos_iou_thr
        self.neg_iou_thr = neg_iou_thr
        self.min_face_iou = min_face_iou
        self.negative_border = negative_border
        self.noise = noise
        self.ignore_iof_thr = ignore_iof_thr
        self._seeds = None if seed is None else random.Random(seed)

    @torch.no_grad()
    def assign(self,
               prior_generator: AnchorGenerator,
               featmap_size: tuple[int, int],
               area: tuple[float, float, float, float],
               faces: Tensor,
               ignored: Tensor | None = None,
               seeds: random.Random | None = None) -> TemplateTargets:
        """Targets of one picture.

        Args:
            prior_generator: Of one level, as
                :class:`~tinyfaces.models.task_modules.TemplatePriorGenerator`.
            featmap_size: (H, W) of the map.
            area: Edges x1, y1, x2, y2 of the picture inside the input.
            faces: (G, 4) xyxy.
            ignored: (I, 4) xyxy.
            seeds: Of the picture, see :func:`picture_seeds`.

        Returns:
            TemplateTargets: On the device of ``faces``.

        Raises:
            ValueError: The prior generator has several levels.
        """
        faces = faces.double()
        windows = TemplateWindows(prior_generator, featmap_size, faces.device)
        labels, chosen = self._match(windows, faces, seeds)

        crosses = windows.crossing(area)
        if self.negative_border:
            crosses &= labels != -1
        labels[crosses] = 0
        if ignored is not None:
            inside = self._in_ignored(windows, ignored.to(faces))
            labels[inside & (labels == -1)] = 0
        chosen[labels != 1] = -1
        return TemplateTargets(labels, chosen)

    def _match(self, windows: TemplateWindows, faces: Tensor,
               seeds: random.Random | None) -> tuple[Tensor, Tensor]:
        """Labels by overlap alone, and the face that each window overlaps
        most (any number where there is none); both (N, H, W)."""
        areas = windows.areas + _areas(faces)[:, None]
        need = self._floor / (1 + self._floor) * areas
        face, template, window, common = windows.overlapping(faces, need)
        iou = common / (areas[face, template] - common)
        order = iou
        if self.noise:
            order = iou + self.noise * tie_noise(
                self._next_seed(seeds), face, window)

        best = _maximum(iou, window, windows.count)
        labels = torch.full_like(best, -1, dtype=torch.int8)
        labels[best >= self.neg_iou_thr] = 0
        labels[best >= self.pos_iou_thr] = 1
        of_face = _first_best(order, face, window, len(faces))
        enough = _maximum(iou, face, len(faces)) > self.min_face_iou
        labels[of_face[enough]] = 1
        chosen = _first_best(order, window, face, windows.count)
        return labels.view(windows.shape), chosen.view(windows.shape)

    def _in_ignored(self, windows: TemplateWindows, ignored: Tensor) -> Tensor:
        """Windows that lie in an ignored face, (N, H, W) bool."""
        need = self.ignore_iof_thr * windows.areas.expand(len(ignored), -1)
        _, template, window, common = windows.overlapping(ignored, need)
        part = common / windows.areas[template]
        inside = torch.zeros(
            windows.count, dtype=torch.bool, device=ignored.device)
        inside[window[part > self.ignore_iof_thr]] = True
        return inside.view(windows.shape)

    def _next_seed(self, seeds: random.Random | None) -> int:
        """32 random bits."""
        seeds = self._seeds or seeds
        if seeds is None:
            return int(torch.randint(2**32, ()))
        return seeds.getrandbits(32)


def _areas(boxes: Tensor) -> Tensor:
    """Of boxes (n, 4), (n, ); 0 if a side is negative."""
    return (boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(dim=1)


def _maximum(values: Tensor, index: Tensor, count: int) -> Tensor:
    """Highest of the values of each index, (count, ); 0 if it has none."""
    result = values.new_zeros(count)
    return result.scatter_reduce_(0, index, values, 'amax')


def _first_best(values: Tensor, index: Tensor, candidates: Tensor,
                count: int) -> Tensor:
    """The candidate with the highest value for each index, (count, ).

    Args:
        values: Above 0, (n, ).
        index: Whose candidate it is, (n, ) int64.
        candidates: (n, ) int64. The lowest of equals is taken.
        count: One more than the highest index.

    Returns:
        Tensor: int64; -1 for an index without candidates.
    """
    best = torch.nonzero(values == _maximum(values, index, count)[index])
    best = best.squeeze(1)
    result = torch.full((count, ), -1, device=values.device)
    return result.scatter_reduce_(
        0, index[best], candidates[best], 'amin', include_self=False)
