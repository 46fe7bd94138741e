"""RefineFace's losses anchor by anchor, from the paper's text (3.1, 3.2, 3.6).

Plain floats and loops; shares no code with the package or with MMDetection.
A picture's anchors are a list of (level, row, column, index); maps are
indexed [level][picture, channel, row, column].
"""
import math

UNUSED, BACKGROUND = -2, -1


def tiled_anchors(sizes, strides):
    """Two per cell, 2S and 2 sqrt(2) S, height 1.25 times the width."""
    places, boxes = [], []
    for level, ((height, width), stride) in enumerate(zip(sizes, strides)):
        for row in range(height):
            for column in range(width):
                for index, scale in enumerate((2, 2 * math.sqrt(2))):
                    x, y = (column + .5) * stride, (row + .5) * stride
                    w = scale * stride / math.sqrt(1.25)
                    h = scale * stride * math.sqrt(1.25)
                    places.append((level, row, column, index))
                    boxes.append((x - w / 2, y - h / 2, x + w / 2, y + h / 2))
    return places, boxes


def area(box):
    return (box[2] - box[0]) * (box[3] - box[1])


def shared(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return max(width, 0) * max(height, 0)


def iou(a, b):
    return shared(a, b) / (area(a) + area(b) - shared(a, b))


def match(boxes, valid, faces, ignored, positive, negative):
    """Index of a face, BACKGROUND or UNUSED, for each anchor."""
    matches, best_of_face = [], [0.] * len(faces)
    usable = [
        on
        and not any(shared(box, area_) / area(box) > .5 for area_ in ignored)
        for box, on in zip(boxes, valid)
    ]
    for box, on in zip(boxes, usable):
        overlaps = [iou(box, face) for face in faces] if on else []
        for index, overlap in enumerate(overlaps):
            best_of_face[index] = max(best_of_face[index], overlap)
        best = max(overlaps, default=0)
        if not on:
            matches.append(UNUSED)
        elif best >= positive:
            matches.append(overlaps.index(best))
        else:
            matches.append(BACKGROUND if best < negative else UNUSED)
    for index, face in enumerate(faces):
        for place, (box, on) in enumerate(zip(boxes, usable)):
            if on and iou(box, face) == best_of_face[index] > 0:
                matches[place] = index
    return matches


def decode(box, deltas):
    w, h = box[2] - box[0], box[3] - box[1]
    x = (box[0] + box[2]) / 2 + deltas[0] * w
    y = (box[1] + box[3]) / 2 + deltas[1] * h
    w, h = w * math.exp(deltas[2]), h * math.exp(deltas[3])
    return x - w / 2, y - h / 2, x + w / 2, y + h / 2


def encode(box, face):
    w, h = box[2] - box[0], box[3] - box[1]
    return ((face[0] + face[2] - box[0] - box[2]) / 2 / w,
            (face[1] + face[3] - box[1] - box[3]) / 2 / h,
            math.log((face[2] - face[0]) / w), math.log(
                (face[3] - face[1]) / h))


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def focal(logit, face):
    """alpha .25, gamma 2."""
    p = sigmoid(logit)
    if face:
        return -.25 * (1 - p)**2 * math.log(p)
    return -.75 * p**2 * math.log(1 - p)


def smooth_l1(x, beta=1 / 9):
    return .5 * x * x / beta if abs(x) < beta else abs(x) - .5 * beta


def values(maps, picture, place, count):
    """``count`` channels of one anchor."""
    level, row, column, index = place
    return [
        float(maps[level][picture, index * count + i, row, column])
        for i in range(count)
    ]


def losses(scores, deltas, first_scores, first_deltas, stc_levels, str_levels,
           strides, pictures):
    """The four losses, and what STC sees and drops per picture.

    Args:
        scores, deltas: Second-step maps of all levels, a list.
        first_scores, first_deltas: First-step maps by level, a dict.
        pictures: (faces, ignored, pad_shape) of each.
    """
    places, tiled = tiled_anchors([m.shape[-2:] for m in scores], strides)
    sums = dict.fromkeys(
        ('loss_cls', 'loss_bbox', 'loss_cls_first', 'loss_bbox_first'), 0.)
    counts = dict.fromkeys(sums, 0)
    seen, dropped = [0, 0], [0, 0]
    for picture, (faces, ignored, pad_shape) in enumerate(pictures):
        valid = [(row * strides[level] < pad_shape[0]
                  and column * strides[level] < pad_shape[1])
                 for level, row, column, _ in places]
        first = match(tiled, valid, faces, ignored, .7, .3)
        refined = [
            decode(box, values(first_deltas, picture, place, 4))
            if place[0] in str_levels else box
            for place, box in zip(places, tiled)
        ]
        second = match(refined, valid, faces, ignored, .5, .4)
        positives = dict.fromkeys(sums, 0)

        def add(name, matched, loss):
            positives[name] += matched >= 0
            sums[name] += loss

        for place, box, moved, one, two in zip(places, tiled, refined, first,
                                               second):
            stays = True
            if place[0] in stc_levels:
                logit, = values(first_scores, picture, place, 1)
                stays = sigmoid(logit) > .01
                if one != UNUSED:
                    add('loss_cls_first', one, focal(logit, one >= 0))
                if two != UNUSED:
                    seen[two < 0] += 1
                    dropped[two < 0] += not stays
            elif two != UNUSED:
                seen[two < 0] += 1
            if place[0] in str_levels and one >= 0:
                errors = zip(
                    values(first_deltas, picture, place, 4),
                    encode(box, faces[one]))
                add('loss_bbox_first', one,
                    sum(smooth_l1(a - b) for a, b in errors))
            if stays and two != UNUSED:
                logit, = values(scores, picture, place, 1)
                add('loss_cls', two, focal(logit, two >= 0))
            if stays and two >= 0:
                errors = zip(
                    values(deltas, picture, place, 4),
                    encode(moved, faces[two]))
                add('loss_bbox', two, sum(smooth_l1(a - b) for a, b in errors))
        for name, number in positives.items():
            counts[name] += max(number, 1)
    result = {name: sums[name] / counts[name] for name in sums}
    if not stc_levels:
        del result['loss_cls_first']
    else:
        for index, kind in enumerate(('pos', 'neg')):
            result[f'stc_{kind}'] = seen[index] / len(pictures)
            result[f'stc_dropped_{kind}'] = dropped[index] / len(pictures)
            result[f'stc_share_{kind}'] = (
                dropped[index] / seen[index] if seen[index] else 0.)
    if not str_levels:
        del result['loss_bbox_first']
    return result
