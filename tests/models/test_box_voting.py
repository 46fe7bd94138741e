"""Box voting against values by hand and against a literal loop."""
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyfaces.models.test_time import box_voting


def vote(rows, **kwargs):
    """Rows x1, y1, x2, y2, score in; such rows out, as lists."""
    dets = torch.tensor(rows, dtype=torch.float32).reshape(-1, 5)
    boxes, scores = box_voting(dets[:, :4], dets[:, 4], **kwargs)
    return torch.cat((boxes, scores[:, None]), 1).tolist()


def iou(a, b):
    width = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    inter = width * height
    areas = [(x[2] - x[0]) * (x[3] - x[1]) for x in (a, b)]
    return inter / (sum(areas) - inter) if inter else 0


def brute_force(rows, iou_threshold, max_num, keep_singletons):
    """The definition, one box after the other."""
    left = sorted(rows, key=lambda row: -row[4])
    voted = []
    while left:
        best = left[0]
        flags = [
            i == 0 or iou(best, row) >= iou_threshold
            for i, row in enumerate(left)
        ]
        cluster = [row for row, flag in zip(left, flags) if flag]
        left = [row for row, flag in zip(left, flags) if not flag]
        if len(cluster) == 1 and not keep_singletons:
            continue
        total = sum(row[4] for row in cluster)
        voted.append([
            sum(row[k] * row[4] for row in cluster) / total for k in range(4)
        ] + [best[4]])
    return voted[:max_num]


def same(found, wanted):
    """Assert equal rows, up to float32."""
    assert len(found) == len(wanted)
    for a, b in zip(found, wanted):
        assert a == pytest.approx(b, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize('keep', [True, False])
def test_no_boxes(keep):
    boxes, scores = box_voting(
        torch.zeros(0, 4), torch.zeros(0), keep_singletons=keep)
    assert boxes.shape == (0, 4) and scores.shape == (0, )


def test_average_by_hand():
    """IoU 80/120: corners (3 * 0 + 1 * 2) / 4 and (3 * 10 + 1 * 12) / 4."""
    rows = [[2, 0, 12, 10, .25], [0, 0, 10, 10, .75]]
    assert vote(rows) == [[.5, 0, 10.5, 10, .75]]


def test_threshold_is_inclusive():
    """IoU of 10x10 with its upper half is exactly 0.5."""
    rows = [[0, 0, 10, 10, .5], [0, 0, 10, 5, .5]]
    assert vote(rows) == [[0, 0, 10, 7.5, .5]]
    assert len(vote(rows, iou_threshold=.501)) == 2


def test_only_the_best_box_gathers():
    """A chain: the third box overlaps the second one, not the first."""
    rows = [[0, 0, 10, 10, .8], [3, 0, 13, 10, .4], [6, 0, 16, 10, .2]]
    assert [iou(rows[0], row) >= .5 for row in rows] == [True, True, False]
    assert iou(rows[1], rows[2]) >= .5
    same(vote(rows), [[1, 0, 11, 10, .8], [6, 0, 16, 10, .2]])


def test_singletons():
    rows = [[0, 0, 10, 10, .9], [50, 50, 60, 60, .8], [50, 50, 60, 60, .4]]
    same(vote(rows), [rows[0], rows[1]])
    same(vote(rows, keep_singletons=False), [rows[1]])


def test_the_limit_counts_what_is_given():
    """A discarded cluster takes no place."""
    alone = [0, 0, 10, 10, .9]
    pairs = [[x, 50, x + 10, 60, s] for x, s in [(0, .8), (20, .6), (40, .7)]]
    rows = [alone] + pairs + pairs
    kept = vote(rows, keep_singletons=False, max_num=2)
    same(kept, [pairs[0], pairs[2]])
    same(vote(rows, max_num=2), [alone, pairs[0]])
    assert len(vote(rows, max_num=None)) == 4


def test_of_equal_scores_the_first_gathers():
    """And of a chain of equals the middle one, if it comes first."""
    left, middle, right = ([x, 0, x + 10, 10, .5] for x in (0, 3, 6))
    assert vote([left, middle, right]) == [[1.5, 0, 11.5, 10, .5], right]
    assert vote([middle, left, right]) == [[3, 0, 13, 10, .5]]
    assert vote([right, left, middle]) == [[4.5, 0, 14.5, 10, .5], left]


def test_scores_of_zero_weigh_the_same():
    rows = [[0, 0, 10, 10, 0], [2, 0, 12, 10, 0]]
    assert vote(rows) == [[1, 0, 11, 10, 0]]


def test_boxes_without_area_stay_alone():
    rows = [[5, 5, 5, 5, .5], [5, 5, 5, 5, .4], [0, 0, 10, 10, .3]]
    same(vote(rows), rows)


@pytest.mark.parametrize('dtype', [torch.float64, torch.float16])
def test_keeps_the_type(dtype):
    boxes, scores = box_voting(
        torch.tensor([[0, 0, 10, 10]], dtype=dtype),
        torch.tensor([.5], dtype=dtype))
    assert boxes.dtype == scores.dtype == dtype


@pytest.mark.parametrize('rows, kwargs, error', [
    ([[0, 0, 1, 1, -.1]], {}, 'probabilities'),
    ([[0, 0, 1, float('nan'), .1]], {}, 'not finite'),
    ([[0, 0, 1, 1, float('inf')]], {}, 'not finite'),
    ([], dict(iou_threshold=0), 'iou_threshold is 0'),
    ([], dict(max_num=0), 'max_num is 0'),
])
def test_errors(rows, kwargs, error):
    with pytest.raises(ValueError, match=error):
        vote(rows, **kwargs)


def test_shapes_must_fit():
    with pytest.raises(ValueError, match=r'not \(2, 4\) and \(3,\)'):
        box_voting(torch.zeros(2, 4), torch.zeros(3))


# Whole numbers, so that no rounding decides about an IoU of exactly 0.5.
# Few of them and few scores, so that there are duplicates and ties.
corner = st.integers(-6, 12)
side = st.integers(0, 12)
detection = st.builds(lambda x, y, w, h, s: [x, y, x + w, y + h, s / 8],
                      corner, corner, side, side, st.integers(1, 8))


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(detection, max_size=40),
    iou_threshold=st.sampled_from([.125, .25, .5, .75, 1.]),
    max_num=st.sampled_from([None, 1, 3]),
    keep_singletons=st.booleans())
def test_equals_the_definition(rows, iou_threshold, max_num, keep_singletons):
    options = dict(
        iou_threshold=iou_threshold,
        max_num=max_num,
        keep_singletons=keep_singletons)
    same(vote(rows, **options), brute_force(rows, **options))


def test_equals_the_definition_in_a_crowd():
    """Many boxes of many sizes, most of them seen by several views."""
    generator = torch.Generator().manual_seed(0)
    size = torch.rand(80, 1, generator=generator).mul(5).exp().add(4)
    corners = torch.rand(80, 2, generator=generator) * 500
    faces = torch.cat((corners, corners + size * torch.tensor([1, 1.25])), 1)
    seen = faces.repeat(8, 1)
    seen += (torch.rand(seen.shape, generator=generator) - .5) * size.repeat(
        8, 1) * .3
    rows = torch.cat((seen, torch.rand(640, 1, generator=generator)), 1)
    rows = rows[torch.rand(640, generator=generator) < .7].tolist()
    for keep in (True, False):
        wanted = brute_force(rows, .5, None, keep)
        assert 60 < len(wanted) < 200
        same(vote(rows, max_num=None, keep_singletons=keep), wanted)
