import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyfaces.evaluation.functional import (VOCFaceDetections,
                                             read_picture_list,
                                             read_voc_face_detections,
                                             write_voc_face_detections)


def put(folder, text):
    path = folder / 'dets.txt'
    path.write_bytes(text.encode())
    return path


def test_layout_by_hand(tmp_path):
    path = put(
        tmp_path, '2007_1.jpg .9 1 2 3 4.5\r\n\n'
        'b\t-1e-3  -7 0 -7 0 \n'
        '2007_1.x.jpg 1 1 1 2 2')
    found = read_voc_face_detections(path)
    assert found.keys == ('2007_1', 'b')
    assert found.image.tolist() == [0, 1, 0]
    assert found.scores.tolist() == [.9, -.001, 1]
    assert found.boxes.tolist() == [[1, 2, 3, 4.5], [-7, 0, -7, 0],
                                    [1, 1, 2, 2]]


def test_an_empty_file_is_no_detection(tmp_path):
    found = read_voc_face_detections(put(tmp_path, '\n'), ['a'])
    assert found.keys == () and found.boxes.shape == (0, 4)
    assert found.image.dtype.kind == 'i'


@pytest.mark.parametrize('line, message', [
    ('a .9 1 2 3', 'expected 6 columns, found 5'),
    ('a .9 1 2 3 4 5', 'expected 6 columns, found 7'),
    ('my face.jpg .9 1 2 3 4', 'found 7.*names have no blanks'),
    ('a,.9,1,2,3,4', 'expected 6 columns, found 1'),
    ('a .9 1 2 3 x', 'expected five numbers'),
    ('a .9 1 2 3 1_0', 'expected five numbers'),
    ('a nan 1 2 3 4', 'NaN or infinite'),
    ('a .9 1 2 3 inf', 'NaN or infinite'),
    ('a .9 1 2 3 1e999', 'NaN or infinite'),
    ('a .9 1 2 3 1.1e9', 'coordinate beyond 1,000,000,000 pixels'),
    ('a .9 -1.1e9 2 3 4', 'coordinate beyond 1,000,000,000 pixels'),
    ('a .9 10 2 3 4', 'x2 < x1.*not width and height'),
    ('a .9 1 20 3 4', 'y2 < y1'),
])
def test_broken_lines_name_file_and_line(tmp_path, line, message):
    path = put(tmp_path, f'a .9 1 2 3 4\n\n{line}\na .9 1 2 3 4\n')
    with pytest.raises(ValueError, match=f'dets.txt, line 3: .*{message}'):
        read_voc_face_detections(path)


def test_unknown_images(tmp_path):
    path = put(tmp_path, 'a .9 1 2 3 4\nx .9 1 2 3 4\na 1 1 2 3 4\n'
               'y 1 1 2 3 4\n')
    with pytest.raises(
            ValueError, match="line 2: image 'x' .*2 such lines of 4.*'a'"):
        read_voc_face_detections(path, ['a', 'b'])
    with pytest.raises(
            ValueError, match="line 1: none of the 4 .*'a'.*ground truth 'q'"):
        read_voc_face_detections(path, ['q'])
    assert len(read_voc_face_detections(path).scores) == 4


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(FileNotFoundError, match='no such file of detections'):
        read_voc_face_detections(tmp_path / 'none')
    (tmp_path / 'x').write_bytes(b'\xff\xfe\0\xff')
    with pytest.raises(ValueError, match='x: not a text file'):
        read_voc_face_detections(tmp_path / 'x')


@pytest.mark.parametrize('rows, message', [
    ([[1, 2, 3, 4]], r'\(n, 5\)'),
    ([[1, 2, 3, 4, np.nan]], 'NaN'),
    ([[3, 2, 1, 4, 1]], 'x2 < x1'),
    ([[-1.1e9, 2, 3, 4, 1]], 'coordinate beyond'),
])
def test_arrays_that_are_no_detections(rows, message):
    with pytest.raises(ValueError, match=f'detections of b: .*{message}'):
        VOCFaceDetections.from_dict({'a': np.zeros((0, 5)), 'b': rows})


NUMBER = st.floats(-1e9, 1e9)
SCORE = st.floats(-1e300, 1e300)
ROW = st.tuples(NUMBER, NUMBER, NUMBER, NUMBER, SCORE).map(
    lambda r:
    [min(r[0], r[2]),
     min(r[1], r[3]),
     max(r[0], r[2]),
     max(r[1], r[3]), r[4]])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(ROW, max_size=4), min_size=1, max_size=4))
def test_written_numbers_come_back(tmp_path_factory, sets):
    found = {
        f'2007_{number}': np.array(rows).reshape(-1, 5)
        for number, rows in enumerate(sets)
    }
    path = tmp_path_factory.mktemp('dets') / 'dets.txt'
    write_voc_face_detections(found, path)
    joined = VOCFaceDetections.from_dict(found)
    again = read_voc_face_detections(path)
    assert [again.keys[at]
            for at in again.image] == [joined.keys[at] for at in joined.image]
    np.testing.assert_array_equal(again.boxes, joined.boxes)
    np.testing.assert_array_equal(again.scores, joined.scores)


def test_writing_is_all_or_nothing(tmp_path):
    path = put(tmp_path, 'old')
    for bad in ('a b', 'a.jpg', 'c/a', ''):
        with pytest.raises(ValueError, match='cannot be written'):
            write_voc_face_detections(
                {
                    'a': np.ones((1, 5)),
                    bad: np.ones((1, 5))
                }, path)
    assert path.read_text() == 'old'
    write_voc_face_detections({'a': np.array([[1, 2, 3, 4, .5]])}, path)
    assert path.read_text() == 'a 0.5 1.0 2.0 3.0 4.0\n'
    assert [p.name for p in tmp_path.iterdir()] == ['dets.txt']


def test_picture_list(tmp_path):
    path = put(tmp_path, 'a.jpg\n\n b/c.png \nd\n')
    assert read_picture_list(path) == ['a', 'c', 'd']
    with pytest.raises(ValueError, match='line 1: expected the name of one'):
        read_picture_list(put(tmp_path, 'a b\n'))
    with pytest.raises(ValueError, match='names no picture'):
        read_picture_list(put(tmp_path, '\n'))


def test_picture_lists_that_cannot_be_read(tmp_path):
    remedy = 'the name of one picture per line'
    with pytest.raises(
            FileNotFoundError, match=f'none.txt: no such list.*{remedy}'):
        read_picture_list(tmp_path / 'none.txt')
    with pytest.raises(IsADirectoryError, match=f': a folder.*{remedy}'):
        read_picture_list(tmp_path)
    (tmp_path / 'x.jpg').write_bytes(b'\xff\xd8\xff\xe0')
    with pytest.raises(ValueError, match=f'x.jpg: not a text file.*{remedy}'):
        read_picture_list(tmp_path / 'x.jpg')


def test_restricted_to_some_images():
    found = VOCFaceDetections.from_dict({
        'a': [[0, 0, 1, 1, .1], [0, 0, 2, 2, .2]],
        'b': [[0, 0, 3, 3, .3]],
        'c': [[0, 0, 4, 4, .4]],
    })
    part = found.restricted_to(['c', 'x', 'a'])
    assert part.keys == ('a', 'c')
    assert part.image.tolist() == [0, 0, 1]
    assert part.boxes[:, 2].tolist() == [1, 2, 4]
    assert part.scores.tolist() == [.1, .2, .4]
    assert (found.num_left_out, part.num_left_out) == (0, 1)
    none = part.restricted_to([])
    assert none.keys == () and none.boxes.shape == (0, 4)
    assert none.num_left_out == 4
    assert none.restricted_to(['a']).image.dtype.kind == 'i'
