"""Losses and detections of Group Sampling's head in plain floats and loops.

From sections 4 to 6 of the paper and the description of the head; shares no
code with the package or with MMDetection. A picture's anchors are a list of
(level, row, column, index) and a list of boxes; maps are indexed
[level][picture, channel, row, column].
"""
import math

from refine_head_transcription import (BACKGROUND, UNUSED, area, decode,
                                       encode, focal, iou, match, sigmoid,
                                       smooth_l1, values)


def tiled_anchors(sizes, strides, scales):
    """Squares of scale times stride pixels around the corner of each cell."""
    places, boxes = [], []
    for level, ((height, width), stride) in enumerate(zip(sizes, strides)):
        for row in range(height):
            for column in range(width):
                for index, scale in enumerate(scales):
                    x, y, half = column * stride, row * stride, scale * stride
                    half /= 2
                    places.append((level, row, column, index))
                    boxes.append((x - half, y - half, x + half, y + half))
    return places, boxes


def cross_entropy(logits, face):
    """Softmax of (face, background)."""
    total = sum(math.exp(x) for x in logits)
    return -math.log(math.exp(logits[0 if face else 1]) / total)


def box_cost(name, anchor, deltas, face):
    if name == 'smooth_l1':
        return sum(
            smooth_l1(a - b) for a, b in zip(deltas, encode(anchor, face)))
    overlap = iou(decode(anchor, deltas), face)
    return -math.log(overlap) if name == 'log_iou' else (1 - overlap)**2


def losses(scores,
           deltas,
           pictures,
           strides,
           scales,
           samples=None,
           classifier='softmax',
           box='smooth_l1',
           ohem=None):
    """Both losses.

    Args:
        scores, deltas: Maps of all levels.
        pictures: (faces, ignored, pad_shape) of each.
        samples: For each picture the anchors that were drawn; None: no
            sampler, all that are labelled train.
        ohem: How many of a picture's anchors train.
    """
    places, boxes = tiled_anchors([m.shape[-2:] for m in scores], strides,
                                  scales)
    rows = []
    for picture, (faces, ignored, pad_shape) in enumerate(pictures):
        valid = [(row * strides[level] < pad_shape[0]
                  and column * strides[level] < pad_shape[1])
                 for level, row, column, _ in places]
        own = []
        matches = match(boxes, valid, faces, ignored, .6, .4)
        for at, (place, anchor,
                 matched) in enumerate(zip(places, boxes, matches)):
            if matched == UNUSED or samples and at not in samples[picture]:
                continue
            positive = matched != BACKGROUND
            if classifier == 'softmax':
                cost = cross_entropy(
                    values(scores, picture, place, 2), positive)
            else:
                cost = focal(values(scores, picture, place, 1)[0], positive)
            own.append(
                (cost,
                 box_cost(box, anchor, values(deltas, picture, place, 4),
                          faces[matched]) if positive else 0., positive))
        if ohem:
            own = sorted(own, key=lambda row: -row[0] - row[1])[:ohem]
        rows += own
    positives = sum(row[2] for row in rows)
    divisor = positives if samples is None and ohem is None else len(rows)
    return dict(
        loss_cls=sum(row[0] for row in rows) / max(divisor, 1),
        loss_bbox=sum(row[1] for row in rows) / max(positives, 1))


def suppressed(found, threshold, number):
    """Greedy NMS of (box, score, group), the best ``number`` that stay."""
    kept = []
    for row in sorted(found, key=lambda row: -row[1]):
        if all(iou(row[0], other[0]) <= threshold for other in kept):
            kept.append(row)
    return kept[:number]


def candidates(scores,
               deltas,
               picture,
               shape,
               strides,
               scales,
               score_thr,
               nms_pre,
               classifier='softmax'):
    """The best of each group before NMS: (box, score, group).

    Of these, boxes without area are dropped, which lie off the picture.
    """
    places, boxes = tiled_anchors([m.shape[-2:] for m in scores], strides,
                                  scales)
    groups = [[], [], [], []]
    for place, anchor in zip(places, boxes):
        side = anchor[2] - anchor[0]
        if classifier == 'softmax':
            face, other = values(scores, picture, place, 2)
            score = math.exp(face) / (math.exp(face) + math.exp(other))
        else:
            score = sigmoid(values(scores, picture, place, 1)[0])
        if score <= score_thr:
            continue
        box = decode(anchor, values(deltas, picture, place, 4))
        box = tuple(
            min(max(x, 0), limit) for x, limit in zip(box, shape[::-1] * 2))
        group = (16, 32, 64, 128).index(side)
        groups[group].append((box, score, group))
    return [
        row for group in groups
        for row in sorted(group, key=lambda row: -row[1])[:nms_pre]
        if area(row[0]) > 0
    ]
