"""Reading WIDER FACE's annotation files: values, quirks and complaints."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyfaces.datasets.wider_annotations import (ATTRIBUTES,
                                                  parse_wider_annotations)

ROW = '1 2 3 4 0 0 0 0 0 0'


def parse(tmp_path, text, encoding='utf-8'):
    path = tmp_path / 'annotations.txt'
    path.write_bytes(text.encode(encoding))
    return parse_wider_annotations(path)


def test_values_of_one_picture(tmp_path):
    entry, = parse(
        tmp_path, '0--Parade/0_Parade_x_1.jpg\n2\n'
        '449 330 122 149 1 0 1 0 2 1 \n'
        '-1.5 2 0 -3 2 1 0 1 0 0 \n')
    assert entry.file_name == '0--Parade/0_Parade_x_1.jpg'
    assert entry.key == '0--Parade/0_Parade_x_1'
    np.testing.assert_array_equal(entry.boxes,
                                  [[449, 330, 122, 149], [-1.5, 2, 0, -3]])
    np.testing.assert_array_equal(entry.attributes,
                                  [[1, 0, 1, 0, 2, 1], [2, 1, 0, 1, 0, 0]])
    assert list(ATTRIBUTES) == [
        'blur', 'expression', 'illumination', 'invalid', 'occlusion', 'pose'
    ]


@pytest.mark.parametrize('faces, boxes', [
    ('0', []),
    ('0\n0 0 0 0 0 0 0 0 0 0 ', []),
    ('1\n0 0 0 0 0 0 0 0 0 0 ', [[0, 0, 0, 0]]),
])
def test_three_spellings_of_no_face(tmp_path, faces, boxes):
    entries = parse(tmp_path, f'a/x.jpg\n{faces}\na/y.jpg\n1\n{ROW}\n')
    assert [entry.key for entry in entries] == ['a/x', 'a/y']
    assert entries[0].boxes.tolist() == boxes
    assert entries[0].boxes.shape == (len(boxes), 4)
    assert entries[0].attributes.shape == (len(boxes), 6)
    assert entries[1].boxes.tolist() == [[1, 2, 3, 4]]


def test_all_pictures_without_faces(tmp_path):
    entries = parse(tmp_path, 'a/x.jpg\n0\na/y.jpg\n0\n')
    assert [entry.boxes.shape for entry in entries] == [(0, 4), (0, 4)]


@pytest.mark.parametrize('end', ['\n', '\r\n', '\n\n', ' \n'])
def test_line_ends_blanks_and_byte_order_mark(tmp_path, end):
    lines = ['a/x.jpg', '1', ROW, 'a/y.JPEG', '0']
    text = end.join(lines) if end != '\n\n' else (
        f'\na/x.jpg\n1\n{ROW}\n\n\na/y.JPEG\n0\n\n')
    entries = parse(tmp_path, text, 'utf-8-sig')
    assert [entry.key for entry in entries] == ['a/x', 'a/y']
    assert entries[0].boxes.tolist() == [[1, 2, 3, 4]]


def test_list_of_names(tmp_path):
    entries = parse(tmp_path, 'a/x y.jpg\nb/z.png\n\nb/w.jpg')
    assert [entry.key for entry in entries] == ['a/x y', 'b/z', 'b/w']
    assert all(entry.boxes.shape == (0, 4) for entry in entries)


@pytest.mark.parametrize(
    'text, line, words',
    [
        # a count that is too small, too large, missing, or not a number
        (f'a/x.jpg\n1\n{ROW}\n{ROW}\n', 4, ['a picture', '2 announces 1']),
        (f'a/x.jpg\n2\n{ROW}\na/y.jpg\n0\n', 4, ['face 2 of a/x.jpg']),
        (f'a/x.jpg\n{ROW}\n', 2, ['number of faces of a/x.jpg']),
        ('a/x.jpg\n-1\n', 2, ['number of faces', "'-1'"]),
        ('a/x.jpg\n' + '9' * 5000 + '\n', 2, ['number of faces', "'999"]),
        ('a/x.jpg\n0\na/y.jpg', 4, ['number of faces', 'end of file']),
        (f'a/x.jpg\n9\n{ROW}\na/y.jpg\n0\n', 4, ['face 2 of a/x.jpg']),
        (f'a/x.jpg\n3\n{ROW}\n', 4, ['3 faces', 'only 1 lines', 'cut off']),
        # rows
        (f'a/x.jpg\n2\n{ROW}\n{ROW} 7\n', 4, ['10 numbers "x y w h blur']),
        ('a/x.jpg\n1\n1 2 3 4\n', 3, ['10 numbers']),
        (f'a/x.jpg\n2\n{ROW}\n\n', 4, ['10 numbers']),
        (f'a/x.jpg\n1\n{ROW.replace("2", "two")}\n', 3, ['10 numbers', 'two']),
        (f'a/x.jpg\n1\n{ROW.replace("2", "nan")}\n', 3, ['finite']),
        ('a/x.jpg\n1\n1 2 3 4 0 0 0 2 0 0\n', 3, ['invalid 0-1']),
        ('a/x.jpg\n1\n1 2 3 4 .5 0 0 0 0 0\n', 3, ['whole attributes']),
        # two rows wrong in a way that keeps the number of fields
        ('a/x.jpg\n2\n1 2 3 4 0 0 0 0 0\n1 2 3 4 0 0 0 0 0 0 0\n', 3,
         ['face 1 of a/x.jpg (line 2 announces 2)']),
        # names
        ('x.jpg\n0\n', 1, ['"<event>/<name>.jpg"']),
        ('a/b/x.jpg\n0\n', 1, ['"<event>/<name>.jpg"']),
        ('a/x.jpg\na/y.jpg\n126\n', 3, ['list of pictures']),
        (f'a/x.jpg\n0\na/y.jpg\n1\n{ROW}\na/x.jpg\n0\n', 6,
         ['Line 1 lists it']),
        ('a/x.jpg\nb/x.jpg\na/x.jpg\n', 3, ['Line 1 lists it']),
    ])
def test_broken_lines_are_named(tmp_path, text, line, words):
    with pytest.raises(ValueError) as error:
        parse(tmp_path, text)
    message = str(error.value)
    assert f'annotations.txt, line {line}: expected ' in message
    for word in words:
        assert word in message


def test_files_that_are_no_annotations(tmp_path):
    with pytest.raises(ValueError, match='the file is empty'):
        parse(tmp_path, ' \n\n')
    with pytest.raises(ValueError, match='not a UTF-8 text file'):
        parse(tmp_path, 'ä/x.jpg\n0\n', 'latin-1')
    with pytest.raises(FileNotFoundError):
        parse_wider_annotations(tmp_path / 'missing.txt')


NUMBERS = st.integers(-50, 2000)
ROWS = st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS), max_size=4)


@settings(max_examples=50, deadline=None)
@given(pictures=st.lists(ROWS, min_size=1, max_size=5), data=st.data())
def test_what_is_written_is_read(tmp_path_factory, pictures, data):
    lines, expected = [], []
    for index, boxes in enumerate(pictures):
        attributes = [
            data.draw(
                st.tuples(*(st.integers(0, m) for m in ATTRIBUTES.values())))
            for _ in boxes
        ]
        lines += [f'event/{index}.jpg', str(len(boxes))]
        lines += [' '.join(map(str, b + a)) for b, a in zip(boxes, attributes)]
        expected.append(
            ([list(b) for b in boxes], [list(a) for a in attributes]))
    entries = parse(
        tmp_path_factory.mktemp('annotations'), '\n'.join(lines) + '\n')
    assert [(e.boxes.tolist(), e.attributes.tolist())
            for e in entries] == expected


@pytest.mark.real_data
@pytest.mark.parametrize('name, pictures, boxes, invalid, flat, low, zeros', [
    ('train', 12880, 159424, 2399, 23, 16, 4),
    ('val', 3226, 39708, 585, 9, 6, 4),
    ('train_subset', 508, 12946, 109, 1, 1, 0),
    ('val_subset', 408, 6967, 279, 2, 1, 1),
])
def test_official_files(real_data, name, pictures, boxes, invalid, flat, low,
                        zeros):
    entries = parse_wider_annotations(real_data / 'wider_face' /
                                      'wider_face_split' /
                                      f'wider_face_{name}_bbx_gt.txt')
    xywh = np.concatenate([entry.boxes for entry in entries])
    attributes = np.concatenate([entry.attributes for entry in entries])
    assert len(entries) == pictures
    assert xywh.shape == (boxes, 4)
    assert attributes[:, 3].sum() == invalid
    assert (xywh[:, 2] <= 0).sum() == flat
    assert (xywh[:, 3] <= 0).sum() == low
    assert (~xywh.any(axis=1)).sum() == zeros


@pytest.mark.real_data
def test_official_test_list(real_data):
    entries = parse_wider_annotations(real_data / 'wider_face' /
                                      'wider_face_split' /
                                      'wider_face_test_filelist.txt')
    assert len(entries) == 16097
    assert entries[0].key == '0--Parade/0_Parade_marchingband_1_737'
