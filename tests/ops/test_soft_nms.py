"""Soft-NMS: hand-computed values, brute force, compiled op."""
import math

import pytest
import torch

from tinyfaces.ops import softnms

NAIVE, LINEAR, GAUSSIAN = 0, 1, 2


def run(op,
        boxes,
        scores,
        method=LINEAR,
        threshold=.3,
        sigma=.5,
        min_score=1e-3,
        offset=0):
    """Calls an op; returns the filled rows and the indices."""
    dets = boxes.new_zeros(len(boxes), 5)
    indices = op(
        boxes,
        scores,
        dets,
        iou_threshold=threshold,
        sigma=sigma,
        min_score=min_score,
        method=method,
        offset=offset)
    return dets[:len(indices)], indices


def brute_force(boxes, scores, method, threshold, sigma, min_score, offset):
    """The definition in float64: (index, score) in the order of taking."""
    boxes, left = boxes.double().tolist(), dict(
        enumerate(scores.double().tolist()))
    taken = []
    while left:
        best = max(left, key=left.get)
        taken.append((best, left.pop(best)))
        for i in list(left):
            a, b = boxes[best], boxes[i]
            width = min(a[2], b[2]) - max(a[0], b[0]) + offset
            height = min(a[3], b[3]) - max(a[1], b[1]) + offset
            inter = max(0, width) * max(0, height)
            areas = [(c[2] - c[0] + offset) * (c[3] - c[1] + offset)
                     for c in (a, b)]
            iou = inter / (sum(areas) - inter)
            if method == GAUSSIAN:
                left[i] *= math.exp(-iou**2 / sigma)
            elif iou >= threshold:
                left[i] *= 1 - iou if method == LINEAR else 0
            if left[i] < min_score:
                del left[i]
    return taken


@pytest.mark.parametrize('method, score', [
    (LINEAR, .9 * (1 - 1 / 3)),
    (GAUSSIAN, .9 * math.exp(-(1 / 9) / .5)),
])
def test_two_boxes_with_iou_one_third(method, score):
    boxes = torch.tensor([[0., 0, 2, 2], [1., 0, 3, 2]])
    dets, indices = run(softnms, boxes, torch.tensor([1., .9]), method)
    assert indices.tolist() == [0, 1]
    assert dets[:, :4].equal(boxes)
    assert dets[:, 4].tolist() == pytest.approx([1., score])


def test_naive_drops():
    boxes = torch.tensor([[0., 0, 2, 2], [1., 0, 3, 2], [9., 9, 10, 10]])
    dets, indices = run(softnms, boxes, torch.tensor([.9, 1., .5]), NAIVE)
    assert indices.tolist() == [1, 2]
    assert dets[:, 4].tolist() == [1., .5]


def test_the_threshold_itself_lowers_the_score():
    # 2 x 4 in 4 x 4: IoU exactly .5.
    boxes = torch.tensor([[0., 0, 4, 4], [0., 0, 2, 4]])
    dets, _ = run(softnms, boxes, torch.tensor([1., .9]), threshold=.5)
    assert dets[1, 4].item() == pytest.approx(.45)


def test_first_box_stays_below_the_minimum():
    dets, indices = run(softnms, torch.tensor([[0., 0, 1, 1]] * 3),
                        torch.tensor([1e-5, 1e-4, 1e-6]))
    assert indices.tolist() == [1]


def test_no_boxes():
    dets, indices = run(softnms, torch.zeros(0, 4), torch.zeros(0))
    assert len(dets) == len(indices) == 0 and indices.dtype == torch.long


def test_unknown_method():
    with pytest.raises(ValueError, match='gaussian'):
        run(softnms, torch.zeros(1, 4), torch.ones(1), method=3)


def test_input_is_left_alone(random_boxes):
    boxes, scores = random_boxes(50, 60, seed=1), torch.rand(50)
    before = boxes.clone(), scores.clone()
    run(softnms, boxes, scores)
    assert boxes.equal(before[0]) and scores.equal(before[1])


@pytest.mark.parametrize('method', [NAIVE, LINEAR, GAUSSIAN])
@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('dtype, precision', [(torch.float64, 1e-12),
                                              (torch.float32, 1e-5),
                                              (torch.float16, 1e-3)])
def test_equals_brute_force(method, offset, dtype, precision, device,
                            random_boxes):
    boxes = random_boxes(120, 100, seed=2).to(dtype)
    scores = torch.randperm(120).to(dtype) / 128 + .05  # no ties
    settings = (method, .3, .5, .1, offset)
    dets, indices = run(softnms, boxes.to(device), scores.to(device),
                        *settings)
    expected = brute_force(boxes, scores, *settings)
    assert indices.device.type == device
    assert indices.tolist() == [index for index, _ in expected]
    assert dets[:,
                4].tolist() == pytest.approx([score for _, score in expected],
                                             abs=precision)
    assert dets[:, :4].cpu().equal(boxes[indices.cpu()])


@pytest.mark.real_data
@pytest.mark.parametrize('method', [NAIVE, LINEAR, GAUSSIAN])
@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('min_score', [0., 1e-3, .3])
def test_equals_compiled(compiled, random_boxes, method, offset, min_score):
    for count, span in ((1, 10), (2, 1), (50, 40), (300, 150)):
        boxes = random_boxes(count, span, seed=count)
        for scores in (torch.rand(count), (torch.rand(count) * 8).round()):
            check_equal(compiled, boxes, scores, method, offset, min_score)


@pytest.mark.real_data
@pytest.mark.parametrize('method', [NAIVE, LINEAR, GAUSSIAN])
@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('min_score', [0., 1e-3, .3])
def test_equals_compiled_on_degenerate_boxes(compiled, method, offset,
                                             min_score):
    # Duplicates, ties, inverted boxes, and boxes without area, whose IoU
    # (0 / 0) makes scores NaN with the Gaussian weight.
    generator = torch.Generator().manual_seed(0)
    boxes = torch.randint(-2, 9, (400, 4), generator=generator).float()
    boxes[::9, 2:] = boxes[::9, :2]
    scores = torch.randint(0, 9, (400, ), generator=generator) / 8
    check_equal(compiled, boxes, scores, method, offset, min_score)


def check_equal(compiled, boxes, scores, method, offset, min_score):
    """Equal indices, and scores to 1e-5."""
    arguments = dict(method=method, offset=offset, min_score=min_score)
    dets, indices = run(softnms, boxes, scores, **arguments)
    expected, order = run(compiled.softnms, boxes, scores, **arguments)
    assert indices.equal(order)
    torch.testing.assert_close(
        dets, expected, rtol=0, atol=1e-5, equal_nan=True)
