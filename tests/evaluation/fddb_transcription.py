"""The FDDB protocol word by word: whole pictures, nothing shared.

The reference for the fast evaluation, in tests and in
``benchmarks/fddb_eval.py``. Every shape is drawn into a mask of the size of
the picture, every pair is compared, and all pairs are assigned anew at every
score of a picture.
"""
import math
import sys

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment


def ellipse_mask(ellipse, size):
    """Boolean (height, width) mask of a filled ellipse."""
    a, b, angle, cx, cy = ellipse
    mask = np.zeros((size[1], size[0]), np.uint8)
    centre = np.rint(np.array([cx, cy], np.float32)).astype(int).tolist()
    stored = (math.pi - angle) * 180 / math.pi
    cv2.ellipse(mask, centre, (int(a), int(b)), 180 - stored, 0, 360, 255, -1)
    return mask > 0


def rectangle_mask(box, size):
    """Boolean (height, width) mask of a filled rectangle."""
    x, y, w, h = box
    mask = np.zeros((size[1], size[0]), np.uint8)
    corners = np.array([[x, y], [x + w, y + h]], np.float32)
    start, end = np.rint(corners).astype(int).tolist()
    cv2.rectangle(mask, start, end, 255, -1)
    return mask > 0


def overlaps(detections, faces, size):
    """IoU of n detections and m faces in pixels: (n, m)."""
    draw = rectangle_mask if len(detections[0]) == 5 else ellipse_mask
    truth = [ellipse_mask(face, size) for face in faces]
    table = np.zeros((len(detections), len(faces)))
    for row, detection in enumerate(detections):
        found = draw(detection[:-1], size)
        for column, face in enumerate(truth):
            union = np.count_nonzero(found | face)
            if union:
                table[row, column] = np.count_nonzero(found & face) / union
    return table


def score_picture(detections, faces, size):
    """Score -> (hits, sum of IoU, false positives) of one picture."""
    if not len(detections):
        return {sys.float_info.max: (0, 0, 0)}
    table = overlaps(detections, faces, size)
    scores = [detection[-1] for detection in detections]
    counts = {}
    for threshold in set(scores):
        valid = [at for at, score in enumerate(scores) if score >= threshold]
        part = table[valid]
        rows, columns = linear_sum_assignment(-part)
        pairs = part[rows, columns]
        hits = int((pairs > 0.5).sum())
        counts[threshold] = hits, pairs.sum(), len(valid) - hits
    return counts


def evaluate(detections, truth, sizes):
    """Rows (threshold, hits, sum of IoU, false positives), ascending."""
    pictures = [
        score_picture(detections[name], faces, sizes[name])
        for name, faces in truth.items()
    ]
    rows = []
    for threshold in sorted({score for one in pictures for score in one}):
        total = np.zeros(3)
        for counts in pictures:
            own = [score for score in counts if score >= threshold]
            if own:
                total += counts[min(own)]
        rows.append((threshold, *total))
    return np.array(rows)
