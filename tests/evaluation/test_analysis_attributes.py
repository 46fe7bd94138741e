import numpy as np
import pytest
from analysis_sets import make_truth

from tinyfaces.datasets.wider_annotations import ATTRIBUTES, WiderEntry
from tinyfaces.evaluation.analysis import match_attributes
from tinyfaces.evaluation.analysis.attributes import VALUE_NAMES


def entry(name, rows):
    """rows: box and blur; every other attribute is 0 but pose, 1."""
    boxes = np.array([box for box, _ in rows], float).reshape(-1, 4)
    attributes = np.array([[blur, 0, 0, 0, 0, 1] for _, blur in rows],
                          np.int64).reshape(-1, 6)
    return WiderEntry(name, boxes, attributes)


TRUTH = make_truth({
    'a/1': [[1, 2, 3, 4], [5, 6, 7, 8]],
    'a/2': [[1, 2, 3, 4]]
})


def test_value_names_fit_the_format():
    assert set(VALUE_NAMES) == set(ATTRIBUTES) - {'invalid'}
    assert all(
        len(names) == ATTRIBUTES[name] + 1
        for name, names in VALUE_NAMES.items())


def test_any_order_of_images_and_boxes():
    found = match_attributes(TRUTH, [
        entry('a/2.jpg', [((1, 2, 3, 4), 2)]),
        entry('a/1.jpg', [((5, 6, 7, 8), 1), ((1, 2, 3, 4), 0)]),
        entry('a/9.jpg', []),
    ])
    assert found.values['blur'].tolist() == [0, 1, 2]
    assert found.values['pose'].tolist() == [1, 1, 1]
    assert (found.num_unmatched, found.warning) == (0, '')
    assert 'invalid' not in found.values


def test_equal_boxes_are_taken_in_order():
    truth = make_truth({'a/1': [[0, 0, 1, 1]] * 2})
    found = match_attributes(
        truth, [entry('a/1.jpg', [((0, 0, 1, 1), 2), ((0, 0, 1, 1), 1)])])
    assert found.values['blur'].tolist() == [2, 1]


def test_missing_faces_are_reported():
    found = match_attributes(TRUTH, [entry('a/1.jpg', [((5, 6, 7, 8), 1)])])
    assert found.values['blur'].tolist() == [-1, 1, -1]
    assert found.num_unmatched == 2
    assert '2 of 3 faces' in found.warning
    assert 'a/1, box x y w h 1 2 3 4' in found.warning


def test_no_face_found_is_an_error():
    with pytest.raises(ValueError, match='none of the faces'):
        match_attributes(TRUTH, [entry('b/1.jpg', [((1, 2, 3, 4), 1)])])
