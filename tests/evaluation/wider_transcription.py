"""The WIDER FACE protocol word by word: slow loops, nothing shared.

The reference for the vectorised evaluation, in tests and in
``benchmarks/wider_eval.py``. Plain Python numbers; one detection, one
threshold and one box at a time.
"""
import math


def round_int32(value):
    """MATLAB's conversion to int32: half away from zero, saturating."""
    if value == math.inf or value >= 2**31 - 1:
        return 2**31 - 1
    if value <= -2**31:
        return -2**31
    whole = int(value)
    if abs(value - whole) >= 0.5:
        whole += 1 if value > 0 else -1
    return whole


def overlap(box, found, matlab_int32):
    """IoU of a box and a detection (x y w h), each side one pixel longer."""
    i32 = round_int32 if matlab_int32 else float
    a = [i32(v) for v in box]
    a = [a[0], a[1], i32(a[0] + a[2]), i32(a[1] + a[3])]
    b = [found[0], found[1], found[0] + found[2], found[1] + found[3]]
    width = i32(i32(i32(min(a[2], b[2])) - i32(max(a[0], b[0]))) + 1)
    height = i32(i32(i32(min(a[3], b[3])) - i32(max(a[1], b[1]))) + 1)
    if width <= 0 or height <= 0:
        return 0
    inter = i32(width * height)
    box_area = i32(i32(i32(a[2] - a[0]) + 1) * i32(i32(a[3] - a[1]) + 1))
    found_area = (b[2] - b[0] + 1) * (b[3] - b[1] + 1)
    union = i32(i32(box_area + found_area) - inter)
    return i32(inter / union if union else math.inf)


def evaluate_image(found, boxes, keep, iou_thr, matlab_int32):
    """Per detection: is it a proposal; faces recalled so far."""
    proposal, recalled, recall_list = [], [], [0] * len(boxes)
    for detection in found:
        is_proposal = 1
        overlaps = [overlap(b, detection, matlab_int32) for b in boxes]
        best = max(overlaps)
        at = overlaps.index(best)
        if best >= iou_thr:
            if not keep[at]:
                recall_list[at] = -1
                is_proposal = -1
            elif recall_list[at] == 0:
                recall_list[at] = 1
        proposal.append(is_proposal)
        recalled.append(recall_list.count(1))
    return proposal, recalled


def evaluate(predictions, images, iou_thr=0.5, matlab_int32=False):
    """Precision, recall (1,000 each) and AP of one setting.

    Args:
        predictions: key -> list of [x, y, w, h, score].
        images: key -> (list of [x, y, w, h], list of bool "counts").
    """
    ranked = {}
    smallest, largest = 3.4028234663852886e38, 1.1754943508222875e-38
    for key in images:
        # sorted() is stable: equal scores stay in the order of the file.
        ranked[key] = sorted(predictions.get(key, []), key=lambda d: -d[4])
        for detection in ranked[key]:
            smallest = min(smallest, detection[4])
            largest = max(largest, detection[4])
    proposals, recalls, faces = [0] * 1000, [0] * 1000, 0
    for key, (boxes, keep) in images.items():
        faces += sum(keep)
        if not boxes or not ranked[key]:
            continue
        proposal, recalled = evaluate_image(ranked[key], boxes, keep, iou_thr,
                                            matlab_int32)
        if largest == smallest:
            scores = [math.nan] * len(proposal)
        else:
            scores = [(d[4] - smallest) / (largest - smallest)
                      for d in ranked[key]]
        for t in range(1, 1001):
            threshold = 1 - t / 1000
            passed = [i for i, s in enumerate(scores) if s >= threshold]
            if passed:
                last = passed[-1]
                proposals[t - 1] += proposal[:last + 1].count(1)
                recalls[t - 1] += recalled[last]
    precision = [r / p if p else math.nan for r, p in zip(recalls, proposals)]
    if not faces:
        return precision, [math.nan] * 1000, math.nan
    recall = [r / faces for r in recalls]
    return precision, recall, area(recall, precision)


def area(recall, precision):
    """Area under the envelope of precision; NaN is no value."""
    recall = [0.0] + recall + [1.0]
    precision = [0.0] + precision + [0.0]
    for i in range(len(precision) - 2, -1, -1):
        if math.isnan(precision[i]) or precision[i] < precision[i + 1]:
            precision[i] = precision[i + 1]
    return sum((recall[i] - recall[i - 1]) * precision[i]
               for i in range(1, len(recall)) if recall[i] != recall[i - 1])


def false_positives_at(predictions, images, recall, iou_thr=0.5):
    """False positives at the highest score that reaches a recall, or None."""
    scored, faces = [], 0
    for key, (boxes, keep) in images.items():
        faces += sum(keep)
        ranked = sorted(predictions.get(key, []), key=lambda d: -d[4])
        if not boxes or not ranked:
            continue
        proposal, recalled = evaluate_image(ranked, boxes, keep, iou_thr,
                                            False)
        before = 0
        for detection, counts, now in zip(ranked, proposal, recalled):
            scored.append((detection[4], counts == 1, now > before))
            before = now
    for score in sorted({s for s, _, _ in scored}, reverse=True):
        above = [item for item in scored if item[0] >= score]
        right = sum(item[2] for item in above)
        if faces and right >= recall * faces - 1e-9 and right:
            return sum(item[1] for item in above) - right
    return None
