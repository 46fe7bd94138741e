"""The feature supervision loss once more, box by box in NumPy."""
import numpy as np
from torch import nn


def iou(a, b, of_first=False):
    """IoU of two boxes, or the part of the first one that is shared."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    area = (a[2] - a[0]) * (a[3] - a[1])
    if of_first:
        return shared / area
    return shared / (area + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def level_of_face(face, scales, ratio, strides, side):
    """Level of the anchor with the largest IoU; the first of equals."""
    best = {}
    for level, stride in enumerate(strides):
        for scale in scales:
            width = stride * scale / ratio**.5 / 2
            height = stride * scale * ratio**.5 / 2
            centres = (np.arange(side // stride) + .5) * stride
            best[level] = max([
                iou(face, (x - width, y - height, x + width, y + height))
                for x in centres for y in centres
            ] + [best.get(level, 0)])
    return max(best, key=lambda level: best[level])


def chosen(proposals, faces, count):
    """(box, level) of the faces, then of the best proposals after NMS."""
    kept = []
    for _, box, level in sorted(proposals, key=lambda p: -p[0]):
        if all(iou(box, other) <= .7 for other, _ in kept):
            kept.append((box, level))
    return (faces + kept)[:count]


def label_of(box, faces, ignored):
    """1 a face, 0 background, None neither."""
    if any(iou(box, face, of_first=True) > .5 for face in ignored):
        return None
    best = max([iou(box, face) for face in faces], default=0)
    return 1 if best >= .7 else 0 if best < .4 else None


def roi_align(feature, box, stride, bins):
    """RoIAlign of a (c, h, w) map, its pixel centres at .5, (c, bins, bins).

    As many samples per bin as it has pixels, rounded up.
    """
    x1, y1, x2, y2 = (side / stride - .5 for side in box)
    columns = _bilinear(x1, x2, bins, feature.shape[2])
    rows = _bilinear(y1, y2, bins, feature.shape[1])
    return np.einsum('ih,chw,jw->cij', rows, feature, columns)


def _bilinear(start, end, bins, pixels):
    """Weight of each pixel in each bin along an axis, (bins, pixels)."""
    weights = np.zeros((bins, pixels))
    size = (end - start) / bins
    count = int(np.ceil(size))
    for i in range(bins):
        for j in range(count):
            at = start + size * (i + (j + .5) / count)
            if at < -1 or at > pixels:
                continue
            at = min(max(at, 0), pixels - 1)
            low = int(at)
            high = min(low + 1, pixels - 1)
            weights[i, low] += (1 - at + low) / count
            weights[i, high] += (at - low) / count
    return weights


def classify(classifier, pooled):
    """Logit of one (c, bins, bins) region: the layers' weights, our sums."""
    value = pooled
    weights = [
        layer.weight.detach().numpy() for layer in classifier
        if isinstance(layer, (nn.Conv2d, nn.Linear))
    ]
    for index, weight in enumerate(weights):
        if index:
            value = np.maximum(value, 0)
        if weight.ndim == 2:
            value = weight @ value.ravel()
            continue
        padded = np.pad(value, ((0, 0), (1, 1), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(
            padded, (3, 3), axis=(1, 2))
        value = np.einsum('ocij,cxyij->oxy', weight, windows)
    return value.mean()


def focal(logit, label):
    """Focal loss, alpha .25 and gamma 2, of one logit."""
    p = 1 / (1 + np.exp(-logit))
    if label:
        return -.25 * (1 - p)**2 * np.log(p)
    return -.75 * p**2 * np.log(1 - p)
