"""AP on AFW and PASCAL Face by the protocol of the face-eval toolbox.

Mathias et al., "Face detection without bells and whistles", ECCV 2014. Boxes
of different detectors, and of annotators, frame a face differently. So the
toolbox matches, takes the mean shift and the mean scale from right detections
to their faces, applies it to all detections, and matches again, five times;
AP is that of the fifth matching. NumPy and SciPy only.
"""
import math
from dataclasses import dataclass

import numpy as np

from .voc_face_gt import VOCFaceGroundTruth
from .voc_face_io import MAX_COORDINATE, VOCFaceDetections
from .voc_face_matching import best_box, curve_of, pair_up, right_and_wrong
from .voc_face_result import VOCFaceResult


@dataclass(frozen=True)
class Refinement:
    """How boxes are moved before the next matching.

    Attributes:
        dx: Shift of the centre, in widths of the detection.
        dy: Shift of the centre, in heights of the detection.
        sx: Factor on the width, about the shifted centre.
        sy: Factor on the height.
    """

    dx: float
    dy: float
    sx: float
    sy: float

    def __call__(self, boxes: np.ndarray) -> np.ndarray:
        """Move (N, 4) x1 y1 x2 y2."""
        size = boxes[:, 2:] - boxes[:, :2]
        centre = (boxes[:, :2] + boxes[:, 2:]) / 2 + size * [self.dx, self.dy]
        half = size / 2 * [self.sx, self.sy]
        return np.concatenate([centre - half, centre + half], axis=1)


def mean_refinement(found: np.ndarray, faces: np.ndarray) -> Refinement | None:
    """Mean shift and mean scale from detections to their faces.

    Args:
        found: (n, 4) float64, x1 y1 x2 y2; those without width or height say
            nothing about a scale and are left out.
        faces: (n, 4) float64, the face of each.

    Returns:
        Refinement | None: None without any detection.
    """
    size = found[:, 2:] - found[:, :2]
    usable = (size > 0).all(axis=1)
    if not usable.any():
        return None
    found, faces, size = found[usable], faces[usable], size[usable]
    shift = ((faces[:, :2] + faces[:, 2:]) -
             (found[:, :2] + found[:, 2:])) / 2 / size
    scale = (faces[:, 2:] - faces[:, :2]) / size
    return Refinement(*shift.mean(axis=0).tolist(),
                      *scale.mean(axis=0).tolist())


def evaluate_voc_face(detections: VOCFaceDetections,
                      truth: VOCFaceGroundTruth,
                      iou_thr: float = 0.5,
                      passes: int = 5,
                      min_size: float = 30) -> VOCFaceResult:
    """Score one set of detections.

    - Faces with x2 - x1 or y2 - y1 below 30 are ignored, as those marked.
    - Detections are kept if x2 - x1 or y2 - y1 is above 21, the whole part
      of sqrt(0.5 * 30 * 30).
    - They are taken in descending order of score over the whole set, equal
      ones in the order given.
    - Each is compared with the box of its image that it overlaps most, marked
      or not, the last one on ties. Sides are one pixel longer than x2 - x1;
      boxes that have no area in common without that pixel do not overlap.
    - IoU > 0.5: right if the face counts and is not found yet, wrong if it
      is, neither if the face is ignored. Else wrong.
    - Five matchings, boxes refined between them, see the module.
    - AP: area under the envelope of precision over recall after every
      detection (VOC 2010 and later).

    The other values of the three arguments are for studies.

    Args:
        detections: Their images must be in ``truth``.
        truth: From :func:`~.voc_face_gt.load_voc_face_gt`.
        iou_thr: IoU in [0, 1) that a match must exceed.
        passes: Number of matchings; 1 is none refined.
        min_size: The 30 above, in pixels, up to 1e9.

    Returns:
        VOCFaceResult: With the subset ``all``; ``details`` has the total
        ``refinement`` of each pass.

    Raises:
        ValueError: An argument is out of range, or a detection is for an
            image that is not in the ground truth.
    """
    _check_arguments(iou_thr, passes, min_size)
    image = image_index(detections, truth)
    order = np.argsort(-detections.scores, kind='stable')
    boxes, image = detections.boxes[order], image[order]
    least = math.floor(math.sqrt(0.5 * min_size**2))
    kept = (boxes[:, 2:] - boxes[:, :2] > least).any(axis=1)
    boxes, image = boxes[kept], image[kept]
    large = (truth.boxes[:, 2:] - truth.boxes[:, :2] >= min_size).all(axis=1)
    counted = truth.counted['all'] & large
    pairs = pair_up(image, truth)
    steps: list[Refinement] = []
    for number in range(passes):
        best = best_box(boxes, truth.boxes, pairs, touching=False, last=True)
        right, wrong = right_and_wrong(best, best.overlap > iou_thr, counted)
        step = mean_refinement(boxes[right], truth.boxes[best.box[right]])
        if number == passes - 1 or step is None:
            break
        boxes = step(boxes)
        steps.append(step)
    return VOCFaceResult({'all': curve_of(right, wrong, int(counted.sum()))},
                         protocol=_protocol(truth, iou_thr, passes, min_size,
                                            least),
                         is_subset=truth.is_subset,
                         num_images=len(truth.keys),
                         num_detections=len(detections.scores),
                         num_scored=len(boxes),
                         num_left_out=detections.num_left_out,
                         missing=images_without(detections, truth),
                         warnings=common_warnings(detections, truth),
                         details=dict(
                             num_annotated=len(truth.boxes),
                             refinement=[vars(step) for step in steps]))


def image_index(detections: VOCFaceDetections,
                truth: VOCFaceGroundTruth) -> np.ndarray:
    """(N,) int64: the image of each detection in the ground truth's keys.

    Raises:
        ValueError: An image is not in the ground truth.
    """
    unknown = [key for key in detections.keys if key not in truth.index]
    if unknown:
        raise ValueError(
            f'{len(unknown):,} of {len(detections.keys):,} images with '
            f'detections are not in the ground truth, the first is '
            f'{unknown[0]!r}; keys look like {truth.keys[0]!r}')
    places = np.array([truth.index[key] for key in detections.keys], np.int64)
    return places[detections.image]


def images_without(detections: VOCFaceDetections,
                   truth: VOCFaceGroundTruth) -> tuple[str, ...]:
    """Keys of the ground truth that have no detection."""
    present = {detections.keys[at] for at in np.unique(detections.image)}
    return tuple(key for key in truth.keys if key not in present)


def common_warnings(detections: VOCFaceDetections,
                    truth: VOCFaceGroundTruth) -> tuple[str, ...]:
    """What the user must know about any set of detections."""
    warnings = []
    if not len(detections.scores):
        warnings.append('there is no detection at all')
    if truth.is_subset:
        warnings.append(f'{truth.describe()}: not comparable with published '
                        'numbers')
    return tuple(warnings)


def _protocol(truth: VOCFaceGroundTruth, iou_thr: float, passes: int,
              min_size: float, least: int) -> str:
    """One line that must stand beside the numbers."""
    refined = ('boxes as detected'
               if passes == 1 else f'boxes refined, AP of matching {passes}')
    return (f'face-eval protocol (AFW, PASCAL Face), {truth.describe()}, IoU '
            f'> {iou_thr:g}, {refined}, faces under {min_size:g} pixels '
            f'ignored, detections up to {least} pixels left out')


def _check_arguments(iou_thr: float, passes: int, min_size: float) -> None:
    """Raise ValueError unless the evaluation can be done as asked."""
    if not 0 <= iou_thr < 1:
        raise ValueError(f'the IoU threshold must be in [0, 1), got {iou_thr}')
    if passes < 1:
        raise ValueError(f'there must be at least one pass, got {passes}')
    if not 0 <= min_size <= MAX_COORDINATE:
        raise ValueError('min_size must be 0 or more pixels, up to '
                         f'{MAX_COORDINATE:,.0f}, got {min_size:g}')
