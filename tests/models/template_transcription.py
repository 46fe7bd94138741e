"""Training of Finding Tiny Faces, one window after the other.

Plain Python in float64, from the description of the targets, the loss and the
sampling; nothing is shared with the package.
"""
import math


def overlap(a, b):
    """Area in common, and both areas."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    areas = [(c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)]
    return max(width, 0) * max(height, 0), *areas


def iou(a, b):
    common, *areas = overlap(a, b)
    return common / (sum(areas) - common)


def windows(sizes, height, width, stride=8, offset=.5):
    """(template, y, x) -> box, template by template and row by row."""
    boxes = {}
    for template, (w, h) in enumerate(sizes):
        for y in range(height):
            for x in range(width):
                cx, cy = stride * x + offset, stride * y + offset
                boxes[template, y,
                      x] = (cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2)
    return boxes


def labels(boxes, area, faces, ignored, negative_border=False):
    """(template, y, x) -> (1, face), (0, None) or (-1, None)."""
    found = {}
    for window, box in boxes.items():
        ious = [iou(box, face) for face in faces]
        best = max(ious, default=0)
        found[window] = (1 if best >= .7 else -1 if best < .3 else 0,
                         ious.index(best) if ious else None)
    for face in faces:
        best = max(boxes, key=lambda window: iou(boxes[window], face))
        if iou(boxes[best], face) > .3:
            found[best] = (1, found[best][1])
    for window, (label, face) in found.items():
        x1, y1, x2, y2 = boxes[window]
        crosses = (
            x1 < area[0] or y1 < area[1] or x2 > area[2] or y2 > area[3])
        if crosses and not (negative_border and label == -1):
            label = 0
        for box in ignored:
            common, own, _ = overlap(boxes[window], box)
            if label == -1 and common > .5 * own:
                label = 0
        found[window] = (label, face if label == 1 else None)
    return found


def logistic(logit, label):
    return math.log1p(math.exp(-label * logit))


def huber(difference):
    size = abs(difference)
    return .5 * size * size if size < 1 else size - .5


def box_loss(deltas, box, face):
    """Of tx, ty, tw and th, summed."""
    w, h = box[2] - box[0], box[3] - box[1]
    gw, gh = face[2] - face[0], face[3] - face[1]
    targets = ((face[0] + face[2] - box[0] - box[2]) / 2 / w,
               (face[1] + face[3] - box[1] - box[3]) / 2 / h, math.log(gw / w),
               math.log(gh / h))
    return sum(huber(d - t) for d, t in zip(deltas, targets))


def losses(logits, deltas, pictures, sizes, choose, **options):
    """Both losses of a batch.

    Args:
        logits: Nested lists [picture][template][y][x].
        deltas: [picture][tx, ty, tw, th][template][y][x].
        pictures: (area, faces, ignored) of each.
        sizes: Width and height of each template.
        choose: Of the picture's index, and (window, label, loss) of all that
            are labelled, in order: which windows train.
        **options: Of :func:`labels`.
    """
    totals = dict(loss_cls=0, loss_bbox=0)
    for index, (area, faces, ignored) in enumerate(pictures):
        height, width = len(logits[index][0]), len(logits[index][0][0])
        boxes = windows(sizes, height, width)
        found = labels(boxes, area, faces, ignored, **options)
        labelled = [(window, label,
                     logistic(logits[index][window[0]][window[1]][window[2]],
                              label)) for window, (label, _) in found.items()
                    if label]
        for window, label, loss in choose(index, labelled):
            totals['loss_cls'] += loss
            if label == 1:
                t, y, x = window
                moves = [deltas[index][k][t][y][x] for k in range(4)]
                totals['loss_bbox'] += box_loss(moves, boxes[window],
                                                faces[found[window][1]])
    return {name: total / len(pictures) for name, total in totals.items()}
