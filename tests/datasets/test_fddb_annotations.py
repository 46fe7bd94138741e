"""Reading FDDB's folds: values, disagreements and complaints."""
import math
import re

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyfaces.datasets import (ellipses_by_name, ellipses_to_boxes, load_fddb,
                                parse_fddb_annotations)
from tinyfaces.datasets.fddb_annotations import load_fold_lists

NAMES = {1: ['2002/a/img_1', '2002/a/img_2'], 2: ['2003/b/img_3']}
FACE = '123.583300 85.549500 1.265839 269.693400 161.781200  1'


def put(folder, name, text):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def blocks(names, face=FACE):
    return ''.join(f'{name}\n1\n{face}\n' for name in names)


@pytest.fixture
def folder(tmp_path):
    for fold, names in NAMES.items():
        put(tmp_path, f'FDDB-fold-{fold:02d}.txt', '\n'.join([*names, '']))
        put(tmp_path, f'FDDB-fold-{fold:02d}-ellipseList.txt', blocks(names))
    return tmp_path


@pytest.mark.parametrize('end', ['\n', '\r\n', ' \r\n'])
def test_values(tmp_path, end):
    lines = [
        '2002/a/img_1', '2', FACE, '20 10 -1.5 0 -3.5  1', '2002/a/x', '0'
    ]
    path = put(tmp_path, 'x.txt', end.join([*lines, '']))
    one, other = parse_fddb_annotations(path)
    assert one.name == '2002/a/img_1'
    np.testing.assert_array_equal(
        one.ellipses, [[123.5833, 85.5495, 1.265839, 269.6934, 161.7812],
                       [20, 10, -1.5, 0, -3.5]])
    assert (other.name, other.ellipses.shape) == ('2002/a/x', (0, 5))


@pytest.mark.parametrize(
    'text, message',
    [('a\n1\n20 10 0 5\n', 'line 3: expected finite numbers '
      '"major_radius minor_radius angle cx cy 1"'),
     ('a\n1\n20 10 0 5 nan 1\n', 'line 3: expected finite'),
     ('a\n2\n20 10 0 5 5 1\n0 10 0 5 5 1\n', 'line 4: expected radii above 0'),
     ('a\n1\n20 10 0 2e6 5 1\n', 'line 3: .*numbers up to 1,000,000'),
     ('a\n1\n20 1_0 0 5 5 1\n', 'line 3: expected finite'),
     ('a\n1\n20 10 0 \uff15 5 1\n', 'line 3: expected finite'),
     ('a\n2\n20 10 0 5 5 1\n', 'line 4: expected 2 faces of a .* cut off'),
     ('a\n0\na\n0\n', 'line 3: expected a picture not listed before'),
     ('a\nb\n', 'line 2: expected the number of faces of a'),
     ('', 'the file is empty')])
def test_broken_lines_name_file_and_line(tmp_path, text, message):
    path = put(tmp_path, 'x.txt', text)
    with pytest.raises(
            ValueError, match=f'^{re.escape(str(path))}.*{message}'):
        parse_fddb_annotations(path)


def test_folds(folder):
    found = load_fddb(folder, [2, 1])
    assert list(found) == [2, 1]
    assert {k: [e.name for e in found[k]] for k in found} == NAMES
    assert load_fold_lists(folder) == NAMES
    assert load_fold_lists(folder, [2]) == {2: NAMES[2]}
    with pytest.raises(
            FileNotFoundError,
            match='FDDB-fold-03.txt is missing; give the folder FDDB-folds'):
        load_fddb(folder)
    (folder / 'FDDB-fold-01-ellipseList.txt').unlink()
    with pytest.raises(FileNotFoundError, match='fold-01-ellipseList.txt'):
        load_fddb(folder, [1])
    with pytest.raises(FileNotFoundError, match='FDDB-fold-01.txt'):
        load_fold_lists(folder / 'none')


@pytest.mark.parametrize('folds', [[], [0], [11], [1, 1], [1.5]])
def test_folds_that_do_not_exist(folder, folds):
    with pytest.raises(ValueError, match='different numbers from 1 to 10'):
        load_fddb(folder, folds)


def test_annotations_of_all_folds_in_one_file(folder, tmp_path_factory):
    path = put(
        tmp_path_factory.mktemp('new'), 'new.txt',
        blocks([*NAMES[2], *NAMES[1][::-1], 'another'], '9 8 7 6 5 1'))
    found = load_fddb(folder, [1], path)
    assert [e.name for e in found[1]] == NAMES[1]
    assert found[1][0].ellipses.tolist() == [[9, 8, 7, 6, 5]]
    # The fold's own annotations are not needed then.
    (folder / 'FDDB-fold-01-ellipseList.txt').unlink()
    assert len(load_fddb(folder, [1], path)[1]) == 2
    path.write_text(blocks([NAMES[1][0], *NAMES[2]]))
    with pytest.raises(
            ValueError,
            match='new.txt: 1 of the 2 pictures of fold 1 are missing, the '
            'first is 2002/a/img_2'):
        load_fddb(folder, [1], path)


def test_ellipses_by_name_go_fold_after_fold(folder):
    found = ellipses_by_name(load_fddb(folder, [2, 1]))
    assert list(found) == [*NAMES[2], *NAMES[1]]
    assert found['2003/b/img_3'][:, 3].tolist() == [269.6934]


@pytest.mark.parametrize(
    'names, message',
    [(['2002/a/img_2', '2002/a/img_1'], 'picture 1 is 2002/a/img_2, but '
      '2002/a/img_1 in the list'),
     (['2002/a/img_1'], 'picture 2 is missing, but 2002/a/img_2 in the list'),
     (['2002/a/img_1', '2002/a/img_2', 'x'
       ], 'picture 3 is x, but missing in the list')])
def test_lists_and_annotations_must_agree(folder, names, message):
    put(folder, 'FDDB-fold-01-ellipseList.txt', blocks(names))
    with pytest.raises(ValueError, match=f'01-ellipseList.txt: {message}'):
        load_fddb(folder, [1, 2])


@pytest.mark.parametrize(
    'text, message',
    [('a\nb\na\n', 'fold-01.txt, line 3: expected a picture not listed'),
     ('a\nb c\n', "fold-01.txt, line 2: expected one picture's name"),
     ('2003/b/img_3\n', 'fold-02.txt: 2003/b/img_3 is in FDDB-fold-01.txt')])
def test_lists_that_cannot_be_used(folder, text, message):
    put(folder, 'FDDB-fold-01.txt', text)
    with pytest.raises(ValueError, match=message):
        load_fddb(folder, [1, 2])


@pytest.mark.parametrize('ellipse, box', [
    ([20, 10, 0, 50, 40], [30, 30, 70, 50]),
    ([20, 10, math.pi / 2, 50, 40], [40, 20, 60, 60]),
    ([20, 10, -math.pi / 2, 0, 0], [-10, -20, 10, 20]),
    ([10, 10, 1.234, 5, 5], [-5, -5, 15, 15]),
    ([10, 0, math.pi / 4, 0, 0], [-50**.5, -50**.5, 50**.5, 50**.5]),
])
def test_boxes_by_hand(ellipse, box):
    np.testing.assert_allclose(ellipses_to_boxes([ellipse]), [box], atol=1e-12)


def test_boxes_of_no_ellipses():
    assert ellipses_to_boxes(np.zeros((0, 5))).shape == (0, 4)


@settings(max_examples=60, deadline=None)
@given(
    st.floats(1, 300), st.floats(1, 300), st.floats(-4, 4), st.floats(-9, 9))
def test_boxes_touch_the_points_of_the_ellipse(a, b, angle, centre):
    turn = np.linspace(0, 2 * np.pi, 2000)
    x = centre + a * np.cos(turn) * np.cos(angle) - b * np.sin(turn) * np.sin(
        angle)
    y = centre + a * np.cos(turn) * np.sin(angle) + b * np.sin(turn) * np.cos(
        angle)
    box, = ellipses_to_boxes([[a, b, angle, centre, centre]])
    np.testing.assert_allclose(
        box, [x.min(), y.min(), x.max(), y.max()], atol=300 * 2e-6)
    assert (box[:2] <= np.array([x.min(), y.min()]) + 1e-9).all()
    assert (box[2:] >= np.array([x.max(), y.max()]) - 1e-9).all()


def test_angle_turns_as_opencv_draws():
    mask = np.zeros((200, 200), np.uint8)
    cv2.ellipse(mask, (100, 100), (80, 20), math.degrees(.6), 0, 360, 1, -1)
    rows, columns = np.nonzero(mask)
    box, = ellipses_to_boxes([[80, 20, .6, 100, 100]])
    np.testing.assert_allclose(
        box,
        [columns.min(), rows.min(),
         columns.max(), rows.max()], atol=1.5)


@pytest.mark.real_data
def test_official_files(real_data):
    folder = real_data / 'fddb'
    found = load_fddb(folder / 'FDDB-folds')
    assert [len(found[k]) for k in range(1, 11)
            ] == [290, 285, 274, 302, 298, 302, 279, 276, 259, 280]
    assert [sum(len(e.ellipses) for e in found[k]) for k in range(1, 11)
            ] == [515, 519, 517, 517, 514, 518, 518, 518, 514, 521]
    new = load_fddb(folder / 'FDDB-folds', None,
                    folder / 'FDDB_annotation_ellipseList_new.txt')
    pairs = [(one, other) for k in found
             for one, other in zip(found[k], new[k])]
    assert sum(len(other.ellipses) for _, other in pairs) == 5409
    assert sum(
        len(other.ellipses) > len(one.ellipses) for one, other in pairs) == 208
