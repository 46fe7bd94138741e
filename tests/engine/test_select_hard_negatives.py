"""Which detections are harvested."""
import numpy as np
import pytest

from tinyfaces.engine.harvest import HarvestOptions, select_hard_negatives

NONE = np.zeros((0, 4))
SIZE = (100, 50)


def select(boxes, scores, faces=NONE, ignored=NONE, **options):
    """The rows x1, y1, x2, y2, score that are harvested."""
    found = select_hard_negatives(
        np.array(boxes, np.float32).reshape(-1,
                                            4), np.array(scores, np.float32),
        np.array(faces, float).reshape(-1, 4),
        np.array(ignored, float).reshape(-1, 4), SIZE,
        HarvestOptions(**options))
    assert (found.width, found.height) == SIZE
    assert found.boxes.dtype == found.scores.dtype == np.float32
    return np.column_stack([found.boxes, found.scores]).tolist()


def test_a_face_is_found_from_an_iou_of_a_half_on():
    face = [10, 10, 30, 20]
    half = [10, 10, 20, 20]  # 100 of 200
    less = [10, 10, 19.5, 20]  # 95 of 200
    assert select([half, less], [.9, .9],
                  [face]) == [[10, 10, 19.5, 20,
                               np.float32(.9)]]
    assert len(select([half, less], [.9, .9], [face], iou_thr=.51)) == 2
    # Another face far away changes nothing.
    assert len(select([half, less], [.9, .9], [face, [60, 10, 80, 20]])) == 1


def test_scores_above_the_threshold():
    boxes = [[0, 0, 9, 9]] * 3
    assert [row[4] for row in select(boxes, [.75, .5, .25])] == [.75]
    assert len(select(boxes, [.75, .5, .25], score_thr=.25)) == 2
    assert select([], []) == []


def test_canonical_order_and_the_highest_scores():
    boxes = [[5, 5, 9, 9], [1, 5, 9, 9], [1, 5, 8, 9], [0, 0, 4, 4]]
    scores = [.75, .75, .75, .875]
    want = [boxes[3], boxes[2], boxes[1], boxes[0]]
    assert [row[:4] for row in select(boxes, scores)] == want
    assert [row[:4] for row in select(boxes[::-1], scores[::-1])] == want
    assert [row[:4]
            for row in select(boxes, scores, max_per_img=2)] == want[:2]


def test_a_detection_half_in_an_ignored_face_is_none():
    ignored = [10, 10, 60, 40]
    half_in = [0, 10, 20, 20]
    less_in = [0, 10, 19, 20]
    assert [
        row[:4]
        for row in select([half_in, less_in], [.9, .9], ignored=[ignored])
    ] == [less_in]
    # A large detection around a small ignored face is one.
    assert len(select([[0, 0, 90, 45]], [.9], ignored=[ignored])) == 1


def test_all_is_clipped_to_the_picture():
    # Of the face 10 x 20 pixels are in the picture, as of the detection.
    face = [-30, 10, 10, 30]
    assert select([[-1, 10, 10, 30]], [.9], [face]) == []
    assert select([[-5, -5, 40, 20]], [.75]) == [[0, 0, 40, 20, .75]]
    outside = [[100, 0, 120, 20], [5, 5, 5, 20], [0, 60, 10, 70]]
    assert select(outside, [.9] * 3) == []


@pytest.mark.parametrize('options, message', [
    (dict(score_thr=1), 'score_thr must be at least 0 and below 1, not 1'),
    (dict(iou_thr=0), 'iou_thr must be above 0 and at most 1, not 0'),
    (dict(max_per_img=0), 'max_per_img must be at least 1, not 0'),
])
def test_options_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        HarvestOptions(**options)
