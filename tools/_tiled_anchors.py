"""Positive and negative anchors of a picture without tiling its anchors.

A picture of 1,200x1,200 pixels has 360,000 anchors on P2 and, in WIDER FACE,
up to 2,000 faces. But all anchors that no face overlaps enough are negative,
and those that one might overlap enough lie in a small window around it: only
these are looked at.
"""
from typing import NamedTuple

import numpy as np
import torch
from mmdet.models.task_modules.prior_generators import AnchorGenerator

from tinyfaces.models.task_modules import TwoPassAssigner

# Windows are this much wider than they need be, against rounding.
_SLACK = .01


class Labels(NamedTuple):
    """All anchors of a picture that are not negative, by rising index.

    Attributes:
        anchors: int64 (k, ), the index of each in the picture's anchors as
            MMDetection orders them.
        kinds: int64 (k, ), the row in :attr:`TiledAnchors.base`.
        faces: int64 (k, ), of which face it is a positive; -1 for an anchor
            that is neither positive nor negative.
    """
    anchors: np.ndarray
    kinds: np.ndarray
    faces: np.ndarray


class TiledAnchors:
    """The anchors of a generator on pictures of any size.

    Attributes:
        base: float32 (a, 4), the anchors at the first cell of all levels,
            xyxy in pixels: the kinds of anchors.
        strides: int64 (a, 2), the distances of each kind's anchors, x and y.

    Args:
        generator: Of a head.

    Raises:
        ValueError: It is another kind of generator, whose anchors may not be
            equal at all cells.
    """

    def __init__(self, generator: AnchorGenerator) -> None:
        if type(generator) is not AnchorGenerator:
            raise ValueError('anchors are counted for an AnchorGenerator, not '
                             f'for a {type(generator).__name__}')
        self.base = np.concatenate(
            [base.numpy() for base in generator.base_anchors])
        per_level = np.array(generator.num_base_priors)
        self._level = np.repeat(np.arange(len(per_level)), per_level)
        self._per_cell = per_level[self._level]
        self._place = np.concatenate([np.arange(n) for n in per_level])
        self.strides = np.array(generator.strides)[self._level]

    def totals(self, size: tuple[int, int]) -> np.ndarray:
        """How many anchors of each kind a picture of (height, width) has."""
        return self._cells(size).prod(axis=1)

    def _cells(self, size: tuple[int, int]) -> np.ndarray:
        """Columns and rows of each kind, (a, 2)."""
        return -(-np.array(size[::-1]) // self.strides)

    def label(self, assigner: TwoPassAssigner, faces: np.ndarray,
              ignored: np.ndarray, size: tuple[int, int]) -> Labels:
        """What ``assigner`` makes of all anchors (section 4.1).

        Args:
            assigner: Its thresholds and switches are used, not its code.
            faces: float32 (n, 4), xyxy in pixels.
            ignored: float32 (m, 4), the same of ignored faces.
            size: Height and width of the picture and its padding.

        Returns:
            Labels: Of anchors that are not negative.
        """
        cells = self._cells(size)
        outside, outside_kinds = self._in_ignored(assigner, ignored, cells)
        low, high = (
            np.float32(threshold)
            for threshold in (assigner.neg_iou_thr, assigner.pos_iou_thr))
        # IoU >= t asks for an intersection of t / (1 + t) of the areas' sum.
        least = low / (1 + low) * (_areas(faces)[:, None] + _areas(self.base))
        face, kind, anchor, boxes = self._pairs(faces, least, cells)
        overlap = _overlaps(assigner, faces[face], boxes, 'iou')
        near = np.flatnonzero((overlap >= low) & ~np.isin(anchor, outside))
        # The best face of each anchor; of equal ones the first, as pairs are
        # in the order of faces.
        near = near[np.argsort(-overlap[near], kind='stable')]
        anchor, first = np.unique(anchor[near], return_index=True)
        near = near[first]
        face, kind, overlap = face[near], kind[near], overlap[near]

        positive = overlap >= high
        matched = np.zeros(len(faces), bool)
        matched[face[positive]] = True
        candidates = np.flatnonzero(~matched[face])
        if not assigner.all_matches:
            candidates = candidates[np.argsort(
                -overlap[candidates], kind='stable')]
            _, first = np.unique(face[candidates], return_index=True)
            candidates = candidates[first]
        positive[candidates] = True

        anchors = np.concatenate((anchor, outside))
        order = np.argsort(anchors)
        nothing = np.full(len(outside), -1)
        return Labels(
            anchors[order],
            np.concatenate((kind, outside_kinds))[order],
            np.concatenate((np.where(positive, face, -1), nothing))[order])

    def _in_ignored(self, assigner: TwoPassAssigner, ignored: np.ndarray,
                    cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Anchors (indices and kinds) that an ignored face takes out."""
        if assigner.ignore_iof_thr <= 0 or not len(ignored):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        of_anchor = assigner.ignore_wrt_candidates
        area = _areas(self.base) if of_anchor else _areas(ignored)[:, None]
        least = np.broadcast_to(assigner.ignore_iof_thr * area,
                                (len(ignored), len(self.base)))
        box, kind, anchor, boxes = self._pairs(ignored, least, cells)
        pair = (boxes, ignored[box]) if of_anchor else (ignored[box], boxes)
        inside = _overlaps(assigner, *pair, 'iof') > np.float32(
            assigner.ignore_iof_thr)
        anchor, first = np.unique(anchor[inside], return_index=True)
        return anchor, kind[inside][first]

    def _pairs(self, boxes: np.ndarray, least: np.ndarray,
               cells: np.ndarray) -> tuple[np.ndarray, ...]:
        """All pairs of a box and an anchor with a large intersection.

        Args:
            boxes: (n, 4).
            least: (n, a), pixels that each must share with an anchor.
            cells: See :meth:`_cells`.

        Returns:
            tuple: Of each of k pairs the box's index, in rising order, the
            anchor's kind and its index, and the anchor, float32 (k, 4). A few
            pairs share less than ``least``; none that shares more is missing.
        """
        least = least.astype(np.float64) * (1 - _SLACK)
        sides = np.minimum(*(x[..., 2:] - x[..., :2]
                             for x in (boxes[:, None].astype(np.float64),
                                       self.base)))
        largest = sides.clip(0).prod(axis=2)
        box, kind = np.nonzero((largest >= least) & (largest > 0))
        # What they must share of one axis if they share all of the other.
        share = least[box, kind, None] / sides[box, kind, ::-1]
        base, stride = self.base[kind], self.strides[kind]
        start = np.ceil((boxes[box, :2] + share - base[:, 2:]) / stride)
        stop = np.floor((boxes[box, 2:] - share - base[:, :2]) / stride) + 1
        start = start.clip(0).astype(np.int64)
        count = np.minimum(stop, cells[kind]).astype(np.int64) - start
        columns, rows = count.clip(0).T
        # One line per pair: all places of a window, row by row.
        number = columns * rows
        window = np.repeat(np.arange(len(number)), number)
        at = np.arange(len(window)) - np.repeat(
            number.cumsum() - number, number)
        row, column = np.divmod(at, columns[window])
        place = start[window] + np.stack((column, row), axis=1)
        kind = kind[window]
        anchors = self.base[kind] + np.tile(
            (place * self.strides[kind]).astype(np.float32), 2)
        return (box[window], kind, self._indices(kind, place, cells), anchors)

    def _indices(self, kind: np.ndarray, place: np.ndarray,
                 cells: np.ndarray) -> np.ndarray:
        """Indices in MMDetection's order: level, row, column, kind."""
        first_of_level = self._place == 0
        counts = cells.prod(axis=1) * self._per_cell
        ends = counts[first_of_level].cumsum()
        start = (ends - counts[first_of_level])[self._level] + self._place
        cell = place[:, 1] * cells[kind, 0] + place[:, 0]
        return start[kind] + cell * self._per_cell[kind]


def _areas(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)


def _overlaps(assigner: TwoPassAssigner, first: np.ndarray,
              second: np.ndarray, mode: str) -> np.ndarray:
    """Overlaps (k, ) of pairs, rounded as the assigner rounds them."""
    return assigner.iou_calculator(
        torch.from_numpy(first),
        torch.from_numpy(second),
        mode=mode,
        is_aligned=True).numpy()


def count_anchors(anchors: TiledAnchors, assigner: TwoPassAssigner,
                  groups: np.ndarray, num_groups: int, faces: np.ndarray,
                  ignored: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Positives and negatives of each group of one picture.

    Args:
        anchors: All of them.
        assigner, faces, ignored, size: See :meth:`TiledAnchors.label`.
        groups: int64 (a, ), the group of each kind of anchor.
        num_groups: How many groups there are.

    Returns:
        np.ndarray: int64 (2, num_groups).
    """
    labels = anchors.label(assigner, faces, ignored, size)
    positives = np.bincount(
        groups[labels.kinds[labels.faces >= 0]], minlength=num_groups)
    totals = np.bincount(groups, anchors.totals(size), num_groups)
    others = np.bincount(groups[labels.kinds], minlength=num_groups)
    return np.stack((positives, totals.astype(np.int64) - others))
