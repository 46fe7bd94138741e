"""The protocols of face-eval and of the VOC devkit word by word.

Slow loops over plain Python numbers, nothing shared with the package: the
reference for the vectorised evaluations.
"""
import math


def overlap(one, other, touching):
    """IoU of two boxes x1 y1 x2 y2, each side one pixel longer."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if touching:
        if width + 1 <= 0 or height + 1 <= 0:
            return 0.
    elif width <= 0 or height <= 0:
        return 0.
    inter = (width + 1) * (height + 1)
    areas = sum((b[2] - b[0] + 1) * (b[3] - b[1] + 1) for b in (one, other))
    return inter / (areas - inter)


def match(found, images, hits, touching, last):
    """Label each detection ``right``, ``wrong`` or ``neither``.

    Args:
        found: Rows (image, score, box), in descending order of score.
        images: Image -> list of (box, counted).
        hits: Says whether an overlap suffices.
        touching: As in ``overlap``.
        last: Whether the last box of equal overlap wins.

    Returns:
        Labels, and pairs (box found, box of the face) of the right ones.
    """
    taken, labels, pairs = set(), [], []
    for image, _, box in found:
        best, at = 0., None
        for number, (face, _) in enumerate(images[image]):
            value = overlap(box, face, touching)
            if value > best or (last and value == best):
                best, at = value, number
        if at is None or not hits(best):
            labels.append('wrong')
        elif not images[image][at][1]:
            labels.append('neither')
        elif (image, at) in taken:
            labels.append('wrong')
        else:
            taken.add((image, at))
            labels.append('right')
            pairs.append((box, images[image][at][0]))
    return labels, pairs


def average_precision(labels, num_faces):
    """Area under the envelope of precision."""
    points, right, wrong = [], 0, 0
    for label in labels:
        right += label == 'right'
        wrong += label == 'wrong'
        if right + wrong:
            points.append((right / num_faces, right / (right + wrong)))
    area, before = 0., 0.
    for number, (recall, _) in enumerate(points):
        area += (recall - before) * max(p for _, p in points[number:])
        before = recall
    return area


def evaluate_face_eval(found, images, iou_thr=.5, passes=5, min_size=30):
    """AP of the face-eval toolbox.

    Args:
        found: Rows (image, score, box) in the order of the file.
        images: Image -> list of (box, ignore).
    """
    least = int(math.sqrt(.5 * min_size * min_size))
    faces = {
        image: [(box, not ignore and box[2] - box[0] >= min_size
                 and box[3] - box[1] >= min_size) for box, ignore in boxes]
        for image, boxes in images.items()
    }
    found = [
        row for row in found
        if row[2][2] - row[2][0] > least or row[2][3] - row[2][1] > least
    ]
    found = sorted(found, key=lambda row: -row[1])
    for _ in range(passes):
        labels, pairs = match(found, faces, lambda v: v > iou_thr, False, True)
        if not pairs:
            break
        ratios = []
        for (x1, y1, x2, y2), (gx1, gy1, gx2, gy2) in pairs:
            width, height = x2 - x1, y2 - y1
            ratios.append((((gx1 + gx2) / 2 - (x1 + x2) / 2) / width,
                           ((gy1 + gy2) / 2 - (y1 + y2) / 2) / height,
                           (gx2 - gx1) / width, (gy2 - gy1) / height))
        dx, dy, sx, sy = (sum(r) / len(r) for r in zip(*ratios))
        moved = []
        for image, score, (x1, y1, x2, y2) in found:
            width, height = x2 - x1, y2 - y1
            cx = (x1 + x2) / 2 + dx * width
            cy = (y1 + y2) / 2 + dy * height
            moved.append(
                (image, score, (cx - width * sx / 2, cy - height * sy / 2,
                                cx + width * sx / 2, cy + height * sy / 2)))
        found = moved
    return average_precision(labels,
                             sum(c for f in faces.values() for _, c in f))


def evaluate_devkit(found, images, types, iou_thr=.5):
    """AP of a subset of MAFA.

    Args:
        found: Rows (image, score, box) in the order of the file.
        images: Image -> list of (box x y w h, face type).
        types: Face types that count.
    """
    faces = {
        image: [((x, y, x + w, y + h), kind in types and w > 0 and h > 0)
                for (x, y, w, h), kind in boxes]
        for image, boxes in images.items()
    }
    found = sorted(found, key=lambda row: -row[1])
    labels, _ = match(found, faces, lambda v: v >= iou_thr, True, False)
    return average_precision(labels,
                             sum(c for f in faces.values() for _, c in f))
