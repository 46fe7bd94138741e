import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyfaces.evaluation.functional import (read_wider_predictions, wider_io,
                                             write_wider_predictions)

ROWS = np.array([[1, 2, 3, 4.5, .125], [0.1, -7, 0, 1e-3, -2e-9]])


def put(folder, name, text):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def put_zip(path, files):
    with zipfile.ZipFile(path, 'w') as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def same(one, other):
    assert set(one) == set(other)
    for key in one:
        np.testing.assert_array_equal(one[key], other[key])


def test_layout_by_hand(tmp_path):
    put(tmp_path, '0--A/x.y.txt',
        'any name\r\n2\r\n1 2 3 4.5 .125 \r\n0.1 -7 0 1e-3 -2E-9')
    put(tmp_path, '10--B/z.txt', 'z\n0\n')
    put(tmp_path, '10--B/w.txt', 'w.jpg\n 1 \n\n  5 6\t7 8 9\n\n')
    put(tmp_path, '10--B/none.txt', 'none\n0')
    put(tmp_path, 'notes.md', 'not a prediction')
    put(tmp_path, '.cache/a/x.txt', 'hidden')
    found = read_wider_predictions(tmp_path)
    same(
        found, {
            '0--A/x.y': ROWS,
            '10--B/z': np.zeros((0, 5)),
            '10--B/w': [[5, 6, 7, 8, 9]],
            '10--B/none': np.zeros((0, 5))
        })


@pytest.mark.parametrize('prefix', ['', 'my results/'])
@pytest.mark.parametrize('is_zip', [True, False])
def test_one_folder_around_the_events(tmp_path, prefix, is_zip):
    files = {
        f'{prefix}b/2.txt': '2\n1\n1 2 3 4 5\n',
        f'{prefix}a/1.txt': '1\n0\n',
        f'{prefix}a/0.txt': '0\n0\n'
    }
    if is_zip:
        source = put_zip(tmp_path / 'p.zip', {
            **files, '__MACOSX/a/._1.txt': '\0'
        })
    else:
        source = tmp_path
        for name, text in files.items():
            put(source, name, text)
    same(
        read_wider_predictions(source), {
            'b/2': [[1, 2, 3, 4, 5]],
            'a/1': np.zeros((0, 5)),
            'a/0': np.zeros((0, 5))
        })


@pytest.mark.parametrize('files', [{}, {
    'x.txt': 'x\n0\n'
}, {
    'a/b/1.txt': '1\n0\n',
    'c/b/1.txt': '1\n0\n'
}, {
    'a/1.txt': '1\n0\n',
    'c/a/1.txt': '1\n0\n'
}, {
    'a/b/c/1.txt': '1\n0\n'
}])
def test_other_layouts_are_refused(tmp_path, files):
    with pytest.raises(ValueError, match='p.zip: expected <event>/<image>'):
        read_wider_predictions(put_zip(tmp_path / 'p.zip', files))


def test_sources_that_cannot_be_read(tmp_path):
    with pytest.raises(FileNotFoundError, match='no such folder or zip'):
        read_wider_predictions(tmp_path / 'none')
    with pytest.raises(ValueError, match='neither a folder nor'):
        read_wider_predictions(put(tmp_path, 'x.zip', 'text'))
    path = put_zip(tmp_path / 'p.zip', {'a/1.txt': '1\n1\n1 2 3 4 5\n'})
    path.write_bytes(path.read_bytes().replace(b'1 2 3', b'7 2 3'))
    with pytest.raises(ValueError, match='p.zip/a/1.txt: damaged'):
        read_wider_predictions(path)


@pytest.mark.parametrize(
    'body, message',
    [('1\n1 2 3 4\n', 'line 3: expected "x y w h score", found \'1 2 3 4\''),
     ('1\n1 2 3 4 5 6\n', 'line 3: expected "x y w h score"'),
     ('2\n1 2 3 4 5\n1 2 3 x 5\n', "line 4: expected five numbers, found 'x'"),
     ('1\n1 2 3 4 nan\n', "line 3: expected five numbers, found 'nan'"),
     ('1\n1 2 3 inf 5\n', 'line 3: expected five numbers'),
     ('1\n1 2 3 1e999 5\n', 'line 3.*too large'),
     ('1\n1,2,3,4,5\n', 'line 3: expected "x y w h score"'),
     ('1\n1 2 3 4 5.5.5\n', "line 3: expected five numbers, found '5.5.5'"),
     ('2\n1 2 3 4 5.5.5\n1 2 3 4 x\n', "line 3.*found '5.5.5'"),
     ('1\n1 2 -3 4 5\n', 'line 3: negative width or height'),
     ('1\n1 2 3 -.5 5\n', 'line 3: negative width or height'),
     ('1\n', 'line 2: says 1 detections, 0 lines follow'),
     ('1\n1 2 3 4 5\n1 2 3 4 5\n', 'line 2: says 1 detections, 2 lines'),
     ('x\n', "line 2: expected the number of detections, found 'x'"),
     ('-1\n', "line 2: expected the number of detections, found '-1'"),
     ('1 2 3 4 5\n', "line 2: expected the number of detections"),
     ('', "line 2: expected the number of detections, found ''")])
def test_broken_lines_name_file_and_line(tmp_path, body, message):
    put(tmp_path, 'a/0.txt', 'right\n1\n1 2 3 4 5\n')
    put(tmp_path, 'a/1.txt', 'name\n' + body)
    put(tmp_path, 'a/2.txt', 'right\n2\n1 2 3 4 5\n1 2 3 4 5\n')
    with pytest.raises(ValueError, match=f'a/1.txt, {message}'):
        read_wider_predictions(tmp_path)


def test_wrong_counts_that_add_up_are_found(tmp_path):
    put(tmp_path, 'a/0.txt', '0\n2\n1 2 3 4 5\n')
    put(tmp_path, 'a/1.txt', '1\n1\n1 2 3 4 5\n1 2 3 4 5\n')
    with pytest.raises(ValueError, match='line 2: says'):
        read_wider_predictions(tmp_path)


def test_empty_file_without_any_line(tmp_path):
    put(tmp_path, 'a/1.txt', '')
    with pytest.raises(ValueError, match='a/1.txt, line 2.*end of the file'):
        read_wider_predictions(tmp_path)


def test_sets_longer_than_one_chunk(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    predictions = {f'a/{i}': rng.uniform(0, 9, (i % 4, 5)) for i in range(40)}
    write_wider_predictions(predictions, tmp_path / 'p')
    monkeypatch.setattr(wider_io, '_CHUNK', 200)
    same(read_wider_predictions(tmp_path / 'p'), predictions)


SIZE = st.floats(0, 1e300)
ANY = st.floats(-1e300, 1e300)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(ANY, ANY, SIZE, SIZE, ANY), max_size=4),
        min_size=1,
        max_size=4), st.booleans())
def test_written_numbers_come_back(tmp_path_factory, sets, is_zip):
    predictions = {
        f'{i % 2}--e/{i}.x': np.array(rows).reshape(-1, 5)
        for i, rows in enumerate(sets)
    }
    path = tmp_path_factory.mktemp('set') / ('p.zip' if is_zip else 'p')
    write_wider_predictions(predictions, path)
    same(read_wider_predictions(path), predictions)


@pytest.mark.parametrize(
    'lines',
    [
        # Ten words, ten numbers before the one that NumPy stops at.
        [b'1 2 3 4 5.5.5', b'1 2 3 4 x'],
        [b'1 2 3 4', b'1 2 3 4 5 6'],
        [b'1 2 3 4 5 6', b'1 2 3 4'],
        [b'1 2 3 4 5', b'1 2 3 4 5', b'1'],
        [b'1 2 3 4 5', b'1 2 3 4 -']
    ])
def test_errors_that_add_up(lines):
    file = wider_io._File('a/1', 'f', 2, b'\n'.join(lines))
    assert wider_io._parse_fast([file]) is None


WORD = st.sampled_from([
    '1', '-2.5', '.5', '3.', '1e2', '+4', '1e', '.', '-', 'nan', '0x1', '1_0',
    '1.2.3', '1-2', '\0', 'é'
])
LINE = st.lists(WORD, min_size=4, max_size=6).map(' '.join)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(LINE, max_size=3),
    st.sampled_from(['\n', '\r\n', '\n\n', ' \n\t']))
def test_fast_parser_takes_nothing_that_the_slow_one_refuses(lines, end):
    body = ''.join(line + end for line in lines).encode()
    file = wider_io._File('a/1', 'f', len(lines), body)
    fast = wider_io._parse_fast([file])
    try:
        slow = wider_io._parse_slow(file)
    except ValueError:
        assert fast is None
    else:
        np.testing.assert_array_equal(fast, slow)


def test_written_layout(tmp_path):
    predictions = {
        '0--A/x': np.array([[1, 2, 3, 4.5, .1]], np.float32),
        '0--A/y': np.zeros((0, 5))
    }
    write_wider_predictions(predictions, tmp_path / 'p')
    # The score is the float32, digit by digit.
    assert (tmp_path / 'p/0--A/x.txt').read_text() == (
        'x\n1\n1.0 2.0 3.0 4.5 0.10000000149011612\n')
    assert (tmp_path / 'p/0--A/y.txt').read_text() == 'y\n0\n'
    write_wider_predictions(predictions, tmp_path / 'p.zip')
    with zipfile.ZipFile(tmp_path / 'p.zip') as archive:
        assert archive.namelist() == ['0--A/x.txt', '0--A/y.txt']


@pytest.mark.parametrize('name', ['p', 'p.zip'])
def test_writing_replaces_the_old_set_or_leaves_it(tmp_path, name):
    path = tmp_path / name
    old = {'a/old': ROWS}
    write_wider_predictions(old, path)
    with pytest.raises(ValueError):
        write_wider_predictions({'a/1': ROWS, 'a/2': np.zeros(3)}, path)
    same(read_wider_predictions(path), old)
    write_wider_predictions({'a/1': ROWS}, path)
    same(read_wider_predictions(path), {'a/1': ROWS})
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_folders_of_other_things_are_not_replaced(tmp_path):
    put(tmp_path, 'p/a/photo.jpg', '')
    with pytest.raises(FileExistsError, match='photo.jpg'):
        write_wider_predictions({'a/1': ROWS}, tmp_path / 'p')
    put(tmp_path, 'file', '')
    with pytest.raises(FileExistsError, match='is a file'):
        write_wider_predictions({'a/1': ROWS}, tmp_path / 'file')
